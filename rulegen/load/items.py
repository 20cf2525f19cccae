"""From texts to single objects: encodings, YAML or JSON, documents, lists of objects."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, TypeAlias

import msgspec

from rulegen.load import jsontext, yamltext
from rulegen.load.kinds import KINDS
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

Tick: TypeAlias = Callable[[int], None]
Path: TypeAlias = tuple[str | int, ...]


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
    decoded: Any = None
    place: Place | None = None

    def typed(self, type_: type[Any]) -> Any:
        if isinstance(self.decoded, type_):
            return self.decoded
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
        jsontext.check_depth(self.raw)
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


_HEAD = re.compile(rb'\{\s*"apiVersion"\s*:\s*"([\w./-]+)"\s*,\s*"kind"\s*:\s*"(\w+)"')
_TYPES = {
    (version.encode(), kind.name.encode()): kind.type for kind in KINDS.values() for version in kind.versions
}


def _at_a_glance(element: msgspec.Raw) -> Any:
    """An object decoded at once, where it begins as kubectl prints one of ours; None asks for a closer look.

    A key may come again, and the last one counts: what was decoded has to agree.
    """
    head = _HEAD.match(memoryview(element))
    if head is None:
        return None
    version, kind = head.groups()
    type_ = _TYPES.get((version, kind))
    if type_ is None:
        return None
    try:
        found = _decoder(type_).decode(element)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return found if found.kind.encode() == kind and found.api_version.encode() == version else None


class Chunk:
    """A piece of YAML between two ``---``, the line and the character of the file where it begins.

    With ``exact`` false every part of it counts as standing on that line (a text inside of another).
    """

    def __init__(self, text: str, first: int, exact: bool = True, offset: int = 0) -> None:
        self.text = text
        self.first = first
        self.exact = exact
        self.offset = offset
        self.documents: list[yamltext.Document] = []
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
    path: Path = ()

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
            for again in self.chunk.documents[self.document].repeated
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


def _printed(path: Path) -> str:
    printed = ""
    for key in path:
        printed = f"{printed}[{key}]" if isinstance(key, int) else _below(printed, key)
    return printed


def _with_type(data: Any, kind: Any, api_version: Any) -> Any:
    """Elements of a ServiceList leave kind and version to the list."""
    if isinstance(data, dict) and ("kind" not in data or "apiVersion" not in data):
        return {"apiVersion": api_version, "kind": kind, **data}
    return data


class Reader:
    """Takes one text apart into objects; what is no object is added to ``problems``.

    ``saw_list`` says that there was a list of objects, be it an empty one.
    """

    def __init__(self, text: Text, order: int, problems: list[Problem], tick: Tick | None = None) -> None:
        self.text = text
        self.file = text.file
        self.order = order
        self.problems = problems
        self.tick = tick
        self.saw_list = False

    def items(self) -> Iterator[Item]:
        """The objects in the order in which they stand."""
        for item in self._read():
            if not self.text.has_lines:
                item.line = 0
            yield item

    def items_of_chunk(self, chunk: Chunk) -> Iterator[Item]:
        """The objects of a piece of YAML."""
        inner_tick = partial(_tick_from, self.tick, chunk.offset) if self.tick is not None else None
        try:
            found = list(yamltext.documents(chunk.text, inner_tick))
        except yamltext.YamlError as error:
            self._report(chunk.line(error.line), error.message)
        else:
            yield from self._of_documents(chunk, found)

    def _report(self, line: int, message: str, field: str = "") -> None:
        shown = line if self.text.has_lines else 0
        self.problems.append(Problem(self.file, shown, "", field, message))

    def _read(self) -> Iterator[Item]:
        content = self._utf8(self.text.content)
        if content is None:
            return
        if content.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
            try:
                yield from self._json(content)
                return
            except _NotJsonError as failure:
                try:
                    chunk = Chunk(content.decode(), 1)
                    found = list(yamltext.documents(chunk.text, self.tick))
                except yamltext.YamlError:
                    self._report(failure.line, failure.message)
                else:
                    yield from self._of_documents(chunk, found)
                return
        yield from self._yaml(content.decode(), 1)

    def _yaml(self, text: str, first: int) -> Iterator[Item]:
        """The objects of a text of YAML that begins on this line."""
        told = 0
        for chunk in self._chunks(text, first):
            if self.tick is not None and chunk.offset - told >= _TICK:
                told = chunk.offset
                self.tick(told)
            yield from self.items_of_chunk(chunk)

    def _utf8(self, content: bytes) -> bytes | None:
        for bom, encoding in _BOMS:
            if content.startswith(bom):
                try:
                    return content.decode(encoding).removeprefix("\ufeff").encode()
                except UnicodeError:
                    name = encoding.upper()
                    self._report(0, f"is not valid {name}, which its byte order mark says it is")
                    return None
        if content.startswith(b"\x1f\x8b"):
            self._report(0, "is compressed with gzip; unpack it first")
            return None
        nul = content.find(b"\0")
        if nul >= 0:
            self._report(content.count(b"\n", 0, nul) + 1, "is a binary file: it has a NUL byte")
            return None
        try:
            if not content.isascii():
                content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self._report(line, f"is not valid UTF-8: byte 0x{content[error.start]:02x}")
            return None
        return content

    def _json(self, content: bytes) -> Iterator[Item]:
        for number, (line, value, envelope) in enumerate(jsontext.values(content)):
            try:
                if value[:1] == b"[":
                    yield from self._json_list(value, jsontext.elements(value), line + 1, _NO_LIST, 0)
                else:
                    yield from self._json_value(value, line + 1, _NO_LIST, 0, envelope)
            except jsontext.JsonError as error:
                if number == 0:
                    raise _NotJsonError(line + error.line + 1, error.message) from None
                if number == 1 and value.startswith(b"---"):
                    # As for kubectl, one value may be JSON and the documents behind it YAML.
                    yield from self._yaml(value.decode(), line + 1)
                    return
                self._report(line + error.line + 1, error.message)
                return

    def _json_value(
        self,
        value: jsontext.Text,
        line: int,
        around: _ListType,
        depth: int,
        envelope: jsontext.Envelope | None = None,
    ) -> Iterator[Item]:
        """The objects of a value; ``envelope`` is its own where it has been looked into."""
        if bytes(memoryview(value)[:1]) != b"{":
            jsontext.data(value)
            self._report(line, _NO_OBJECT)
            return
        envelope = envelope or jsontext.envelope(value)
        own = around.of(envelope.kind, envelope.api_version)
        elements = envelope.items
        if elements is None or not own.is_list or depth == _LISTS_DEEP:
            yield JsonItem(self.file, self.order, line, own.kind, own.api_version, value)
            return
        self.saw_list = True
        whole = value if isinstance(value, bytes) else bytes(memoryview(value))
        if isinstance(elements, list):
            yield from self._json_list(whole, elements, line, own.of_elements(), depth + 1)
        elif bytes(memoryview(elements)) != b"null":
            line += whole.count(b"\n", 0, jsontext.start_of(whole, elements))
            self._report(line, _NO_ITEMS, "items")

    def _json_list(
        self, whole: bytes, elements: list[msgspec.Raw], line: int, around: _ListType, depth: int
    ) -> Iterator[Item]:
        self.saw_list = True
        for item_line, element in jsontext.with_lines(whole, elements, line):
            known = _at_a_glance(element)
            if known is not None:
                yield JsonItem(
                    self.file, self.order, item_line, known.kind, known.api_version, element, known
                )
            else:
                yield from self._json_value(element, item_line, around, depth)

    def _chunks(self, text: str, line: int) -> Iterator[Chunk]:
        """The text between lines that begin with ``---``, as kubectl cuts it; ``line`` is its first one.

        A bad document spoils no other.
        """
        start = 0
        for separator in _SEPARATOR.finditer(text):
            piece = text[start : separator.start()]
            if piece.strip():
                yield Chunk(piece, line, offset=start)
            line += piece.count("\n")
            rest = separator[1].strip()
            start = separator.end()
            if rest and not rest.startswith("#"):
                self._report(line, f"invalid Yaml document separator: {rest}")
        piece = text[start:]
        if piece.strip():
            yield Chunk(piece, line, offset=start)

    def _of_documents(self, chunk: Chunk, found: list[yamltext.Document]) -> Iterator[Item]:
        for number, document in enumerate(found):
            chunk.documents.append(document)
            if isinstance(document.data, list):
                yield from self._yaml_list(document.data, chunk, number, (), _NO_LIST, 0)
            elif document.data is not None:
                yield from self._yaml_value(document.data, chunk, number, (), _NO_LIST, 0)

    def _yaml_value(
        self, value: Any, chunk: Chunk, document: int, path: Path, around: _ListType, depth: int
    ) -> Iterator[Item]:
        item = YamlItem(self.file, self.order, 0, None, None, value, chunk, document, path)
        if not isinstance(value, dict):
            self._report(item.line_of(""), _NO_OBJECT)
            return
        start = chunk.documents[document].starts.get(id(value))
        item.line = item.line_of("") if start is None else chunk.line(start)
        own = around.of(value.get("kind"), value.get("apiVersion"))
        if not own.is_list or "items" not in value or depth == _LISTS_DEEP:
            item.kind, item.api_version = own.kind, own.api_version
            yield item
            return
        self.saw_list = True
        elements = value["items"]
        if isinstance(elements, list):
            below = (*path, "items")
            yield from self._yaml_list(elements, chunk, document, below, own.of_elements(), depth + 1)
        elif elements is not None:
            self._report(item.line_of("items"), _NO_ITEMS, "items")

    def _yaml_list(
        self, elements: list[Any], chunk: Chunk, document: int, path: Path, around: _ListType, depth: int
    ) -> Iterator[Item]:
        self.saw_list = True
        for index, element in enumerate(elements):
            yield from self._yaml_value(element, chunk, document, (*path, index), around, depth)


class _ListType(msgspec.Struct, frozen=True):
    """Kind and version, of an object or of what the list around it says of its elements."""

    kind: Any = None
    api_version: Any = None

    def of(self, kind: Any, api_version: Any) -> _ListType:
        """What an object is that says this of itself."""
        return _ListType(
            self.kind if kind is None else kind, self.api_version if api_version is None else api_version
        )

    @property
    def is_list(self) -> bool:
        return isinstance(self.kind, str) and self.kind.endswith("List")

    def of_elements(self) -> _ListType:
        """A ``ServiceList`` holds Services of its own version, a ``List`` anything."""
        kind = self.kind.removesuffix("List")
        return _ListType(kind, self.api_version) if kind else _NO_LIST


_NO_LIST = _ListType()
_NO_OBJECT = "no Kubernetes object: an object is a mapping with apiVersion and kind"
_NO_ITEMS = "Invalid value: must be a list of objects"


class _NotJsonError(Exception):
    """What begins like JSON and is none, though it may be YAML."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def _tick_from(tick: Tick, offset: int, position: int) -> None:
    tick(offset + position)
