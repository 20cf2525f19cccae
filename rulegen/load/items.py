"""From texts to single objects: encodings, YAML or JSON, documents, lists of objects."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

import msgspec

from rulegen.load import jsontext, yamltext
from rulegen.load.places import Place, line_of, yaml_places
from rulegen.load.problems import Problem
from rulegen.load.sources import Text

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR = re.compile(r"^---(.*)$", re.MULTILINE)
_LISTS_DEEP = 10
_TICK = 1 << 18

Tick = Callable[[int], None]
Report = Callable[..., None]


class Item(Protocol):
    """One object as it was written. ``line`` counts from 1, 0 where it is not known."""

    file: str
    order: int
    line: int
    kind: Any
    api_version: Any

    def typed(self, type_: type[Any]) -> Any:
        """The object decoded, or None where it does not fit the type."""

    def data(self) -> Any:
        """The object as plain data; it may be shared."""

    def line_of(self, path: str) -> int:
        """The line of a field given as the API server prints it, or of what is around it."""

    def text_line_of(self, path: tuple[str, ...]) -> int:
        """The first line of a text that is written as a literal block, 0 for another."""

    def repeated(self) -> list[tuple[str, int]]:
        """The paths of keys that come twice in one mapping, with the line where they come again."""


class JsonItem(msgspec.Struct):
    file: str
    order: int
    line: int
    kind: Any
    api_version: Any
    raw: jsontext.Text
    place: Place | None = None

    def typed(self, type_: type[Any]) -> Any:
        try:
            return _decoder(type_).decode(self.raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return None

    def data(self) -> Any:
        data = jsontext.data(self.raw)
        return _with_type(data, self.kind, self.api_version)

    def line_of(self, path: str) -> int:
        return self.line and line_of(self._place(), 0, path) + self.line

    def text_line_of(self, path: tuple[str, ...]) -> int:
        return 0

    def repeated(self) -> list[tuple[str, int]]:
        if not jsontext.repeats(self.raw):
            return []
        return [(path, line + self.line) for path, line in _repeated_in(self._place(), "")]

    def _place(self) -> Place:
        if self.place is None:
            self.place = jsontext.place_of(self.raw)
        return self.place


def _repeated_in(place: Place, path: str) -> Iterator[tuple[str, int]]:
    for key, line in place.repeated:
        yield _below(path, key), line
    for key, (_, part) in place.fields.items():
        yield from _repeated_in(part, _below(path, key))
    for index, (_, part) in enumerate(place.items):
        yield from _repeated_in(part, f"{path}[{index}]")


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def _decoder(type_: type[Any]) -> msgspec.json.Decoder[Any]:
    decoder = _DECODERS.get(type_)
    if decoder is None:
        decoder = _DECODERS[type_] = msgspec.json.Decoder(type_)
    return decoder


class Chunk:
    """A piece of YAML between two ``---``, the line and the character of the file where it begins.

    With ``exact`` false every part of it counts as standing on that line (a text inside of another).
    """

    def __init__(self, text: str, first: int, exact: bool = True, offset: int = 0) -> None:
        self.text = text
        self.first = first
        self.exact = exact
        self.offset = offset
        self.documents: dict[int, list[yamltext.Repeated]] = {}
        self._places: list[tuple[int, Place]] | None = None

    def line(self, line: int) -> int:
        return self.first + line if self.exact else self.first

    def places(self) -> list[tuple[int, Place]]:
        if self._places is None:
            self._places = yaml_places(self.text)
        return self._places


class YamlItem(msgspec.Struct):
    file: str
    order: int
    line: int
    kind: Any
    api_version: Any
    value: Any
    chunk: Chunk
    document: int
    path: tuple[str | int, ...] = ()

    def typed(self, type_: type[Any]) -> Any:
        try:
            return msgspec.convert(self.value, type_)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def data(self) -> Any:
        return _with_type(self.value, self.kind, self.api_version)

    def line_of(self, path: str) -> int:
        line, place = self._place()
        return self.chunk.line(line_of(place, line, path))

    def text_line_of(self, path: tuple[str, ...]) -> int:
        _, place = self._place()
        for key in path:
            if key not in place.fields:
                return 0
            place = place.fields[key][1]
        return self.chunk.line(place.text_line) if place.text_line >= 0 and self.chunk.exact else 0

    def repeated(self) -> list[tuple[str, int]]:
        length = len(self.path)
        return [
            (_printed(again.path[length:]), self.chunk.line(again.line))
            for again in self.chunk.documents[self.document]
            if again.path[:length] == self.path
        ]

    def _place(self) -> tuple[int, Place]:
        places = self.chunk.places()
        if self.document >= len(places):
            return max(self.line - self.chunk.first, 0), Place()
        line, place = places[self.document]
        for key in self.path:
            if isinstance(key, int):
                if key >= len(place.items):
                    break
                line, place = place.items[key]
            else:
                if key not in place.fields:
                    break
                line, place = place.fields[key]
        return line, place


def _printed(path: tuple[str | int, ...]) -> str:
    printed = ""
    for key in path:
        printed = f"{printed}[{key}]" if isinstance(key, int) else _below(printed, key)
    return printed


def _with_type(data: Any, kind: Any, api_version: Any) -> Any:
    """Elements of a ServiceList leave kind and version to the list."""
    if isinstance(data, dict) and ("kind" not in data or "apiVersion" not in data):
        return {"apiVersion": api_version, "kind": kind, **data}
    return data


def items_of(text: Text, order: int, problems: list[Problem], tick: Tick | None = None) -> Iterator[Item]:
    """The objects of one text; what is no object is added to ``problems``."""

    def report(line: int, message: str, field: str = "") -> None:
        problems.append(Problem(text.file, line if text.has_lines else 0, "", field, message))

    for item in _items_in(text, order, report, tick):
        if not text.has_lines:
            item.line = 0
        yield item


def _items_in(text: Text, order: int, report: Report, tick: Tick | None) -> Iterator[Item]:
    content = _utf8(text.content, report)
    if content is None:
        return
    if content.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        try:
            yield from _json_items(text.file, order, content, report)
            return
        except _NotJsonError as failure:
            try:
                chunk = Chunk(content.decode(), 1)
                found = list(yamltext.documents(chunk.text, tick))
            except yamltext.YamlError:
                report(failure.line, failure.message)
                return
            yield from _of_documents(text.file, order, chunk, found, report)
            return
    yield from _yaml_items(text.file, order, content.decode(), report, tick)


def _utf8(content: bytes, report: Report) -> bytes | None:
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            try:
                return content.decode(encoding).removeprefix("\ufeff").encode()
            except UnicodeError:
                report(0, f"is not valid {encoding.upper()}, which its byte order mark says it is")
                return None
    if content.startswith(b"\x1f\x8b"):
        report(0, "is compressed with gzip; unpack it first")
        return None
    nul = content.find(b"\0")
    if nul >= 0:
        report(content.count(b"\n", 0, nul) + 1, "is a binary file: it has a NUL byte")
        return None
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report(line, f"is not valid UTF-8: byte 0x{content[error.start]:02x}")
        return None
    return content


class _NotJsonError(Exception):
    """What begins like JSON and is none, though it may be YAML."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def _json_items(file: str, order: int, content: bytes, report: Report) -> Iterator[Item]:
    for number, (line, value) in enumerate(jsontext.values(content)):
        try:
            if value[:1] == b"[":
                yield from _json_list(file, order, line + 1, value, None, None, report, 0)
            else:
                yield from _json_value(file, order, line + 1, value, None, None, report, 0)
        except jsontext.JsonError as error:
            if number == 0:
                raise _NotJsonError(line + error.line + 1, error.message) from None
            report(line + error.line + 1, error.message)
            return


