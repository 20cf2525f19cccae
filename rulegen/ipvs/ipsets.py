"""Sets as ``ipset`` lists them: read from ``save`` or ``list``, written as ``save`` does (ipset(8))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from rulegen.plan.addresses import network, parse

_PASSING = frozenset({"hashsize", "bucketsize", "initval"})
"""What the kernel chooses, by size and by chance: two sets may differ in these and be the same."""

_SWITCHES = frozenset({"counters", "comment", "skbinfo", "forceadd"})


class ListingError(ValueError):
    """Text that ipset does not print; ``line`` counts from 1."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"line {line}: {fault}")
        self.line = line


class IpSet(msgspec.Struct, frozen=True):
    """A set: its type (``hash:ip,port``), its header (``family inet hashsize 1024 maxelem 65536``), entries.

    All as the text has it. An entry may have options behind it (``nomatch``, ``timeout 30``).
    """

    name: str
    type: str
    header: str = ""
    entries: tuple[str, ...] = ()

    @property
    def create(self) -> str:
        """The line that makes the set, without its end."""
        return f"create {self.name} {self.type} {self.header}".rstrip()

    @property
    def shape(self) -> tuple[str, ...]:
        """What makes two sets ones of a kind: the type, and the header without what the kernel chooses."""
        words = self.header.split()
        parts = []
        while words:
            word = words.pop(0)
            value = words.pop(0) if words and word not in _SWITCHES else ""
            if word not in _PASSING:
                parts.append(f"{word} {value}".rstrip())
        return (self.type, *sorted(parts))

    def lines(self) -> Iterator[str]:
        """What ``ipset save`` prints for it."""
        yield f"{self.create}\n"
        for entry in self.entries:
            yield f"add {self.name} {entry}\n"


def text(sets: Iterable[IpSet]) -> str:
    """In the form of ``ipset save``, for ``ipset restore``: the inverse of :func:`read`."""
    return "".join([line for each in sets for line in each.lines()])


def normal(entry: str) -> str:
    """An entry as the kernel prints it: addresses in short form, networks without host bits.

    A network of one address loses its length. Options behind the entry stay as they are.
    """
    if "/" not in entry and entry.count(":") < 2:
        return entry  # neither networks nor IPv6
    members, space, options = entry.partition(" ")
    return ",".join([_normal(member) for member in members.split(",")]) + space + options


def _normal(member: str) -> str:
    if "/" in member:
        net = network(member)
        if net is None:
            return member
        return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)
    address = parse(member) if ":" in member else None
    return str(address) if address is not None else member


def read(listing: str) -> list[IpSet]:
    """All sets of a listing, in its order. Raises ListingError."""
    start = listing.lstrip()
    return _of_list(listing) if start.startswith("Name:") else _of_save(listing)


def _of_save(listing: str) -> list[IpSet]:
    heads: dict[str, IpSet] = {}
    entries: dict[str, list[str]] = {}
    for number, line in enumerate(listing.splitlines(), 1):
        verb, _, rest = line.partition(" ")
        name, _, said = rest.partition(" ")
        if not line.strip() or line.startswith("#"):
            continue
        if verb == "create" and said:
            kind, _, header = said.partition(" ")
            heads[name] = IpSet(name, kind, header.strip())
            entries[name] = []
        elif verb == "add" and said and name in entries:
            entries[name].append(said.strip())
        else:
            raise ListingError(number, f"not a line of ipset save: {line!r}")
    return [msgspec.structs.replace(head, entries=tuple(entries[name])) for name, head in heads.items()]


def _of_list(listing: str) -> list[IpSet]:
    found: list[IpSet] = []
    told: dict[str, str] = {}
    members: list[str] | None = None

    def finished() -> None:
        if "Name" in told:
            found.append(
                IpSet(told["Name"], told.get("Type", ""), told.get("Header", ""), tuple(members or ()))
            )

    for number, line in enumerate(listing.splitlines(), 1):
        if not line.strip():
            continue
        what, colon, value = line.partition(": ")
        if what == "Name" and colon:
            finished()
            told, members = {"Name": value.strip()}, None
        elif members is not None:
            members.append(line.strip())
        elif line.rstrip() == "Members:":
            members = []
        elif colon and told:
            told[what] = value.strip()
        else:
            raise ListingError(number, f"not a line of ipset list: {line!r}")
    finished()
    return found
