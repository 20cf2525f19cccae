"""What every rule can ask of a packet, whatever extensions it uses: addresses, ports, protocol, devices.

A question is an operation: what it answers of a walk, or a doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from rulegen.iptables.rule import Given
from rulegen.model import Family
from rulegen.trace.packet import BITS, EPHEMERAL, NUMBERS, PORTED, number
from rulegen.trace.walk import Doubt, Operation, Walk


def unknown(text: str) -> Operation:
    """A match that nothing here can decide."""
    return lambda walk: Doubt(text)


def chance(probability: Fraction, text: str) -> Operation:
    doubt = Doubt(text, probability)
    if probability >= 1:
        return lambda walk: True
    if probability <= 0:
        return lambda walk: False
    return lambda walk: doubt


def negate(negated: bool, operation: Operation) -> Operation:
    """The opposite of a match."""
    if not negated:
        return operation

    def opposite(walk: Walk) -> bool | Doubt:
        result = operation(walk)
        return result.opposite() if isinstance(result, Doubt) else not result

    return opposite


def address_ranges(text: str, family: Family) -> list[tuple[int, int]]:
    """Value and mask of each of the networks in ``A/LENGTH,B/MASK``."""
    bits = BITS[family]
    found = []
    for part in text.split(","):
        ip, _, length = part.partition("/")
        if not length:
            mask = (1 << bits) - 1
        elif length.isdecimal():
            mask = (1 << bits) - 1 ^ (1 << bits - int(length)) - 1
        else:
            mask = number(length)
        found.append((number(ip) & mask, mask))
    return found


def source(given: Given, family: Family) -> Operation:
    ranges = address_ranges(given.value, family)
    wanted = not given.negated
    if len(ranges) == 1:
        value, mask = ranges[0]
        return lambda walk: (walk.packet.source & mask == value) is wanted
    return lambda walk: any(walk.packet.source & m == v for v, m in ranges) is wanted


def destination(given: Given, family: Family) -> Operation:
    ranges = address_ranges(given.value, family)
    wanted = not given.negated
    if len(ranges) == 1:
        value, mask = ranges[0]
        return lambda walk: (walk.packet.destination & mask == value) is wanted
    return lambda walk: any(walk.packet.destination & m == v for v, m in ranges) is wanted


def protocol(given: Given) -> Operation:
    wanted = not given.negated
    known = NUMBERS.get(given.value)
    if known is None:
        if not given.value.isdecimal():
            return unknown(given.text)
        known = int(given.value)
    return lambda walk: (walk.packet.protocol == known) is wanted


def device(given: Given, *, incoming: bool) -> Operation:
    """``-i`` and ``-o``: a name, or with ``+`` at its end what names begin with."""
    prefix = given.value.endswith("+")
    name = given.value.removesuffix("+") if prefix else given.value
    wanted = not given.negated
    text = given.text.removeprefix("! ")

    def match(walk: Walk) -> bool | Doubt:
        found = walk.entry if incoming else walk.exit
        if found is None:
            return Doubt(text, lasting=True, negated=not wanted)
        return (found.startswith(name) if prefix else found == name) is wanted

    return match


def fragment(given: Given) -> Operation:
    return lambda walk: given.negated


def in_ports(text: str, *, of_source: bool) -> Callable[[Walk], bool | Doubt]:
    """A port, a range ``A:B``, or several of them with commas."""
    spans = []
    for piece in text.split(","):
        first, colon, last = piece.partition(":")
        spans.append((int(first or 0), int(last or 65535) if colon else int(first)))

    def match(walk: Walk) -> bool | Doubt:
        packet = walk.packet
        if packet.protocol not in PORTED:
            return False
        if not of_source:
            port = packet.port or 0
            return any(first <= port <= last for first, last in spans)
        if packet.source_port is not None:
            return any(first <= packet.source_port <= last for first, last in spans)
        return port_doubt(spans, text)

    return match


def port_doubt(spans: Sequence[tuple[int, int]], text: str) -> bool | Doubt:
    """What can be said of a port that the client's kernel picks among the ephemeral ones."""
    low, high = EPHEMERAL
    if all(last < low or first > high for first, last in spans):
        return False
    if any(first <= low and high <= last for first, last in spans):
        return True
    return Doubt(f"the client's own port in {text}", lasting=True)
