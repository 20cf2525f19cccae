"""JSON texts: one value or several in a row, cut into objects without decoding what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isinf
from typing import Any, TypeAlias

import msgspec

from rulegen.load.places import Place, json_place
from rulegen.load.yamltext import DEEPEST

Text: TypeAlias = bytes | msgspec.Raw

_TELLING = 4096
_KEY = re.compile(rb'"items"\s*:\s*')
_OPENED = re.compile(rb"\[\s*")
_CLOSED = re.compile(rb"\s*\]")
_SPACE = b" \t\r\n"
_BETWEEN = re.compile(rb"[\s,]*")
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_BLANK = re.compile(rb"[ \t\r\n]*")
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_EXPONENT = re.compile(rb"-?\d+(?:\.\d+)?[eE][+-]?\d+")
_BYTE = re.compile(r" \(byte (\d+)\)$")


class JsonError(Exception):
    """A text that is no JSON. ``line`` counts from 0 in the text given."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Envelope(msgspec.Struct, rename="camel"):
    """What tells a list of objects from an object, and one object from another.

    ``items`` are views into the text: one of whatever it is where it is no list, None where it is not there.
    """

    kind: Any = None
    api_version: Any = None
    items: list[msgspec.Raw] | msgspec.Raw | None = None


class _OfList(msgspec.Struct, rename="camel"):
    kind: Any = None
    api_version: Any = None
    items: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _OfAny(msgspec.Struct, rename="camel"):
    kind: Any = None
    api_version: Any = None
    items: msgspec.Raw = msgspec.Raw(b"")


_OF_LIST = msgspec.json.Decoder(_OfList)
_OF_ANY = msgspec.json.Decoder(_OfAny)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def values(text: bytes) -> Iterator[tuple[int, bytes, Envelope | None]]:
    """Each JSON value of a text, the line where it begins, from 0, and its envelope if that is known.

    What is no JSON is found out when the value is decoded; it is not cut any further.
    """
    if text.startswith(b"{"):
        # Most texts are one object, and to find where a large one ends takes as long as to look into it.
        try:
            found = envelope(text)
        except JsonError:
            pass
        else:
            yield 0, text, found
            return
    position = line = 0
    while True:
        space = _BLANK.match(text, position)
        start = space.end() if space else position
        line += text.count(b"\n", position, start)
        if start == len(text):
            return
        position = _end_of_value(text, start)
        yield line, text[start:position], None
        line += text.count(b"\n", start, position)


def _end_of_value(text: bytes, start: int) -> int:
    """Where the value ends that begins here: msgspec tells where it found more than one."""
    try:
        _SKIM.decode(memoryview(text)[start:])
    except (msgspec.MsgspecError, RecursionError) as error:
        trailing = _TRAILING.search(str(error))
        if trailing:
            return start + int(trailing[1]) - 1
    return len(text)


_SKIM = msgspec.json.Decoder(msgspec.Raw)


def envelope(value: Text) -> Envelope:
    """Kind and version of an object, and its elements, in one look. Raises :class:`JsonError`."""
    try:
        try:
            whole = _OF_LIST.decode(value)
        except msgspec.ValidationError:
            other = _OF_ANY.decode(value)
            # Of equal keys the last one counts: it may be a list although the first one is none.
            is_list = bytes(memoryview(other.items)[:1]) == b"["
            items = _ELEMENTS.decode(other.items) if is_list else other.items
            return Envelope(other.kind, other.api_version, items)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise json_error(value, error) from None
    elements = whole.items
    return Envelope(whole.kind, whole.api_version, None if elements is msgspec.UNSET else elements)


def elements(value: bytes) -> list[msgspec.Raw]:
    """The elements of a list that is a text of its own. Raises :class:`JsonError`."""
    try:
        return _ELEMENTS.decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise json_error(value, error) from None


