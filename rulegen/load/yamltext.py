"""YAML to plain data, with the C scanner and parser, without recursion and without expanding aliases.

The parser's events are put together here rather than by PyYAML's composer, which recurses in C and can be
made to overflow the stack, and rather than by its constructor, which reads scalars in its own way (see
:mod:`rulegen.load.scalars`). An alias shares the value of its anchor; how large a document would be with
every alias written out is counted, and a document that only aliases make large is refused as goyaml does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite, isnan
from typing import Any, Final

import msgspec
import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from rulegen.load.scalars import MEANINGFUL, as_key, resolve, resolve_tagged

DEEPEST: Final = 200
"""How deep a document may be nested. CustomResourceDefinitions with generated schemas reach about 60."""

_FEW_NODES: Final = 400_000
_MANY_NODES: Final = 4_000_000
_TICK: Final = 20_000


class YamlError(Exception):
    """A text that is no YAML, or none that Kubernetes takes. ``line`` counts from 0 in the text given."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Repeated(msgspec.Struct, frozen=True):
    """A key that a mapping has twice: its path, the line where it comes again (from 0)."""

    path: tuple[str | int, ...]
    line: int


class Document(msgspec.Struct):
    """One document: its data, where it begins (line from 0), where mappings near its root begin."""

    data: Any
    line: int
    starts: dict[int, int]
    repeated: list[Repeated]


class _Mark:
    """A value that no document has."""


_NEXT_IS_KEY: Final = _Mark()
_MERGE: Final = _Mark()
_UNFINISHED: Final = _Mark()


class _Open(msgspec.Struct):
    """A mapping or list that is not finished, with what was pending around it when it began."""

    container: Any
    key: Any
    anchor: str | None
    before: int
    merged: frozenset[str]


def documents(text: str, tick: Callable[[int], None] | None = None) -> Iterator[Document]:
    """The documents of a YAML text. Raises :class:`YamlError`.

    ``tick`` is called every 20,000 nodes with the characters that are read, for whoever shows progress.
    """
    parser = yaml.CSafeLoader(text)
    try:
        yield from _Builder(parser, tick).documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is found missing on a line that is not there.
        line = min(mark.line, text.rstrip().count("\n")) if mark else 0
        raise YamlError(line, error.problem or error.context or "no YAML") from None
    except yaml.reader.ReaderError as error:
        raise YamlError(_line_of(text, error.position), str(error.reason)) from None
    except yaml.YAMLError as error:
        raise YamlError(0, str(error)) from None
    finally:
        parser.dispose()


