"""Membership in ipsets, from what ``ipset save`` or ``ipset list`` prints (ipset(8))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from rulegen.model import Family
from rulegen.trace.packet import BITS, NUMBERS, number


class SetError(ValueError):
    """A listing of sets that cannot be read."""


class Ipset(msgspec.Struct):
    """A set: what its entries are made of (``ip``, ``net``, ``port``, ``iface``...), and they themselves.

    ``exact`` holds entries without networks; ``ranges`` the others, and whether they count as in the set or
    out of it. ``members`` are those of a ``list:set``. A ``bitmap:port`` has no protocols. ``unknown``
    entries are of a kind that is not understood: nothing is said of them.
    """

    name: str
    kinds: tuple[str, ...]
    family: Family
    has_protocols: bool = True
    exact: set[tuple[object, ...]] = msgspec.field(default_factory=set)
    ranges: list[tuple[tuple[object, ...], bool]] = msgspec.field(default_factory=list)
    members: list[str] = msgspec.field(default_factory=list)
    unknown: list[str] = msgspec.field(default_factory=list)

    def add(self, entry: str) -> None:
        """Add an entry as ipset prints it; its options may follow it."""
        text, _, options = entry.strip().partition(" ")
        if self.kinds == ("set",):
            self.members.append(text)
            return
        try:
            parts, plain = _parts(text, self.kinds, self.family)
        except ValueError:
            self.unknown.append(text)
            return
        if plain and "nomatch" not in options.split():
            self.exact.add(parts)
        else:
            self.ranges.append((parts, "nomatch" not in options.split()))

    def holds(self, asked: Sequence[object]) -> bool | None:
        """Whether an entry is that of these values, one for each of ``kinds``; None where that is not known.

        An address is a number, a port ``(protocol, number)``, a device its name, a mark a number.
        """
        if any(value is None for value in asked):
            return None
        if tuple(asked) in self.exact:
            return True
        bits = BITS[self.family]
        best: tuple[int, bool] | None = None
        for parts, matches in self.ranges:
            length = _fits(parts, asked, bits)
            if length is not None and (best is None or length > best[0]):
                best = (length, matches)
        if best is not None:
            return best[1]
        return None if self.unknown else False


def _fits(parts: Sequence[object], asked: Sequence[object], bits: int) -> int | None:
    """How long the prefixes of an entry are that holds the values; None where it does not hold them."""
    total = 0
    for part, value in zip(parts, asked, strict=True):
        if isinstance(part, _Net):
            assert isinstance(value, int)
            if not part.first <= value <= part.last:
                return None
            total += bits - (part.last - part.first).bit_length()
        elif isinstance(part, _Ports):
            if (
                not isinstance(value, tuple)
                or value[0] != part.protocol
                or not part.first <= value[1] <= part.last
            ):
                return None
        elif part != value:
            return None
    return total


class _Net(msgspec.Struct, frozen=True):
    first: int
    last: int


class _Ports(msgspec.Struct, frozen=True):
    protocol: int
    first: int
    last: int


ANY_PROTOCOL = -1
"""The protocol of an entry of ``bitmap:port``, which has none."""


def _parts(text: str, kinds: Sequence[str], family: Family) -> tuple[tuple[object, ...], bool]:
    """The values of an entry, and whether none of them is a range."""
    pieces = text.split(",")
    if len(pieces) != len(kinds):
        raise ValueError(text)
    found: list[object] = []
    plain = True
    for kind, piece in zip(kinds, pieces, strict=True):
        part: object
        match kind:
            case "ip" | "net":
                part = _addresses(piece, family)
            case "port":
                part = _ports(piece)
            case "mark":
                part = int(piece, 0)
            case "mac":
                part = piece.lower()
            case "iface":
                part = piece.removeprefix("physdev:")
            case _:
                raise ValueError(kind)
        plain = plain and not isinstance(part, _Net | _Ports)
        found.append(part)
    return tuple(found), plain


def _addresses(text: str, family: Family) -> int | _Net:
    first, dash, last = text.partition("-")
    if dash:
        return _Net(number(first), number(last))
    ip, slash, length = text.partition("/")
    value = number(ip)
    bits = BITS[family]
    if not slash or int(length) == bits:
        return value
    low = value >> (bits - int(length)) << (bits - int(length))
    return _Net(low, low | (1 << bits - int(length)) - 1)


def _ports(text: str) -> tuple[int, int] | _Ports:
    protocol, colon, ports = text.rpartition(":")
    known = ANY_PROTOCOL if not colon else NUMBERS.get(protocol.lower())
    if known is None:
        known = int(protocol)
    first, dash, last = ports.partition("-")
    if dash:
        return _Ports(known, int(first), int(last))
    return (known, int(first))


def _made(name: str, kind: str, family: Family) -> Ipset:
    if kind == "list:set":
        return Ipset(name, ("set",), family)
    return Ipset(name, tuple(kind.partition(":")[2].split(",")), family, kind != "bitmap:port")


def read(text: str) -> dict[str, Ipset]:
    """All sets of a listing. Raises SetError for text that is none."""
    sets: dict[str, Ipset] = {}
    lines = text.splitlines()
    for name, kind, family in _heads(lines):
        sets[name] = _made(name, kind, family)
    current: Ipset | None = None
    in_members = False
    for number_of_line, line in enumerate(lines, 1):
        if line.startswith("add "):
            _, name, entry = line.split(" ", 2)
            if name not in sets:
                raise SetError(f"line {number_of_line}: no set {name!r} was created")
            sets[name].add(entry)
        elif line.startswith("Name: "):
            current, in_members = sets.get(line[6:].strip()), False
        elif line.startswith("Members:"):
            in_members = True
        elif in_members and current is not None and line.strip():
            current.add(line)
    return sets


def _heads(lines: Iterable[str]) -> Iterator[tuple[str, str, Family]]:
    """Name, type and family of every set."""
    name = kind = ""
    for line in lines:
        words = line.split()
        if line.startswith("create ") and len(words) >= 3:
            yield words[1], words[2], "IPv6" if "inet6" in words else "IPv4"
        elif line.startswith("Name: "):
            name = line[6:].strip()
        elif line.startswith("Type: "):
            kind = line[6:].strip()
        elif line.startswith("Header: "):
            yield name, kind, "IPv6" if "inet6" in words else "IPv4"


def of_entries(entries: Mapping[str, Sequence[str]], types: Mapping[str, str]) -> dict[str, Ipset]:
    """Sets from their entries and their types (``hash:ip,port inet``), as recorded cases hold them."""
    sets = {}
    for name, members in entries.items():
        kind, _, family = types.get(name, "unknown").partition(" ")
        found = sets[name] = _made(name, kind, "IPv6" if family == "inet6" else "IPv4")
        for member in members:
            found.add(member)
    return sets