def _json_value(
    file: str,
    order: int,
    line: int,
    value: jsontext.Text,
    kind: Any,
    version: Any,
    report: Report,
    depth: int,
) -> Iterator[Item]:
    """``kind`` and ``version`` are those that the list around the value gives its elements."""
    if bytes(memoryview(value)[:1]) != b"{":
        jsontext.data(value)
        report(line, _NO_OBJECT)
        return
    envelope = jsontext.envelope(value)
    own_kind = kind if envelope.kind is None else envelope.kind
    own_version = version if envelope.api_version is None else envelope.api_version
    elements = bytes(memoryview(envelope.items))
    if not elements or not _is_list(own_kind) or depth == _LISTS_DEEP:
        yield JsonItem(file, order, line, own_kind, own_version, value)
        return
    whole = bytes(memoryview(value))
    before = whole.count(b"\n", 0, max(whole.find(elements), 0))
    if elements == b"null":
        return
    if elements[:1] != b"[":
        report(line + before, "Invalid value: must be a list of objects", "items")
        return
    inner = own_kind.removesuffix("List") or None
    inner_version = own_version if inner else None
    yield from _json_list(file, order, line + before, elements, inner, inner_version, report, depth + 1)


def _json_list(
    file: str,
    order: int,
    line: int,
    value: jsontext.Text,
    kind: Any,
    version: Any,
    report: Report,
    depth: int,
) -> Iterator[Item]:
    for item_line, element in jsontext.items(bytes(memoryview(value)), line):
        yield from _json_value(file, order, item_line, element, kind, version, report, depth)


