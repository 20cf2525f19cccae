"""What rules of nftables ask of a packet, and the constants that the answers are compared with.

A selector becomes a function of the walk. Its answer is a number or a name; None where the packet has no such
thing (then no comparison holds), a doubt where it is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from rulegen.trace.facts import Facts
from rulegen.trace.nft_statements import UnknownError
from rulegen.trace.packet import NUMBERS, PORTED, number
from rulegen.trace.questions import port_doubt
from rulegen.trace.walk import Doubt, Walk

Answer: TypeAlias = "int | str | Doubt | Spread | None"
Span: TypeAlias = "tuple[int, int] | str"
"""What a constant stands for: numbers from the first to the last, or a name (``*`` at its end: a prefix)."""


class Spread(NamedTuple):
    """A number below ``mod`` (from ``offset``) that is as likely as any other."""

    mod: int
    offset: int = 0


class Selector(NamedTuple):
    """``type`` says how constants beside it are read, as in a set's declaration."""

    type: str
    ask: Callable[[Walk], Answer]


OWN_PORT = Doubt("the client's own port", lasting=True)

_STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
_STATUS = {
    "expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32, "dying": 512,
}  # fmt: skip
_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
_ICMP = {
    "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
    "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
    "timestamp-request": 13, "timestamp-reply": 14,
}  # fmt: skip
_ICMPV6 = {
    "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
    "echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131,
    "mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133,
    "nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137,
    "mld2-listener-report": 143,
}  # fmt: skip
_PROTOCOLS = {**NUMBERS, "icmpv6": 58, "ipv6-icmp": 58, "ipip": 4}
_NAMES: Mapping[str, Mapping[str, int]] = {
    "inet_proto": _PROTOCOLS, "ct_state": _STATES, "ct_status": _STATUS, "tcp_flag": _FLAGS,
    "icmp_type": _ICMP, "icmpv6_type": _ICMPV6, "ct_dir": {"original": 0, "reply": 1},
    "nf_proto": {"ipv4": 2, "ipv6": 10}, "ether_type": {"ip": 0x800, "ip6": 0x86DD},
    "boolean": {"missing": 0, "exists": 1},
    "pkt_type": {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2},
}  # fmt: skip
BITMASKS = frozenset({"ct_state", "ct_status", "tcp_flag"})
"""Types of which ``in`` asks whether any of the bits is set."""

_ADDRESSES = {"ipv4_addr": 32, "ipv6_addr": 128}


def selector(expression: Mapping[str, Any], facts: Facts) -> Selector:
    """A selector of JSON as a question. Raises UnknownError."""
    kind, told = next(iter(expression.items()))
    match kind:
        case "payload":
            return _payload(told, facts)
        case "meta":
            return _meta(told["key"], facts)
        case "ct":
            return _ct(told, facts)
        case "fib":
            return _fib(told, facts)
        case "numgen" | "jhash" | "symhash":
            spread = Spread(told["mod"], told.get("offset", 0))
            return Selector("integer", lambda walk: spread)
        case "&" | "|" | "^" | "<<" | ">>":
            return _bits(kind, told, facts)
    raise UnknownError(kind)


def _payload(told: Mapping[str, Any], facts: Facts) -> Selector:
    protocol, field = told.get("protocol", ""), told.get("field", "")
    if protocol in ("ip", "ip6"):
        family = "IPv4" if protocol == "ip" else "IPv6"
        kind = "ipv4_addr" if protocol == "ip" else "ipv6_addr"
        if family != facts.host.family:
            return Selector(kind, lambda walk: None)
        match field:
            case "saddr":
                return Selector(kind, lambda walk: walk.packet.source)
            case "daddr":
                return Selector(kind, lambda walk: walk.packet.destination)
            case "protocol" | "nexthdr":
                return Selector("inet_proto", lambda walk: walk.packet.protocol)
            case "version":
                return Selector("integer", lambda walk: 4 if family == "IPv4" else 6)
    elif protocol in ("icmp", "icmpv6"):
        known = 1 if protocol == "icmp" else 58
        echo = 8 if protocol == "icmp" else 128
        if field in ("type", "code"):
            answer = echo if field == "type" else 0
            return Selector(
                f"{protocol}_{field}", lambda walk: answer if walk.packet.protocol == known else None
            )
    elif field in ("sport", "dport"):
        return Selector("inet_service", _port(protocol, of_source=field == "sport"))
    elif protocol == "tcp" and field == "flags":
        return Selector("tcp_flag", _flags)
    elif protocol == "ether" and field == "type":
        ether = 0x800 if facts.host.family == "IPv4" else 0x86DD
        return Selector("ether_type", lambda walk: ether)
    raise UnknownError(f"{protocol} {field}")


