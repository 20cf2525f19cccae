"""ipset(8) in front of the sets in memory: commands and ``ipset restore`` in, ``save`` and ``list`` out.

As with the real tool, a text for ``ipset restore`` is not taken as a whole: what stands before the line that
is refused has taken place. But lines that add to (or delete from) one set go to the kernel together, and are
lost where the tool itself cannot read the next one. (The real tool sends some when it has thousands.)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

import msgspec

from rulegen.fake.entries import KINDS, Kind, SyntaxFaultError, expanded, number, span, split
from rulegen.fake.ipset import MISSING, Ipset, Ipsets

LONGEST_NAME = 31
EXIST = ("-exist", "-!", "--exist")

_COMMANDS = {
    "create": "create", "n": "create", "-N": "create", "--create": "create",
    "add": "add", "-A": "add", "--add": "add",
    "del": "del", "-D": "del", "--del": "del",
    "test": "test", "-T": "test", "--test": "test",
    "destroy": "destroy", "x": "destroy", "-X": "destroy", "--destroy": "destroy",
    "flush": "flush", "-F": "flush", "--flush": "flush",
    "rename": "rename", "e": "rename", "-E": "rename", "--rename": "rename",
    "swap": "swap", "w": "swap", "-W": "swap", "--swap": "swap",
    "list": "list", "-L": "list", "--list": "list",
    "save": "save", "-S": "save", "--save": "save",
}  # fmt: skip
_NEEDED = {"create": 2, "add": 2, "del": 2, "test": 2, "rename": 2, "swap": 2}
"""Command -> how many words have to follow it."""


def run(sets: Ipsets, words: list[str]) -> str:
    """One command, without the word ``ipset`` before it; what it prints. Raises ValueError."""
    return _Session(sets, restoring=False).run(words)


def restore(sets: Ipsets, text: str, *, exist: bool = False) -> str:
    """``ipset restore``; what it prints. Raises LineError."""
    session = _Session(sets, restoring=True, exist=exist)
    said = []
    for line_number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip()[0] == "#":
            continue
        if line.strip() == "COMMIT":
            session.commit()
            continue
        session.line = line_number
        try:
            said.append(session.run(split(line)))
        except LineError:
            raise
        except ValueError as fault:
            raise LineError(line_number, str(fault)) from None
    session.commit()
    return "".join(said)


class LineError(ValueError):
    """A line of a text that is refused."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line


class _Batch(msgspec.Struct):
    """Lines that go to the kernel together: they add to one set, or delete from it."""

    command: str
    set: Ipset
    exist: bool
    changes: list[tuple[int, Iterator[str], str]] = msgspec.field(default_factory=list)


class _Session:
    """One run of the tool."""

    def __init__(self, sets: Ipsets, *, restoring: bool, exist: bool = False) -> None:
        self.sets = sets
        self.restoring = restoring
        self.exist = exist
        self.line = 1
        self.batch: _Batch | None = None

    def run(self, words: list[str]) -> str:
        """Read a command as the tool does, then have the kernel carry it out."""
        # Once given, -exist is in force for all lines that follow.
        exist = [word for word in words if word in EXIST]
        words = [word for word in words if word not in exist]
        self.exist = self.exist or bool(exist)
        if not words:
            raise ValueError("No command specified.")
        command = _COMMANDS.get(words[0])
        if command is None:
            if words[0] in ("restore", "-R") and self.restoring:
                raise ValueError("Command `restore' is invalid in restore mode.")
            raise ValueError(f"No command specified: unknown argument {words[0]}")
        arguments = words[1:]
        for count, place in ((0, "Missing mandatory"), (1, "Missing second mandatory")):
            if len(arguments) == count and _NEEDED.get(command, 0) > count:
                raise ValueError(f"{place} argument to command {command}")
        if command in ("add", "del", "test"):
            return self._entry(command, arguments[0], arguments[1], arguments[2:])
        if command == "create":
            made = _made(arguments[0], arguments[1], arguments[2:])
            self.commit()
            self.sets.create(made, exist=self.exist)
            return ""
        return self._whole(command, arguments)

    def _whole(self, command: str, arguments: list[str]) -> str:
        most = {"rename": 2, "swap": 2, "flush": 1, "destroy": 1}.get(command)
        if most is not None and len(arguments) > most:
            raise ValueError(f"Unknown argument {arguments[most]}")
        name = arguments[0] if arguments else None
        self.commit()
        match command:
            case "destroy":
                self.sets.destroy(name, exist=self.exist)
            case "flush":
                self.sets.flush(name)
            case "rename":
                self.sets.rename(*arguments)
            case "swap":
                self.sets.swap(*arguments)
            case _:
                return _printed(self.sets, command, arguments)
        return ""

    def _entry(self, command: str, name: str, text: str, options: list[str]) -> str:
        found = self.sets.find(name)
        if found is None:
            raise ValueError(MISSING)
        entries = expanded(found.kind, found.family, text)
        said = _options(found, command, options)
        if command == "test":
            entry = next(entries)
            if entry not in found.entries:
                raise ValueError(f"{entry} is NOT in set {name}.")
            return ""
        if self.batch is not None and (self.batch.command, self.batch.set.name) != (command, name):
            self.commit()
        if self.batch is None:
            self.batch = _Batch(command, found, self.exist)
        self.batch.changes.append((self.line, entries, said))
        if not self.restoring:
            self.commit()
        return ""

    def commit(self) -> None:
        """Send what waits to the kernel. Raises LineError."""
        batch, self.batch = self.batch, None
        if batch is None:
            return
        for line, entries, options in batch.changes:
            for entry in entries:
                try:
                    self.sets.change(batch.set, batch.command, entry, options, exist=batch.exist)
                except ValueError as fault:
                    raise LineError(line, str(fault)) from None


