"""Scripts for ``nft -f``, command by command: read from text, and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

VERBS = frozenset({"add", "create", "delete", "destroy", "flush", "insert"})
KINDS = frozenset({"table", "chain", "rule", "set", "map", "counter", "element", "ruleset"})


class ScriptError(ValueError):
    """A line that is no command; ``line`` counts from 1."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"line {line}: {fault}")
        self.line = line
        self.fault = fault


class Command(msgspec.Struct, frozen=True, gc=False):
    """``VERB KIND FAMILY TABLE NAME REST``.

    ``name`` is that of the chain, set, map or counter, empty for a table. ``rest`` is the rule, or what
    stands in braces and these, as it was written.
    """

    verb: str
    kind: str
    family: str = ""
    table: str = ""
    name: str = ""
    rest: str = ""

    @property
    def text(self) -> str:
        parts = (self.verb, self.kind, self.family, self.table, self.name, self.rest)
        return " ".join([part for part in parts if part])

    def properties(self) -> dict[str, str]:
        """What is told in braces: ``{ type ipv4_addr ; timeout 9s ; }``, quotation marks removed.

        The hook of a chain is under ``type``, from there to its end.
        """
        found: dict[str, str] = {}
        inside = self.rest.strip().removeprefix("{").removesuffix("}")
        for part in _statements(inside):
            what, _, value = part.partition(" ")
            found[what] = value.strip().strip('"')
        return found


def _statements(text: str) -> Iterator[str]:
    """Parts between semicolons, those in quotation marks aside."""
    part, quoted = "", False
    for char in text:
        if char == '"':
            quoted = not quoted
        if char == ";" and not quoted:
            if part.strip():
                yield part.strip()
            part = ""
        else:
            part += char
    if part.strip():
        yield part.strip()


def script(commands: Iterable[Command]) -> str:
    """One line each: the inverse of :func:`parse`."""
    return "".join([f"{command.text}\n" for command in commands])


def parse(text: str) -> list[tuple[int, Command]]:
    """The commands of a script, each with its line (from 1); comments and blank lines are left out.

    One command a line, the family always said, as kube-proxy and rulegen write them. Raises ScriptError for
    anything else, such as the blocks of a listing.
    """
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and stripped[0] != "#":
            found.append((number, _command(stripped, number)))
    return found


def _command(line: str, number: int) -> Command:
    verb, _, after = line.partition(" ")
    kind, _, after = after.lstrip().partition(" ")
    if verb not in VERBS or kind not in KINDS:
        raise ScriptError(number, f"no command: {line!r}")
    if kind == "ruleset":
        return Command(verb, kind, after.strip())
    family, _, after = after.lstrip().partition(" ")
    table, _, after = after.lstrip().partition(" ")
    name = ""
    if kind != "table":
        name, _, after = after.lstrip().partition(" ")
        if not name:
            raise ScriptError(number, f"a {kind} without a name: {line!r}")
    if not table:
        raise ScriptError(number, f"no family or no table: {line!r}")
    return Command(verb, kind, family, table, name, after.strip())
