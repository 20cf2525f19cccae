"""Where each field of a document stands. Looked up only for what is wrong; nothing is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from rulegen.load.scalars import as_key, resolve


class Place(msgspec.Struct):
    """The lines of a value's parts, counted from 0 in its text.

    ``fields`` and ``items`` hold the line of each part and the place of its value; ``text_line`` is the first
    line of a text written as a literal block (``|``), -1 for any other value; ``repeated`` lists keys that
    come again, with the line where they do.
    """

    fields: dict[str, tuple[int, Place]] = {}
    items: list[tuple[int, Place]] = []
    text_line: int = -1
    repeated: list[tuple[str, int]] = []


_STANDS_FOR: Mapping[str, str] = {"clusterIPs": "clusterIP", "podCIDRs": "podCIDR", "podIPs": "podIP"}
"""Fields that the API server fills from another one: errors name the first, manifests have the second."""

_NAME = re.compile(r"[^.\[]*")


def line_of(place: Place, line: int, path: str) -> int:
    """The line of a field, or of the innermost part around it that is there.

    ``path`` is as the API server prints it (``spec.ports[0].nodePort``, ``metadata.labels[a.b/c]``); ``line``
    is that of the whole value.
    """
    rest = path
    while rest:
        if rest[0] == "[":
            end = rest.find("]")
            key = rest[1:end]
            if key.isdecimal() and int(key) < len(place.items):
                line, place = place.items[int(key)]
            elif key.strip('"') in place.fields:
                line, place = place.fields[key.strip('"')]
            else:
                return line
            rest = rest[end + 1 :]
            continue
        rest = rest.removeprefix(".")
        name = max((key for key in place.fields if _begins(rest, key)), key=len, default=None)
        if name is None:
            found = _NAME.match(rest)
            name = _other_name(found.group() if found else "", place)
            if name is None:
                return line
            line, place = place.fields[name]
            rest = rest[found.end() :] if found else ""
            continue
        line, place = place.fields[name]
        rest = rest[len(name) :]
    return line


def _other_name(name: str, place: Place) -> str | None:
    """The key that a name means which is not written like that; the server prints some in another case."""
    if _STANDS_FOR.get(name) in place.fields:
        return _STANDS_FOR[name]
    return next((key for key in place.fields if key.lower() == name.lower()), None)


def _begins(path: str, key: str) -> bool:
    return bool(key) and path.startswith(key) and path[len(key) : len(key) + 1] in ("", ".", "[")


def yaml_places(text: str) -> list[tuple[int, Place]]:
    """The line and place of the root of each document; the text was read before, so it is not too deep."""
    made: dict[int, Place] = {}
    loader = yaml.CSafeLoader(text)
    try:
        roots = []
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                break
            roots.append((node.start_mark.line, _yaml_place(node, made)))
        return roots
    except yaml.YAMLError:
        return []
    finally:
        loader.dispose()


def _yaml_place(node: Any, made: dict[int, Place]) -> Place:
    known = made.get(id(node))
    if known is not None:
        return known
    place = Place()
    made[id(node)] = place
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line
            below = _yaml_place(value, made)
            if key.value == "<<":
                for source in (place for _, place in below.items) if below.items else (below,):
                    for name, part in source.fields.items():
                        place.fields.setdefault(name, part)
                continue
            name = key.value if key.style else _key_text(key.value)
            place.fields[name] = (line, below)
    elif isinstance(node, yaml.SequenceNode):
        place.items.extend((item.start_mark.line, _yaml_place(item, made)) for item in node.value)
    elif node.style == "|":
        place.text_line = node.start_mark.line + 1
    return place


def _key_text(text: str) -> str:
    try:
        return as_key(resolve(text))
    except ValueError:
        return text


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def json_place(text: str) -> Place:
    """The place of a JSON value that was read before."""
    root = Place()
    stack: list[tuple[Place, bool]] = []
    key, line, position = "", 0, 0
    expects_key = False
    for token in _TOKEN.finditer(text):
        line += text.count("\n", position, token.start())
        position = token.start()
        word = token.group()
        if word == ",":
            expects_key = bool(stack) and stack[-1][1]
        elif word == ":":
            expects_key = False
        elif word in "}]":
            stack.pop()
            expects_key = False
        elif expects_key:
            around = stack[-1][0]
            key = _json_key(word)
            if key in around.fields:
                around.repeated.append((key, line))
            around.fields[key] = (line, Place())
        else:
            if not stack:
                place = root
            elif stack[-1][1]:
                place = stack[-1][0].fields[key][1]
            else:
                place = Place()
                stack[-1][0].items.append((line, place))
            if word in "{[":
                expects_key = word == "{"
                stack.append((place, expects_key))
    return root


def _json_key(word: str) -> str:
    try:
        return msgspec.json.decode(word, type=str)
    except (msgspec.MsgspecError, UnicodeError):
        return word.strip('"')