_NO_OBJECT = "no Kubernetes object: an object is a mapping with apiVersion and kind"


def _is_list(kind: Any) -> bool:
    return isinstance(kind, str) and kind.endswith("List")


def _yaml_items(file: str, order: int, text: str, report: Report, tick: Tick | None) -> Iterator[Item]:
    told = 0
    for chunk in _chunks(text, report):
        inner_tick: Tick | None = None
        if tick is not None:
            if chunk.offset - told >= _TICK:
                told = chunk.offset
                tick(told)
            inner_tick = partial(_tick_from, tick, chunk.offset)
        try:
            found = list(yamltext.documents(chunk.text, inner_tick))
        except yamltext.YamlError as error:
            report(chunk.line(error.line), error.message)
            continue
        yield from _of_documents(file, order, chunk, found, report)


def _tick_from(tick: Tick, offset: int, position: int) -> None:
    tick(offset + position)


def _chunks(text: str, report: Report) -> Iterator[Chunk]:
    """The text between lines that begin with ``---``, as kubectl cuts it; a bad document spoils no other."""
    start, line = 0, 1
    for separator in _SEPARATOR.finditer(text):
        piece = text[start : separator.start()]
        if piece.strip():
            yield Chunk(piece, line, offset=start)
        line += piece.count("\n")
        rest = separator[1].strip()
        start = separator.end()
        if rest and not rest.startswith("#"):
            report(line, f"invalid Yaml document separator: {rest}")
    piece = text[start:]
    if piece.strip():
        yield Chunk(piece, line, offset=start)


def yaml_items(file: str, order: int, chunk: Chunk, problems: list[Problem]) -> Iterator[Item]:
    """The objects of a text that stands inside of another one."""

    def report(line: int, message: str, field: str = "") -> None:
        problems.append(Problem(file, line, "", field, message))

    try:
        found = list(yamltext.documents(chunk.text))
    except yamltext.YamlError as error:
        report(chunk.line(error.line), error.message)
        return
    yield from _of_documents(file, order, chunk, found, report)


def _of_documents(
    file: str, order: int, chunk: Chunk, found: list[yamltext.Document], report: Report
) -> Iterator[Item]:
    for number, document in enumerate(found):
        chunk.documents[number] = document.repeated
        if document.data is None:
            continue
        root = _Root(file, order, chunk, number, document.starts, report)
        if isinstance(document.data, list):
            yield from _yaml_list(root, document.data, (), None, None, 0)
        else:
            yield from _yaml_value(root, document.data, (), None, None, 0)


class _Root(msgspec.Struct, frozen=True):
    file: str
    order: int
    chunk: Chunk
    document: int
    starts: Mapping[int, int]
    report: Report


def _yaml_value(
    root: _Root, value: Any, path: tuple[str | int, ...], kind: Any, version: Any, depth: int
) -> Iterator[Item]:
    item = YamlItem(root.file, root.order, 0, None, None, value, root.chunk, root.document, path)
    if not isinstance(value, dict):
        root.report(item.line_of(""), _NO_OBJECT)
        return
    start = root.starts.get(id(value))
    item.line = item.line_of("") if start is None else root.chunk.line(start)
    own_kind = kind if value.get("kind") is None else value["kind"]
    own_version = version if value.get("apiVersion") is None else value["apiVersion"]
    if not _is_list(own_kind) or "items" not in value or depth == _LISTS_DEEP:
        item.kind, item.api_version = own_kind, own_version
        yield item
        return
    elements = value["items"]
    if elements is None:
        return
    if not isinstance(elements, list):
        root.report(item.line_of("items"), "Invalid value: must be a list of objects", "items")
        return
    inner = own_kind.removesuffix("List") or None
    yield from _yaml_list(root, elements, (*path, "items"), inner, own_version if inner else None, depth + 1)


def _yaml_list(
    root: _Root, elements: list[Any], path: tuple[str | int, ...], kind: Any, version: Any, depth: int
) -> Iterator[Item]:
    for index, element in enumerate(elements):
        yield from _yaml_value(root, element, (*path, index), kind, version, depth)
