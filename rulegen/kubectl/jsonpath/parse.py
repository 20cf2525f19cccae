"""Templates read into nodes."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec


class PathError(ValueError):
    """A template that cannot be read or filled in, in the words of kubectl's library."""


class Text(msgspec.Struct, frozen=True):
    text: str


class Name(msgspec.Struct, frozen=True):
    """``range`` or ``end``; any other is an error when it is reached."""

    name: str


class Field(msgspec.Struct, frozen=True):
    name: str


class Slice(msgspec.Struct, frozen=True):
    """``[start:end:step]``; for a single index, ``end`` is the one after it and ``derived``."""

    start: int | None
    end: int | None
    step: int | None
    derived: bool = False


class Filter(msgspec.Struct, frozen=True):
    left: Nodes
    right: Nodes
    operator: str


class Value(msgspec.Struct, frozen=True):
    value: int | float | bool


class Union(msgspec.Struct, frozen=True):
    parts: tuple[Nodes, ...]


class Step(msgspec.Struct, frozen=True):
    """``*``, or ``..`` which descends."""

    kind: Literal["*", ".."]


class Action(msgspec.Struct, frozen=True):
    """What is between braces."""

    nodes: Nodes


Node: TypeAlias = Text | Name | Field | Slice | Filter | Value | Union | Step | Action
Nodes: TypeAlias = tuple[Node, ...]

_QUOTED_KEY = re.compile(r"'([^']*)'")
_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?", re.ASCII)
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?[\d.]*")
_RELAXED = re.compile(r"\{\.?([^{}]+)\}|\.?([^{}]+)")
_TERMINATORS = " \t\r\n.,[]$@{}"
_UNQUOTED = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)


def relaxed(path: str) -> str:
    """A path in braces: ``metadata.name``, ``.metadata.name`` and ``{metadata.name}`` are as good."""
    if not path:
        return path
    found = _RELAXED.fullmatch(path)
    if found is None:
        raise PathError(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or"
            " '{.name1.name2}'"
        )
    return f"{{.{found.group(1) or found.group(2)}}}"


def parse(template: str) -> Nodes:
    """The nodes of a template: texts and actions."""
    return _Parser(template).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> Nodes:
        nodes: list[Node] = []
        while self._at < len(self._text):
            opening = self._text.find("{", self._at)
            end = len(self._text) if opening < 0 else opening
            if end > self._at:
                nodes.append(Text(self._text[self._at : end]))
            self._at = end
            if opening >= 0:
                self._at += 1
                nodes.append(Action(self._action()))
        return tuple(nodes)

    def _action(self) -> Nodes:
        nodes: list[Node] = []
        text = self._text
        while True:
            here = text[self._at : self._at + 1]
            if here == "}":
                self._at += 1
                return tuple(nodes)
            if text.startswith("[?(", self._at):
                nodes.append(self._filter())
            elif text.startswith("..", self._at):
                if nodes and nodes[-1] == Step(".."):
                    raise PathError("invalid multiple recursive descent")
                nodes.append(Step(".."))
                self._at += 2
                if _alphanumeric(text[self._at : self._at + 1]):
                    nodes.append(self._field())
            elif not here or here in "\r\n":
                raise PathError("unclosed action")
            elif here in " @$":
                self._at += 1
            elif here == "[":
                nodes.extend(self._array())
            elif here in "\"'":
                nodes.append(Text(self._quoted(here)))
            elif here == ".":
                self._at += 1
                nodes.append(self._field())
            elif here in "+-" or here.isdigit():
                nodes.append(self._number())
            elif _alphanumeric(here):
                nodes.append(self._name())
            else:
                raise PathError(f"unrecognized character in action: U+{ord(here):04X} '{here}'")

    def _word(self) -> str:
        """Up to what ends a name; a backslash keeps what would."""
        start = self._at
        text = self._text
        while self._at < len(text):
            if text[self._at] == "\\":
                self._at += 2
            elif text[self._at] in _TERMINATORS:
                break
            else:
                self._at += 1
        return text[start : self._at]

    def _field(self) -> Node:
        name = self._word()
        return Step("*") if name == "*" else Field(name.replace("\\", ""))

    def _name(self) -> Node:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in _TERMINATORS:
            self._at += 1
        name = self._text[start : self._at]
        return Value(name == "true") if name in ("true", "false") else Name(name)

    def _number(self) -> Node:
        found = _NUMBER.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        number = found.group()
        try:
            return Value(int(number) if "." not in number else float(number))
        except ValueError:
            raise PathError(f"cannot parse number {number}") from None

    def _quoted(self, quote: str) -> str:
        start = self._at
        at = start + 1
        while True:
            here = self._text[at : at + 1]
            if not here or here == "\n":
                raise PathError("unterminated quoted string")
            at += 1
            if here == quote and self._text[at - 2] != "\\":
                break
        self._at = at
        inner = self._text[start + 1 : at - 1]
        try:
            return _ESCAPE.sub(_unescape, inner)
        except ValueError:
            fault = f"unquote string {quote}{inner}{quote} error invalid syntax"
            raise PathError(fault) from None

    def _array(self) -> Nodes:
        end = self._text.find("]", self._at)
        inner = self._text[self._at + 1 : end]
        if end < 0 or "\n" in inner:
            raise PathError("unterminated array")
        self._at = end + 1
        return _subscript(":" if inner == "*" else inner)

    def _filter(self) -> Node:
        start = self._at = self._at + 3
        quote = ""
        closed = False
        while True:
            here = self._text[self._at : self._at + 1]
            if not here or here == "\n":
                raise PathError("unterminated filter")
            self._at += 1
            if here in "\"'":
                if not quote:
                    quote = here
                elif self._text[self._at - 2] != "\\" and here == quote:
                    closed = True
            elif here == ")" and bool(quote) == closed:
                break
        if self._text[self._at : self._at + 1] != "]":
            raise PathError("unclosed array expect ]")
        inner = self._text[start : self._at - 1]
        self._at += 1
        comparison = _COMPARISON.fullmatch(inner)
        if comparison is None:
            return Filter(_inside(inner), (), "exists")
        left, operator, right = comparison.groups()
        return Filter(_inside(left), _inside(right), operator)


def _inside(text: str) -> Nodes:
    """The nodes of an action."""
    first = _Parser(f"{{{text}}}").parse()[0]
    assert isinstance(first, Action)
    return first.nodes


def _subscript(text: str) -> Nodes:
    parts = text.split(",")
    if len(parts) > 1:
        return (Union(tuple(_inside(f"[{part.strip(' ')}]") for part in parts)),)
    key = _QUOTED_KEY.fullmatch(text)
    if key is not None:
        return _inside(f".{key.group(1)}")
    found = _SLICE.fullmatch(text)
    if found is None:
        raise PathError(f"invalid array index {text}")
    start, end, step = found.groups()
    first = _index(start)
    if not end:
        return (Slice(first, (first or 0) + 1, _index((step or ":")[1:]), derived=True),)
    return (Slice(first, _index(end[1:]), _index((step or ":")[1:])),)


def _index(text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise PathError(f"array index {text} is not a number") from None


def _unescape(found: re.Match[str]) -> str:
    two, four, eight, octal, other = found.groups()
    if two or four or eight:
        return chr(int(two or four or eight, 16))
    if octal:
        return chr(int(octal, 8))
    if other not in _UNQUOTED:
        raise ValueError(other)
    return _UNQUOTED[other]


def _alphanumeric(character: str) -> bool:
    return character == "_" or character.isalpha() or character.isdigit()
