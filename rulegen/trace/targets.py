"""Targets of iptables (iptables-extensions(8)) as operations on a walk."""

from __future__ import annotations

from rulegen.iptables.rule import Part
from rulegen.iptables.values import number as numeric
from rulegen.trace import translate
from rulegen.trace.facts import Facts
from rulegen.trace.packet import number
from rulegen.trace.walk import ACCEPT, RETURN, Acted, Doubt, Operation, Verdict, Walk

ANSWERS = {
    "icmp-net-unreachable": "ICMP network unreachable",
    "icmp-host-unreachable": "ICMP host unreachable",
    "icmp-proto-unreachable": "ICMP protocol unreachable",
    "icmp-port-unreachable": "ICMP port unreachable",
    "icmp-net-prohibited": "ICMP network prohibited",
    "icmp-host-prohibited": "ICMP host prohibited",
    "icmp-admin-prohibited": "ICMP administratively prohibited",
    "tcp-reset": "TCP reset",
    "icmp6-no-route": "ICMPv6 no route",
    "icmp6-adm-prohibited": "ICMPv6 administratively prohibited",
    "icmp6-addr-unreachable": "ICMPv6 address unreachable",
    "icmp6-port-unreachable": "ICMPv6 port unreachable",
    "icmp6-policy-fail": "ICMPv6 source address failed policy",
    "icmp6-reject-route": "ICMPv6 route rejected",
}
"""``--reject-with`` -> what the sender gets."""

HARMLESS = frozenset({
    "LOG", "NFLOG", "ULOG", "TRACE", "AUDIT", "TCPMSS", "CHECKSUM", "CLASSIFY", "DSCP", "TOS", "TTL", "HL",
    "LED", "RATEEST", "IDLETIMER", "TCPOPTSTRIP", "SET", "SECMARK", "CONNSECMARK",
})  # fmt: skip
"""Targets after which the packet goes on, and which no rule here can ask about."""


def operations(part: Part, facts: Facts, *, is_chain: bool, goto: bool) -> list[Operation]:
    """What a target does; one that is not known is a doubt, for the way may end there."""
    name = part.name
    if is_chain:
        verdict = Verdict("goto" if goto else "jump", name)
        done = Acted(f"go to {name}", verdict)
        return [lambda walk: done]
    simple = _SIMPLE.get(name)
    if simple is not None:
        return [lambda walk: simple]
    if name in HARMLESS:
        harmless = Acted(" ".join([name, *[given.text for given in part.options]]))
        return [lambda walk: harmless]
    try:
        made = _made(part, facts)
    except ValueError:
        made = None
    return [made] if made is not None else _unknown(part)


_SIMPLE = {"ACCEPT": Acted("accept", ACCEPT), "RETURN": Acted("return", RETURN)}


def _made(part: Part, facts: Facts) -> Operation | None:
    family = facts.host.family
    match part.name:
        case "DROP":
            return _drop
        case "REJECT":
            return _reject(part, facts)
        case "DNAT":
            return translate.to_one_of(*translate.destinations(part.value("--to-destination") or "", family))
        case "REDIRECT":
            return translate.redirect(facts, _ports(part.value("--to-ports")))
        case "SNAT":
            found, ports = translate.destinations(part.value("--to-source") or "", family)
            port = ports[0] if ports is not None and ports[0] == ports[1] else None
            return translate.to_source(found[0], port) if len(found) == 1 else None
        case "MASQUERADE":
            return translate.masquerade(facts)
        case "NETMAP":
            return _netmap(part, facts)
        case "MARK":
            return _mark(part)
        case "CONNMARK":
            return _connection_mark(part)
        case "NOTRACK":
            return _untracked
        case "CT" if any(given.name == "--notrack" for given in part.options):
            return _untracked
        case "CT":
            return lambda walk: Acted("CT")
        case "NFQUEUE" | "QUEUE":
            return _queue
    return None