class _Builder:
    """Puts one text's events together. ``nodes`` counts as if every alias were written out."""

    def __init__(self, parser: Any, tick: Callable[[int], None] | None) -> None:
        self.parser = parser
        self.tick = tick

    def documents(self) -> Iterator[Document]:
        next_event = self.parser.get_event
        while True:
            event = next_event()
            if type(event) is DocumentStartEvent:
                yield self._document()
            elif type(event) is StreamEndEvent:
                return

    def _document(self) -> Document:
        next_event = self.parser.get_event
        stack: list[_Open] = []
        root: list[Any] = []
        container: Any = root
        key: Any = None
        anchors: dict[str, tuple[Any, int]] = {}
        document = Document(None, -1, {}, [])
        nodes = from_aliases = 0
        until_tick = _TICK
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                nodes += 1
                text = event.value
                value: Any
                plain, tag = event.implicit[0], event.tag
                if tag is not None:
                    try:
                        value = resolve_tagged(tag, text)
                    except ValueError as error:
                        raise YamlError(event.start_mark.line, str(error)) from None
                elif not plain:
                    value = text
                elif text and text[0] not in MEANINGFUL:
                    value = _MERGE if text == "<<" and key is _NEXT_IS_KEY else text
                else:
                    value = resolve(text)
                    if type(value) is float and not isfinite(value):
                        shown = "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
                        raise YamlError(event.start_mark.line, f"json: unsupported value: {shown}")
                if event.anchor is not None:
                    anchors[event.anchor] = (value, 1)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                nodes += 1
                line = event.start_mark.line
                if key is _NEXT_IS_KEY:
                    raise YamlError(line, "a key must be a scalar, not a mapping or a list")
                if len(stack) >= DEEPEST:
                    raise YamlError(line, f"nested more than {DEEPEST} deep")
                if event.anchor is not None:
                    anchors[event.anchor] = (_UNFINISHED, 0)
                stack.append(_Open(container, key, event.anchor, nodes, frozenset()))
                if kind is MappingStartEvent:
                    container, key = {}, _NEXT_IS_KEY
                    if len(stack) <= 3:
                        document.starts[id(container)] = line
                else:
                    container, key = [], None
                if document.line < 0:
                    document.line = line
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                value = container
                opened = stack.pop()
                container, key = opened.container, opened.key
                if opened.anchor is not None:
                    anchors[opened.anchor] = (value, nodes - opened.before + 1)
            elif kind is AliasEvent:
                line = event.start_mark.line
                value, size = self._alias(event.anchor, anchors, line)
                nodes += size
                from_aliases += size
                if from_aliases > 100 and nodes > 1000 and from_aliases > nodes * _alias_share(nodes):
                    raise YamlError(line, "document contains excessive aliasing")
            else:
                document.data = root[0] if root else None
                return document
            if document.line < 0:
                document.line = event.start_mark.line
            if key is None:
                container.append(value)
            elif key is _NEXT_IS_KEY:
                if type(value) is str and value not in container:
                    key = value
                else:
                    key = self._key(value, container, stack, document, event)
            else:
                if key is _MERGE:
                    self._merge(container, value, stack, event.start_mark.line)
                else:
                    container[key] = value
                key = _NEXT_IS_KEY
            until_tick -= 1
            if until_tick == 0:
                until_tick = _TICK
                if self.tick is not None:
                    self.tick(event.end_mark.index)

    @staticmethod
    def _alias(name: str, anchors: dict[str, tuple[Any, int]], line: int) -> tuple[Any, int]:
        known = anchors.get(name)
        if known is None:
            raise YamlError(line, f"unknown anchor '{name}' referenced")
        if known[0] is _UNFINISHED:
            raise YamlError(line, f"anchor '{name}' value contains itself")
        return known

    @staticmethod
    def _key(value: Any, mapping: dict[str, Any], stack: list[_Open], document: Document, event: Any) -> Any:
        if value is _MERGE:
            return _MERGE
        if type(value) is str:
            key = value
        elif isinstance(value, dict | list):
            raise YamlError(event.start_mark.line, "a key must be a scalar, not a mapping or a list")
        else:
            try:
                key = as_key(value)
            except ValueError as error:
                raise YamlError(event.start_mark.line, str(error)) from None
        if key in mapping:
            opened = stack[-1]
            if key in opened.merged:
                opened.merged -= {key}
            else:
                path = _path(stack, mapping)
                document.repeated.append(Repeated((*path, key), event.start_mark.line))
        return key

    @staticmethod
    def _merge(mapping: dict[str, Any], value: Any, stack: list[_Open], line: int) -> None:
        """Earlier mappings of a list win over later ones, and any wins over keys above it (goyaml.v2)."""
        sources = list(reversed(value)) if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                raise YamlError(line, "map merge requires map or sequence of maps as the value")
            mapping.update(source)
            stack[-1].merged |= source.keys()


def _path(stack: list[_Open], innermost: Any) -> tuple[str | int, ...]:
    """Where the innermost open container stands in its document."""
    return tuple(
        len(opened.container) if opened.key is None else "<<" if opened.key is _MERGE else opened.key
        for opened in stack[1:]
    )


def _alias_share(nodes: int) -> float:
    """How much of a document may come from aliases: goyaml.v2's curve, from 99% to 10% of large documents."""
    if nodes <= _FEW_NODES:
        return 0.99
    if nodes >= _MANY_NODES:
        return 0.10
    return 0.99 - 0.89 * (nodes - _FEW_NODES) / (_MANY_NODES - _FEW_NODES)


def _line_of(text: str, position: int | None) -> int:
    """The reader counts in bytes."""
    return text.encode("utf-8", "surrogatepass").count(b"\n", 0, position or 0)