def with_lines(whole: bytes, found: list[msgspec.Raw], line: int) -> Iterator[tuple[int, msgspec.Raw]]:
    """The elements of a list, be it the whole text, each with its line; ``line`` is that of the text.

    The elements are views: nothing is copied out of the text.
    """
    counted = 0
    position = 1 if whole.startswith(b"[") else _start_of_elements(whole, found)
    for element in found:
        between = _BETWEEN.match(whole, position)
        start = between.end() if between else position
        line += whole.count(b"\n", counted, start)
        counted = start
        position = start + memoryview(element).nbytes
        yield line, element


def start_of(whole: bytes, part: msgspec.Raw) -> int:
    """Where ``items`` that are no list stand in the text out of which they were decoded."""
    for key in _KEY.finditer(whole):
        if _stands_at(whole, key.end(), part):
            return key.end()
    return 0


def _start_of_elements(whole: bytes, found: list[msgspec.Raw]) -> int:
    """Where the first of these elements stands, told by how the first two begin."""
    for key in _KEY.finditer(whole) if found else ():
        opened = _OPENED.match(whole, key.end())
        if opened and _stand_at(whole, opened.end(), found):
            return opened.end()
    # The key may be written with escapes.
    return max(whole.find(_beginning(found[0])), 0) if found else 0


def _stand_at(whole: bytes, position: int, found: list[msgspec.Raw]) -> bool:
    for element in found[:2]:
        between = _BETWEEN.match(whole, position)
        position = between.end() if between else position
        if not _stands_at(whole, position, element):
            return False
        position += memoryview(element).nbytes
    return len(found) > 2 or _CLOSED.match(whole, position) is not None


def _stands_at(whole: bytes, position: int, part: msgspec.Raw) -> bool:
    return whole.startswith(_beginning(part), position)


def _beginning(part: msgspec.Raw) -> bytes:
    return bytes(memoryview(part)[:_TELLING])


def check_depth(value: Text) -> None:
    """Raises :class:`JsonError` for a value that is nested deeper than YAML may be."""
    text = bytes(memoryview(value))
    if text.count(b"{") + text.count(b"[") <= DEEPEST:
        return
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        word = bracket.group()
        if word in b"{[":
            depth += 1
            if depth > DEEPEST:
                line = text.count(b"\n", 0, bracket.start())
                raise JsonError(line, f"nested more than {DEEPEST} deep")
        elif word in b"}]":
            depth -= 1


def data(value: Text) -> Any:
    """A JSON value as plain data. Raises :class:`JsonError`."""
    check_depth(value)
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise json_error(value, error) from None


def json_error(text: Text, error: Exception) -> JsonError:
    """What msgspec says of a text that is no JSON, with the line that it means."""
    value = bytes(text)
    if isinstance(error, RecursionError):
        return JsonError(0, "nested too deep")
    if isinstance(error, UnicodeError):
        return JsonError(0, "a string is not valid UTF-8")
    message = str(error)
    found = _BYTE.search(message)
    if found:
        at = min(int(found[1]), len(value))
        return JsonError(value.count(b"\n", 0, at), message[: found.start()])
    if "truncated" in message:
        return JsonError(value.rstrip(_SPACE).count(b"\n"), "JSON is cut off: the text ends too early")
    if "out of range" in message:
        for number in _EXPONENT.finditer(value):
            if isinf(float(number[0])):
                return JsonError(
                    value.count(b"\n", 0, number.start()), f"number {number[0].decode()} is out of range"
                )
    return JsonError(0, message)


def repeats(value: Text) -> bool:
    """Whether an object may have a key twice: then it says more than what is left of it once it is read.

    Other spellings of the same text (escapes, exponents) look like a repetition too.
    """
    try:
        compact = msgspec.json.format(value, indent=-1)
        return len(msgspec.json.encode(msgspec.json.decode(value))) != len(compact)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return True


def place_of(value: Text) -> Place:
    return json_place(bytes(value).decode("utf-8", "replace"))