def _unknown(part: Part) -> list[Operation]:
    text = " ".join([f"-j {part.name}", *[given.text for given in part.options]])
    doubt = Doubt(f"{text} (not known here) decides over the packet", None, f"{text} lets the packet go on")

    def end(walk: Walk) -> Acted:
        return Acted(text, walk.finish("unknown", f"{text} decides, which is not known here"))

    return [lambda walk: doubt, end]


def _drop(walk: Walk) -> Acted:
    return Acted("DROP", walk.finish("dropped", "dropped by a rule"))


def _reject(part: Part, facts: Facts) -> Operation:
    default = "icmp-port-unreachable" if facts.host.family == "IPv4" else "icmp6-port-unreachable"
    kind = part.value("--reject-with") or default
    answer = ANSWERS.get(kind, kind)

    def act(walk: Walk) -> Acted:
        return Acted(f"REJECT with {answer}", walk.finish("rejected", "refused by a rule", answer))

    return act


def _queue(walk: Walk) -> Acted:
    return Acted("queue", walk.finish("unknown", "handed to a program on the node, which decides"))


def _untracked(walk: Walk) -> Acted:
    walk.state = "UNTRACKED"
    return Acted("not tracked")


def _ports(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def _netmap(part: Part, facts: Facts) -> Operation:
    ip, _, length = (part.value("--to") or "").partition("/")
    bits = facts.host.bits
    rest = (1 << bits - int(length or bits)) - 1
    net = number(ip) & ~rest

    def act(walk: Walk) -> Acted:
        packet = walk.packet
        if walk.hook in ("PREROUTING", "OUTPUT"):
            made = translate.to_destination(net | packet.destination & rest, None)
        else:
            made = translate.to_source(net | packet.source & rest)
        result = made(walk)
        assert isinstance(result, Acted)
        return result

    return act


def _mark(part: Part) -> Operation:
    """All forms of MARK have become ``--set-xmark VALUE/MASK`` when the rule was read."""
    text = part.value("--set-xmark") or ""
    value_text, _, mask_text = text.partition("/")
    value, mask = numeric(value_text), numeric(mask_text) if mask_text else 0xFFFFFFFF
    if not value:
        words = f"clear mark {mask:#x}"
    elif not mask:
        words = f"flip mark {value:#x}"
    elif value & ~mask & 0xFFFFFFFF == 0 and value == mask:
        words = f"set mark {value:#x}"
    else:
        words = f"set mark {value:#x} (mask {mask:#x})"
    return translate.mark(value, mask, words)


def _connection_mark(part: Part) -> Operation | None:
    names = {given.name: given.value for given in part.options}

    def masks(default: int = 0xFFFFFFFF) -> tuple[int, int]:
        both = names.get("--mask")
        nf, ct = names.get("--nfmask", both), names.get("--ctmask", both)
        return (numeric(nf) if nf else default, numeric(ct) if ct else default)

    nf_mask, ct_mask = masks()

    def save(walk: Walk) -> Acted:
        walk.connection_mark = walk.connection_mark & ~ct_mask ^ walk.packet.mark & nf_mask
        return Acted("save the mark for the connection")

    def restore(walk: Walk) -> Acted:
        walk.change(mark=walk.packet.mark & ~nf_mask ^ walk.connection_mark & ct_mask)
        return Acted("take the connection's mark")

    if "--save-mark" in names:
        return save
    if "--restore-mark" in names:
        return restore
    text = names.get("--set-xmark") or names.get("--set-mark")
    if text is None:
        return None
    value_text, _, mask_text = text.partition("/")
    value, mask = numeric(value_text), numeric(mask_text) if mask_text else 0xFFFFFFFF
    if "--set-mark" in names:
        mask |= value

    def change(walk: Walk) -> Acted:
        walk.connection_mark = walk.connection_mark & ~mask & 0xFFFFFFFF ^ value
        return Acted(f"set the connection's mark {value:#x}")

    return change