def _port(protocol: str, *, of_source: bool) -> Callable[[Walk], Answer]:
    known = NUMBERS.get(protocol)

    def ask(walk: Walk) -> Answer:
        packet = walk.packet
        if packet.protocol not in PORTED or (known is not None and packet.protocol != known):
            return None
        port = packet.source_port if of_source else packet.port
        return OWN_PORT if port is None else port

    return ask


def _flags(walk: Walk) -> Answer:
    if walk.packet.protocol != 6:
        return None
    return _FLAGS["ack"] if walk.state == "ESTABLISHED" else _FLAGS["syn"]


def _meta(key: str, facts: Facts) -> Selector:
    host = facts.host
    match key:
        case "mark":
            return Selector("mark", lambda walk: walk.packet.mark)
        case "l4proto":
            return Selector("inet_proto", lambda walk: walk.packet.protocol)
        case "iifname" | "iif":
            return Selector(
                "ifname", lambda walk: Doubt(key, lasting=True) if walk.entry is None else walk.entry
            )
        case "oifname" | "oif":
            return Selector(
                "ifname", lambda walk: Doubt(key, lasting=True) if walk.exit is None else walk.exit
            )
        case "nfproto":
            family = 2 if host.family == "IPv4" else 10
            return Selector("nf_proto", lambda walk: family)
        case "protocol":
            ether = 0x800 if host.family == "IPv4" else 0x86DD
            return Selector("ether_type", lambda walk: ether)
        case "pkttype":
            return Selector("pkt_type", lambda walk: 0)
        case "ibrname" | "obrname" | "ibridgename" | "obridgename":
            return Selector("ifname", lambda walk: "")
    raise UnknownError(f"meta {key}")


def _ct(told: Mapping[str, Any], facts: Facts) -> Selector:
    key, direction = told["key"], told.get("dir", "original")
    address = "ipv4_addr" if facts.host.family == "IPv4" else "ipv6_addr"
    if direction == "original":
        match key:
            case "state":
                return Selector("ct_state", lambda walk: _STATES[walk.state.lower()])
            case "status":
                return Selector("ct_status", _status)
            case "mark":
                return Selector("mark", lambda walk: walk.connection_mark)
            case "direction":
                return Selector("ct_dir", lambda walk: 0)
            case "l4proto" | "protocol":
                return Selector("inet_proto", lambda walk: walk.packet.protocol)
            case "ip saddr" | "ip6 saddr" | "saddr":
                return Selector(address, lambda walk: walk.original.source)
            case "ip daddr" | "ip6 daddr" | "daddr":
                return Selector(address, lambda walk: walk.original.destination)
            case "proto-dst":
                return Selector("inet_service", lambda walk: walk.original.port)
    raise UnknownError(f"ct {key}")


def _status(walk: Walk) -> Answer:
    found = _STATUS["dnat"] * walk.dnat | _STATUS["snat"] * walk.snat
    if walk.state == "ESTABLISHED":
        found |= _STATUS["seen-reply"] | _STATUS["confirmed"]
    return found


