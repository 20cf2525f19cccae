"""The ipsets of a kernel in memory: what it takes, and what it refuses, as ipset 7.17 on Linux 6 says it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

from rulegen.fake.entries import Kind
from rulegen.model import Family

MISSING = "The set with the given name does not exist"
_TAKEN = "Set cannot be created: set with the same name already exists"
_USED = "it is in use by"

References: TypeAlias = Callable[[str], int]
"""Set -> how many rules look into it."""


class Ipset(msgspec.Struct):
    """A set. ``entries`` are in their order, each with the options behind it (``nomatch``, a comment)."""

    name: str
    kind: Kind
    family: Family
    header: dict[str, str]
    entries: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def head(self) -> str:
        words = [f"{word} {value}".rstrip() for word, value in self.header.items()]
        return " ".join(words)

    @property
    def shape(self) -> tuple[object, ...]:
        """What has to be equal for ``create -exist`` to pass over it: not the family, of all things."""
        passing = ("family", "hashsize", "bucketsize", "initval")
        return (self.kind.name, *[(k, v) for k, v in self.header.items() if k not in passing])

    def listed(self) -> list[str]:
        """Its entries as they are printed."""
        names: list[str] = sorted(self.entries, key=int) if self.kind.parts == ("bit",) else [*self.entries]
        return [f"{name} {self.entries[name]}".rstrip() for name in names]


class Ipsets:
    """All sets, none at first. ``references`` tells how many rules look into a set.

    What the kernel chooses is made up: ``initval`` follows from the name, sets take no memory, and a
    ``hashsize`` does not grow.
    """

    def __init__(self, references: References = lambda name: 0) -> None:
        self._names: dict[str, Ipset] = {}
        self._places: list[str | None] = []
        self._references = references

    def copy(self, references: References) -> Ipsets:
        """The same sets again, for another kernel."""
        other = Ipsets(references)
        other._places = [*self._places]
        other._names = {
            name: msgspec.structs.replace(each, entries=dict(each.entries))
            for name, each in self._names.items()
        }
        return other

    def __iter__(self) -> Iterator[Ipset]:
        """All sets in the order in which they are listed: lists of sets come last."""
        found = [self._names[name] for name in self._places if name is not None]
        return iter(sorted(found, key=lambda each: each.kind.name == "list:set"))

    def find(self, name: str) -> Ipset | None:
        return self._names.get(name)

    def create(self, made: Ipset, *, exist: bool) -> None:
        present = self.find(made.name)
        if present is not None:
            if not exist or present.shape != made.shape:
                raise ValueError(_TAKEN)
            return
        self._names[made.name] = made
        if None in self._places:
            self._places[self._places.index(None)] = made.name
        else:
            self._places.append(made.name)

    def destroy(self, name: str | None, *, exist: bool = False) -> None:
        if name is not None and exist and self.find(name) is None:
            return
        chosen = [self._found(name).name] if name is not None else [*self._names]
        for each in chosen:
            if self.uses(each):
                raise ValueError(f"Set cannot be destroyed: {_USED} a kernel component")
        for each in chosen:
            self._places[self._places.index(each)] = None
            del self._names[each]

    def flush(self, name: str | None) -> None:
        for each in self if name is None else [self._found(name)]:
            each.entries.clear()

    def rename(self, name: str, new: str) -> None:
        found = self._found(name)
        if self.uses(name):
            raise ValueError(f"Set cannot be renamed: {_USED} another system")
        if new in self._names:
            raise ValueError("Set cannot be renamed: a set with the new name already exists")
        found.name = new
        self._names[new] = self._names.pop(name)
        self._places[self._places.index(name)] = new

    def swap(self, name: str, other: str) -> None:
        """What is in one set is in the other one by then; who looks into a set by its name sees that."""
        first = self._found(name)
        second = self._found(other, "Sets cannot be swapped: the second set does not exist")
        if (first.kind, first.family) != (second.kind, second.family):
            raise ValueError("The sets cannot be swapped: their type does not match")
        first.name, second.name = other, name
        self._names[name], self._names[other] = second, first

    def uses(self, name: str) -> int:
        """How many rules and lists of sets know a set."""
        lists = [each for each in self._names.values() if each.kind.name == "list:set"]
        return sum(name in each.entries for each in lists) + self._references(name)

    def change(self, found: Ipset, command: str, entry: str, options: str, *, exist: bool) -> None:
        """Add or delete one entry, which is in the form in which it is listed."""
        fault = self._unfit(found, entry)
        if "comment " in options and "comment" not in found.header:
            fault = "Comment cannot be used: set was created without comment support"
        if fault:
            raise ValueError(fault)
        if command == "del":
            if entry not in found.entries and not exist:
                raise ValueError("Element cannot be deleted from the set: it's not added")
            found.entries.pop(entry, None)
            return
        if entry in found.entries:
            if not exist:
                raise ValueError("Element cannot be added to the set: it's already added")
        elif found.kind.hashes and len(found.entries) >= int(found.header["maxelem"]):
            raise ValueError("Hash is full, cannot add more elements")
        found.entries[entry] = options

    def _unfit(self, found: Ipset, entry: str) -> str:
        """Why the kernel does not take an entry, whether it is there or not."""
        kind = found.kind.name
        if kind == "bitmap:port":
            low, high = map(int, found.header["range"].split("-"))
            return "" if low <= int(entry) <= high else "Element is out of the range of the set"
        if kind == "list:set":
            inner = self.find(entry)
            if inner is None:
                return "Set to be added/deleted/tested as element does not exist."
            lists = inner.kind.name == "list:set"
            return "Sets with list:set type cannot be added to the set." if lists else ""
        if any(part.endswith("/0") for part in entry.split(",")):
            return "The value of the CIDR parameter of the IP address is invalid"
        if entry.partition(",")[0] in ("0.0.0.0", "::"):
            if kind == "hash:ip":
                return "Null-valued element, cannot be stored in a hash type of set"
            if kind == "hash:ip,port":
                return "Kernel error received: Invalid argument"
        return ""

    def _found(self, name: str, fault: str = MISSING) -> Ipset:
        found = self.find(name)
        if found is None:
            raise ValueError(fault)
        return found
