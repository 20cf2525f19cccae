"""Files of packets whose outcome is expected: their fields, and where in the text they stand.

- name: clients from outside reach both pods
  from: external
  to: 192.168.10.1:30651
  expect:
    - DNAT 10.10.0.232:80 50% masqueraded
    - DNAT 10.10.1.86:80 50% masqueraded
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import yaml

from rulegen.load.problems import LoadError, Problem

FIELDS = ("name", "from", "to", "protocol", "family", "interface", "state", "mode", "expect")
SEVERAL = frozenset({"mode", "expect"})
"""Fields that may hold a list."""

STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")


class Place(NamedTuple):
    """Where the expectations of a packet stand, or are to stand: characters ``start`` to ``end``.

    ``column`` is that of the packet's fields; ``flow`` says that they are in braces.
    """

    start: int
    end: int
    column: int
    flow: bool


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """A packet and what is expected of it, as it was written; None for what was not.

    ``number`` counts the packets of the file from 1, ``lines`` are those of its fields. ``place`` is None
    where the expectations are an alias of something elsewhere.
    """

    file: str
    number: int
    line: int
    lines: Mapping[str, int]
    source: str
    to: str
    name: str = ""
    protocol: str | None = None
    family: str | None = None
    interface: str | None = None
    state: str = "NEW"
    modes: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    place: Place | None = None

    def problem(self, field: str, message: str) -> Problem:
        """A fault of one field (of the whole packet for ``""``)."""
        return Problem(self.file, self.lines.get(field, self.line), self.title, field, message)

    @property
    def title(self) -> str:
        return f"packet {self.number} ({self.name})" if self.name else f"packet {self.number}"


def expected_packets(text: str, file: str, modes: Sequence[str]) -> list[Expected]:
    """The packets of a file; ``modes`` are those that its packets may name.

    Raises LoadError with everything that is wrong in it.
    """
    problems: list[Problem] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 0
        raise LoadError([Problem(file, line, "", "", f"no YAML: {error.problem or error}")]) from None
    except yaml.YAMLError as error:
        raise LoadError([Problem(file, 0, "", "", f"no YAML: {error}")]) from None
    if not isinstance(root, yaml.SequenceNode) or not root.value:
        line = root.start_mark.line + 1 if root is not None else 0
        message = "must be a list of packets, each with from, to and expect"
        raise LoadError([Problem(file, line, "", "", message)])
    packets = [
        found
        for number, node in enumerate(root.value, 1)
        if (found := _Packet(file, number, node, modes, problems).read()) is not None
    ]
    if problems:
        raise LoadError(problems)
    return packets


class _Packet:
    """One packet that is being read."""

    def __init__(
        self, file: str, number: int, node: yaml.Node, modes: Sequence[str], problems: list[Problem]
    ) -> None:
        self.file, self.number, self.node = file, number, node
        self.modes = modes
        self.problems = problems
        self.keys: dict[str, yaml.Node] = {}
        self.values: dict[str, yaml.Node] = {}

    def read(self) -> Expected | None:
        """The packet; None where something is wrong with it."""
        before = len(self.problems)
        if not isinstance(self.node, yaml.MappingNode):
            self._report(self.node, "", "must have the fields from, to and expect")
            return None
        for key, value in self.node.value:
            self._take(key, value)
        texts = {field: self._texts(field) for field in self.values}
        for field in ("from", "to"):
            if not texts.get(field):
                self._report(self.values.get(field, self.node), field, "Required value")
        for mode in texts.get("mode", ()):
            if mode not in self.modes:
                self._not_one_of("mode", mode, self.modes)
        for state in texts.get("state", ()):
            if state.upper() not in STATES:
                self._not_one_of("state", state, STATES)
        for family in texts.get("family", ()):
            if family not in ("IPv4", "IPv6"):
                self._not_one_of("family", family, ("IPv4", "IPv6"))
        if len(self.problems) > before:
            return None
        single: dict[str, Any] = {field: held[0] for field, held in texts.items() if held}
        return Expected(
            file=self.file,
            number=self.number,
            line=self.node.start_mark.line + 1,
            lines={field: key.start_mark.line + 1 for field, key in self.keys.items()},
            source=single["from"],
            to=single["to"],
            name=single.get("name", ""),
            protocol=single.get("protocol"),
            family=single.get("family"),
            interface=single.get("interface"),
            state=single.get("state", "NEW").upper(),
            modes=tuple(texts.get("mode", ())),
            expect=tuple(texts.get("expect", ())),
            place=self._place(),
        )

    def _report(self, node: yaml.Node, field: str, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(self.file, line, f"packet {self.number}", field, message))

    def _not_one_of(self, field: str, value: str, known: Sequence[str]) -> None:
        self._report(self.values[field], field, f'Invalid value: "{value}": must be {_either(known)}')

    def _take(self, key: yaml.Node, value: yaml.Node) -> None:
        field = key.value if isinstance(key, yaml.ScalarNode) else ""
        if field not in FIELDS:
            self._report(key, field, f'unknown field "{field}"; a packet has {", ".join(FIELDS)}')
        elif field in self.values:
            self._report(key, field, f'"{field}" is given twice')
        else:
            self.keys[field], self.values[field] = key, value

    def _texts(self, field: str) -> list[str]:
        """What a field holds, as text; nothing where it is empty."""
        node = self.values[field]
        if isinstance(node, yaml.SequenceNode) and field in SEVERAL:
            nodes = node.value
        else:
            nodes = [node]
        found = []
        for each in nodes:
            if not isinstance(each, yaml.ScalarNode):
                kind = "a text or a list of texts" if field in SEVERAL else "a text"
                self._report(each, field, f"Invalid value: must be {kind}")
            elif each.tag != "tag:yaml.org,2002:null" and each.value.strip():
                found.append(each.value.strip())
        return found

    def _place(self) -> Place | None:
        mapping = self.node
        assert isinstance(mapping, yaml.MappingNode)
        flow, column = bool(mapping.flow_style), mapping.start_mark.column
        if "expect" in self.values:
            start, node = self.keys["expect"].end_mark.index, self.values["expect"]
            if not start <= node.start_mark.index < mapping.end_mark.index:
                return None
            return Place(start, _end_of(node, start), column, flow)
        if flow:
            return Place(mapping.end_mark.index - 1, mapping.end_mark.index - 1, column, flow)
        last_key, last_value = mapping.value[-1]
        end = _end_of(last_value, last_key.end_mark.index)
        return Place(end, end, column, flow)


def _end_of(node: yaml.Node, before: int) -> int:
    """The character behind a value; a list's end is that of its last element, not the next token's start.

    An empty value stands nowhere: its place is behind the colon, which is one character after ``before``.
    """
    if isinstance(node, yaml.ScalarNode) and not node.value and node.style is None:
        return before + 1
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end_of(last[1] if isinstance(last, tuple) else last, before)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return int(node.end_mark.index) - 1
    return int(node.end_mark.index)


def _either(known: Sequence[str]) -> str:
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} or {known[-1]}"


def rewritten(text: str, changed: Sequence[tuple[Expected, Sequence[str]]]) -> str:
    """The text of a file with other expectations for some packets; all else stays as it is.

    The packets must have a place.
    """
    for packet, expectations in sorted(changed, key=lambda each: -each[0].number):
        place = packet.place
        assert place is not None
        added = "expect" not in packet.lines
        text = text[: place.start] + _written(place, expectations, added=added) + text[place.end :]
    return text


def _written(place: Place, expectations: Sequence[str], *, added: bool) -> str:
    if place.flow:
        quoted = ", ".join(f'"{each}"' for each in expectations)
        told = quoted if len(expectations) == 1 else f"[{quoted}]"
        return f", expect: {told}" if added else f": {told}"
    indent = "\n" + " " * place.column
    head = f"{indent}expect" if added else ""
    if len(expectations) == 1:
        return f"{head}: {expectations[0]}"
    return f"{head}:" + "".join(f"{indent}  - {each}" for each in expectations)