def _fib(told: Mapping[str, Any], facts: Facts) -> Selector:
    """``fib daddr type`` and ``fib saddr . iif oif``: what the node's routes say of an address."""
    flags, result, host = told["flags"], told["result"], facts.host
    flags = [flags] if isinstance(flags, str) else flags
    if set(flags) - {"saddr", "daddr", "iif", "oif", "mark"} or result not in ("type", "oif", "oifname"):
        raise UnknownError(f"fib {' . '.join(flags)} {result}")
    of_source = "saddr" in flags

    def limit(walk: Walk) -> str | None:
        return walk.entry if "iif" in flags else walk.exit if "oif" in flags else ""

    def kind(walk: Walk) -> Answer:
        device = limit(walk)
        if device is None:
            return Doubt(f"fib {' . '.join(flags)} type")
        asked = walk.packet.source if of_source else walk.packet.destination
        return host.address_type(asked, device or None).lower()

    def device(walk: Walk) -> Answer:
        wanted = limit(walk)
        if wanted is None:
            return Doubt(f"fib {' . '.join(flags)} {result}")
        asked = walk.packet.source if of_source else walk.packet.destination
        way = host.route(asked)
        if way is None or way.kind not in ("unicast", "local") or (wanted and way.device != wanted):
            return ""
        return way.device

    return Selector("fib_addrtype", kind) if result == "type" else Selector("fib_device", device)


def _bits(operator: str, operands: Sequence[Any], facts: Facts) -> Selector:
    left = selector(operands[0], facts)
    if isinstance(operands[1], Mapping) and next(iter(operands[1])) in ("meta", "ct"):
        right: Callable[[Walk], Answer] = selector(operands[1], facts).ask
    else:
        constant = mask(operands[1], left.type)
        right = lambda walk: constant  # noqa: E731

    def ask(walk: Walk) -> Answer:
        one, two = left.ask(walk), right(walk)
        if not isinstance(one, int):
            return one
        if not isinstance(two, int):
            return two
        match operator:
            case "&":
                return one & two
            case "|":
                return one | two
            case "^":
                return one ^ two
            case "<<":
                return one << two & 0xFFFFFFFF
        return one >> two

    # What is left of a mask is compared as a number, not bit by bit.
    return Selector(f"{left.type}:masked" if left.type in BITMASKS else left.type, ask)


def mask(constant: Any, kind: str) -> int:
    """A constant as one number; of several, all their bits."""
    if isinstance(constant, list):
        return _joined(constant, kind)
    if isinstance(constant, Mapping) and "|" in constant:
        return _joined(constant["|"], kind)
    found = span(constant, kind)
    if isinstance(found, str) or found[0] != found[1]:
        raise UnknownError(str(constant))
    return found[0]


def _joined(constants: Sequence[Any], kind: str) -> int:
    found = 0
    for each in constants:
        found |= mask(each, kind)
    return found


def span(constant: Any, kind: str) -> Span:
    """What a constant beside a selector of this type stands for. Raises UnknownError."""
    plain = kind.removesuffix(":masked")
    bits = _ADDRESSES.get(plain, 32)
    match constant:
        case bool():
            return (int(constant), int(constant))
        case int():
            return (constant, constant)
        case {"prefix": {"addr": address, "len": length}}:
            first = address if isinstance(address, int) else _one(address, plain)
            first = first >> (bits - length) << (bits - length)
            return (first, first | (1 << bits - length) - 1)
        case {"range": [low, high]}:
            return (_one(low, plain), _one(high, plain))
        case str():
            if plain in ("ifname", "fib_addrtype", "fib_device"):
                return constant
            found = _one(constant, plain)
            return (found, found)
    raise UnknownError(str(constant))


def _one(constant: Any, kind: str) -> int:
    if isinstance(constant, int):
        return constant
    named = _NAMES.get(kind, {}).get(constant)
    if named is not None:
        return named
    try:
        return number(constant) if kind in _ADDRESSES else int(constant, 0)
    except ValueError:
        raise UnknownError(constant) from None


def holds(answer: Answer, found: Span, kind: str, *, any_bit: bool = False) -> bool | Doubt:
    """Whether an answer is what a constant stands for."""
    if answer is None:
        return False
    if isinstance(answer, Doubt):
        if answer is OWN_PORT and not isinstance(found, str):
            return port_doubt([found], f"{found[0]}-{found[1]}")
        return answer
    if isinstance(answer, str):
        if kind == "fib_device":
            if not isinstance(found, str):
                return bool(answer) is bool(found[0])
            if found in ("missing", "exists"):
                return bool(answer) is (found == "exists")
        if not isinstance(found, str):
            return False
        return answer.startswith(found[:-1]) if found.endswith("*") else answer == found
    if isinstance(found, str) or not isinstance(answer, int):
        return False
    if any_bit:
        return bool(answer & found[0])
    return found[0] <= answer <= found[1]