def _options(found: Ipset, command: str, words: list[str]) -> str:
    """The options behind an entry, as they are listed. Raises SyntaxFaultError."""
    said = []
    rest = iter(words)
    for word in rest:
        if word == "nomatch" and "net" in found.kind.parts and command != "del":
            said.append("nomatch")
        elif word == "comment" and command == "add":
            said.append(f'comment "{next(rest, "")}"')
        elif word == "timeout" and command == "add":
            raise SyntaxFaultError("Timeout cannot be used: set was created without timeout support")
        else:
            raise SyntaxFaultError(f"Unknown argument: `{word}'")
    return " ".join(said)


def _made(name: str, type_: str, words: list[str]) -> Ipset:
    """The set that ``create`` asks for. Raises SyntaxFaultError."""
    if len(name) > LONGEST_NAME:
        raise SyntaxFaultError(f"Syntax error: setname '{name}' is longer than {LONGEST_NAME} characters")
    kind = KINDS.get(type_)
    if kind is None:
        raise SyntaxFaultError(f"Syntax error: typename '{type_}' is unknown")
    told = _told(kind, words)
    if not kind.hashes:
        if kind.name == "list:set":
            return Ipset(name, kind, "IPv4", {"size": str(max(4, number(told.get("size", "8"))))})
        if "range" not in told:
            raise SyntaxFaultError("Mandatory option `range' is missing")
        low, high = span(told["range"])
        return Ipset(name, kind, "IPv4", {"range": f"{low}-{high}"})
    family = told.get("family", "inet")
    if family not in ("inet", "inet6"):
        raise SyntaxFaultError(f"Syntax error: unknown inet family {family}")
    buckets = min(max(number(told.get("bucketsize", "12"), 255), 2), 14)
    initial = number(told.get("initval", hex(zlib.crc32(name.encode()))))
    header = {
        "family": family,
        "hashsize": str(max(64, 1 << (number(told.get("hashsize", "1024")) - 1).bit_length())),
        "maxelem": str(number(told.get("maxelem", "65536"))),
        **({"comment": ""} if "comment" in told else {}),
        "bucketsize": str(buckets + buckets % 2),
        "initval": f"0x{initial:08x}",
    }
    return Ipset(name, kind, "IPv6" if family == "inet6" else "IPv4", header)


_HASH = ("family", "hashsize", "maxelem", "bucketsize", "initval", "comment")
_TAKES: Mapping[str, tuple[str, ...]] = {"bitmap:port": ("range",), "list:set": ("size",)}


def _told(kind: Kind, words: list[str]) -> dict[str, str]:
    """The options of ``create``, by name."""
    told = {}
    rest = iter(words)
    for word in rest:
        if word not in _TAKES.get(kind.name, _HASH):
            raise SyntaxFaultError(f"Unknown argument: `{word}'")
        value = "" if word == "comment" else next(rest, None)
        if value is None:
            raise SyntaxFaultError(f"Missing mandatory argument of option `{word}'")
        told[word] = value
    return told


def _printed(sets: Ipsets, command: str, words: list[str]) -> str:
    """What ``save`` and ``list`` print."""
    rest = iter(words)
    names = []
    terse = headless = False
    form = "save" if command == "save" else "plain"
    for word in rest:
        if word in ("-t", "-terse"):
            terse = True
        elif word in ("-n", "-name"):
            headless = True
        elif word in ("-o", "-output"):
            form = next(rest, form)
        elif word.startswith("-"):
            raise ValueError(f"Unknown argument {word}")
        else:
            names.append(word)
    chosen = [*sets]
    for name in names:
        if sets.find(name) is None:
            raise ValueError(MISSING)
        chosen = [each for each in chosen if each.name == name]
    if headless:
        return "".join([f"{each.name}\n" for each in chosen])
    if form == "save":
        return "".join([line for each in chosen for line in _saved(each)])
    return "\n".join([_listed(each, sets.uses(each.name), terse=terse) for each in chosen])


def _saved(found: Ipset) -> Iterator[str]:
    yield f"create {found.name} {found.kind.name} {found.head}\n"
    for entry in found.listed():
        yield f"add {found.name} {entry}\n"


def _listed(found: Ipset, references: int, *, terse: bool) -> str:
    head = (
        f"Name: {found.name}\nType: {found.kind.name}\nRevision: {found.kind.revision}\n"
        f"Header: {found.head}\nSize in memory: 0\nReferences: {references}\n"
        f"Number of entries: {len(found.entries)}\n"
    )
    if terse:
        return head
    return head + "Members:\n" + "".join([f"{entry}\n" for entry in found.listed()])
