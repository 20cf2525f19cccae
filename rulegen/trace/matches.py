"""Matches of iptables (iptables-extensions(8)) as questions to a walk.

Each extension has a function that makes operations of its options. What is not understood is a doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from rulegen.iptables.rule import Given, Part
from rulegen.iptables.values import number as numeric
from rulegen.trace.facts import Facts
from rulegen.trace.packet import BITS, NUMBERS, number
from rulegen.trace.questions import address_ranges, chance, in_ports, negate, unknown
from rulegen.trace.set_match import in_set
from rulegen.trace.walk import Doubt, Operation, Walk

Maker: TypeAlias = Callable[[Part, Facts], list[Operation]]


def _comment(part: Part, facts: Facts) -> list[Operation]:
    return []


def _tcp(part: Part, facts: Facts) -> list[Operation]:
    known = NUMBERS.get("ipv6-icmp" if part.name == "icmp6" else part.name)
    operations: list[Operation] = [lambda walk: walk.packet.protocol == known]
    for given in part.options:
        match given.name:
            case "--sport" | "--dport":
                made = in_ports(given.value, of_source=given.name == "--sport")
                operations.append(negate(given.negated, made))
            case "--tcp-flags":
                operations.append(negate(given.negated, _flags(given.value)))
            case "--icmp-type" | "--icmpv6-type":
                operations.append(negate(given.negated, _echo_request(given.value)))
            case _:
                operations.append(unknown(given.text))
    return operations


def _flags(text: str) -> Operation:
    """Flags of TCP: the first packet has SYN, later ones ACK."""
    mask, _, wanted = text.partition(" ")
    asked = set(mask.split(",")) if mask not in ("ALL", "NONE") else _all_flags(mask)
    set_ones = set(wanted.split(",")) if wanted not in ("ALL", "NONE") else _all_flags(wanted)

    def match(walk: Walk) -> bool:
        own = {"ACK"} if walk.state == "ESTABLISHED" else {"SYN"}
        return own & asked == set_ones

    return match


def _all_flags(word: str) -> set[str]:
    return {"FIN", "SYN", "RST", "PSH", "ACK", "URG"} if word == "ALL" else set()


def _echo_request(text: str) -> Operation:
    def match(walk: Walk) -> bool:
        kind = "8" if walk.packet.family == "IPv4" else "128"
        return text in ("any", kind, f"{kind}/0", f"{kind}/0:255")

    return match


def _multiport(part: Part, facts: Facts) -> list[Operation]:
    operations: list[Operation] = []
    for given in part.options:
        to = in_ports(given.value, of_source=False)
        of = in_ports(given.value, of_source=True)
        if given.name == "--dports":
            operations.append(negate(given.negated, to))
        elif given.name == "--sports":
            operations.append(negate(given.negated, of))
        else:
            operations.append(negate(given.negated, _either(of, to)))
    return operations


def _either(*makers: Callable[[Walk], bool | Doubt]) -> Operation:
    def match(walk: Walk) -> bool | Doubt:
        results = [maker(walk) for maker in makers]
        if any(result is True for result in results):
            return True
        return next((result for result in results if isinstance(result, Doubt)), False)

    return match


def _conntrack(part: Part, facts: Facts) -> list[Operation]:
    return [_conntrack_option(given, facts) for given in part.options]


def _conntrack_option(given: Given, facts: Facts) -> Operation:
    value, family = given.value, facts.host.family
    made: Operation
    match given.name:
        case "--ctstate" | "--state":
            made = _state(value)
        case "--ctproto":
            made = _protocol_is(NUMBERS.get(value) or int(value))
        case "--ctorigsrc" | "--ctorigdst" | "--ctreplsrc" | "--ctrepldst":
            made = _original_address(given.name, address_ranges(value, family))
        case "--ctorigsrcport" | "--ctorigdstport":
            made = _of_original(in_ports(value, of_source=given.name == "--ctorigsrcport"))
        case "--ctstatus":
            made = _status(value)
        case "--ctdir":
            is_original = value.upper().startswith("ORIG")
            made = lambda walk: is_original  # noqa: E731
        case _:
            return unknown(given.text)
    return negate(given.negated, made)


def _protocol_is(known: int) -> Operation:
    return lambda walk: walk.packet.protocol == known


def _state(value: str) -> Operation:
    """The state, or the two that say that the connection is translated."""
    states = frozenset(value.split(","))
    dnat, snat = "DNAT" in states, "SNAT" in states
    return lambda walk: walk.state in states or (dnat and walk.dnat) or (snat and walk.snat)


def _original_address(name: str, ranges: Sequence[tuple[int, int]]) -> Operation:
    def match(walk: Walk) -> bool:
        asked = {
            "--ctorigsrc": walk.original.source,
            "--ctorigdst": walk.original.destination,
            # Replies come from where the packet goes now, and go to where it comes from.
            "--ctreplsrc": walk.packet.destination,
            "--ctrepldst": walk.packet.source,
        }[name]
        return any(asked & mask == value for value, mask in ranges)

    return match


def _of_original(made: Callable[[Walk], bool | Doubt]) -> Operation:
    def match(walk: Walk) -> bool | Doubt:
        before = walk.copy()
        before.packet = walk.original
        return made(before)

    return match


def _status(value: str) -> Operation:
    wanted = frozenset(value.upper().split(","))

    def match(walk: Walk) -> bool:
        if walk.state == "ESTABLISHED":
            return bool(wanted & {"SEEN_REPLY", "ASSURED", "CONFIRMED"})
        return "NONE" in wanted

    return match


def _mark(part: Part, facts: Facts) -> list[Operation]:
    of_connection = part.name == "connmark"
    return [_mark_option(given, of_connection=of_connection) for given in part.options]


def _mark_option(given: Given, *, of_connection: bool) -> Operation:
    if given.name != "--mark":
        return unknown(given.text)
    value_text, _, mask_text = given.value.partition("/")
    value, mask = numeric(value_text), numeric(mask_text) if mask_text else 0xFFFFFFFF
    wanted = not given.negated
    if of_connection:
        return lambda walk: (walk.connection_mark & mask == value) is wanted
    return lambda walk: (walk.packet.mark & mask == value) is wanted


def _statistic(part: Part, facts: Facts) -> list[Operation]:
    every = part.value("--every")
    if every is not None:
        share, option = Fraction(1, int(every)), "--every"
    else:
        # The kernel compares 31 random bits with this number of them (net/netfilter/xt_statistic.c).
        probability = part.value("--probability") or "0"
        share, option = Fraction(round(Fraction(probability) * 2**31), 2**31), "--probability"
    negated = any(given.negated for given in part.options if given.name == option)
    return [negate(negated, chance(share, f"{option} {part.value(option)}"))]


def _recent(part: Part, facts: Facts) -> list[Operation]:
    """Lists of addresses that were seen. What a list holds counts as fresh, and as seen often enough."""
    name = part.value("--name") or "DEFAULT"
    of_destination = any(given.name == "--rdest" for given in part.options)
    mask_text = part.value("--mask")
    mask = number(mask_text) if mask_text else (1 << BITS[facts.host.family]) - 1
    command = next(
        (g for g in part.options if g.name in ("--set", "--rcheck", "--update", "--remove")),
        Given(0, "--rcheck"),
    )
    hits = int(part.value("--hitcount") or 1)
    told = facts.recent.get(name, frozenset())

    def holds(walk: Walk) -> bool | Doubt:
        packet = walk.packet
        asked = (packet.destination if of_destination else packet.source) & mask
        if (name, asked) in walk.noted:
            seen = True
        elif (name, ~asked) in walk.noted:
            seen = False
        else:
            seen = any(address & mask == asked for address in told)
        if command.name == "--set":
            walk.noted |= {(name, asked)}
            return True
        if seen and hits > 1:
            return Doubt(f"--hitcount {hits}")
        if seen and command.name == "--remove":
            walk.noted = walk.noted - {(name, asked)} | {(name, ~asked)}
        return seen

    return [negate(command.negated, holds)]


def _addrtype(part: Part, facts: Facts) -> list[Operation]:
    names = {given.name for given in part.options}
    return [
        _address_type(
            given, facts, incoming="--limit-iface-in" in names, outgoing="--limit-iface-out" in names
        )
        for given in part.options
        if given.name in ("--src-type", "--dst-type")
    ]


def _address_type(given: Given, facts: Facts, *, incoming: bool, outgoing: bool) -> Operation:
    types = frozenset(given.value.split(","))
    of_source, wanted, host = given.name == "--src-type", not given.negated, facts.host

    def match(walk: Walk) -> bool | Doubt:
        limit: str | None = None
        if incoming or outgoing:
            limit = walk.entry if incoming else walk.exit
            if limit is None:
                return Doubt(given.text)
        packet = walk.packet
        asked = packet.source if of_source else packet.destination
        return (host.address_type(asked, limit or None) in types) is wanted

    return match


def _nfacct(part: Part, facts: Facts) -> list[Operation]:
    return []


def _set(part: Part, facts: Facts) -> list[Operation]:
    operations: list[Operation] = []
    for given in part.options:
        if given.name == "--match-set":
            name, _, directions = given.value.partition(" ")
            operations.append(negate(given.negated, in_set(name, directions, facts)))
        elif given.name in ("--update-counters", "--update-subcounters", "--return-nomatch"):
            continue
        else:
            operations.append(unknown(given.text))
    return operations


def _physdev(part: Part, facts: Facts) -> list[Operation]:
    """Ports of a bridge: only packets that br_netfilter hands over have them."""
    operations: list[Operation] = []
    for given in part.options:
        if given.name == "--physdev-is-in":
            operations.append(negate(given.negated, lambda walk: walk.bridged))
        elif given.name in ("--physdev-is-out", "--physdev-is-bridged"):
            # What is routed has no port to leave by yet.
            operations.append(negate(given.negated, lambda walk: False))
        else:
            operations.append(negate(given.negated, _bridge_port(given)))
    return operations


def _bridge_port(given: Given) -> Operation:
    doubt = Doubt(given.text.removeprefix("! "))
    return lambda walk: doubt if walk.bridged and given.name == "--physdev-in" else False


def _ipvs(part: Part, facts: Facts) -> list[Operation]:
    operations: list[Operation] = [lambda walk: walk.served is not None]
    for given in part.options:
        value = given.value
        made: Operation
        match given.name:
            case "--ipvs":
                if given.negated:
                    return [lambda walk: walk.served is None]
                continue
            case "--vproto":
                made = _served("protocol", NUMBERS.get(value) or int(value))
            case "--vaddr":
                made = _served_address(address_ranges(value, facts.host.family))
            case "--vport":
                made = _served("port", int(value))
            case "--vdir":
                is_original = value.upper() == "ORIGINAL"
                made = lambda walk, wanted=is_original: wanted  # type: ignore[misc]  # noqa: E731
            case "--vmethod":
                is_nat = value.upper() == "MASQ"
                made = lambda walk, wanted=is_nat: wanted  # type: ignore[misc]  # noqa: E731
            case _:
                made = unknown(given.text)
        operations.append(negate(given.negated, made))
    return operations


def _served(field: str, wanted: int) -> Operation:
    return lambda walk: bool(getattr(walk.served, field) == wanted)


def _served_address(ranges: Sequence[tuple[int, int]]) -> Operation:
    return lambda walk: any(walk.served.address & mask == value for value, mask in ranges)


def _iprange(part: Part, facts: Facts) -> list[Operation]:
    return [negate(given.negated, _in_range(given)) for given in part.options]


def _in_range(given: Given) -> Operation:
    first_text, _, last_text = given.value.partition("-")
    first, last = number(first_text), number(last_text or first_text)
    if given.name == "--src-range":
        return lambda walk: first <= walk.packet.source <= last
    return lambda walk: first <= walk.packet.destination <= last


def _rpfilter(part: Part, facts: Facts) -> list[Operation]:
    names = {given.name for given in part.options}
    if names - {"--loose", "--invert", "--validmark", "--accept-local"}:
        return [unknown("rpfilter")]
    host = facts.host

    def match(walk: Walk) -> bool | Doubt:
        if walk.entry == "lo":
            return True
        if host.is_local(walk.packet.source):
            return "--accept-local" in names
        way = host.route(walk.packet.source)
        if way is None or way.kind != "unicast":
            return False
        if "--loose" in names:
            return True
        return Doubt("rpfilter") if walk.entry is None else way.device == walk.entry

    return [negate("--invert" in names, match)]


def _packet_type(part: Part, facts: Facts) -> list[Operation]:
    return [
        negate(given.negated, lambda walk, value=given.value: value == "unicast")  # type: ignore[misc]
        for given in part.options
    ]


def _owner(part: Part, facts: Facts) -> list[Operation]:
    """The program that sent a packet: nobody, for a packet of another machine."""
    text = " ".join(given.text for given in part.options)
    return [lambda walk: Doubt(f"owner {text}") if walk.entry == "" else False]


MATCHES: Mapping[str, Maker] = {
    "comment": _comment, "tcp": _tcp, "udp": _tcp, "udplite": _tcp, "sctp": _tcp, "dccp": _tcp,
    "icmp": _tcp, "icmp6": _tcp, "icmpv6": _tcp, "multiport": _multiport, "conntrack": _conntrack,
    "state": _conntrack, "mark": _mark, "connmark": _mark, "statistic": _statistic, "recent": _recent,
    "addrtype": _addrtype, "nfacct": _nfacct, "set": _set, "physdev": _physdev, "ipvs": _ipvs,
    "iprange": _iprange, "rpfilter": _rpfilter, "pkttype": _packet_type, "owner": _owner,
}  # fmt: skip


def operations(part: Part, facts: Facts) -> list[Operation]:
    """What an extension asks of a walk; a doubt where it, or a value in it, is not understood."""
    maker = MATCHES.get(part.name)
    text = " ".join([f"-m {part.name}", *[given.text for given in part.options]])
    if maker is None:
        return [unknown(text)]
    try:
        return maker(part, facts)
    except ValueError:
        return [unknown(text)]
