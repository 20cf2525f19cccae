"""Templates filled in from plain JSON data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any

from rulegen.kubectl.jsonpath.parse import (
    Action,
    Field,
    Filter,
    Name,
    Node,
    Nodes,
    PathError,
    Slice,
    Step,
    Text,
    Union,
    Value,
    parse,
)
from rulegen.kubectl.jsontext import compact, to_json
from rulegen.kubectl.numbers import general_number
from rulegen.load.api.answers import quoted

_ORDERED = {"<": lt, "<=": le, ">": gt, ">=": ge}


class Template:
    """A template that can be filled in more than once; :class:`PathError` where it cannot be read.

    Fields that an object does not have are left out where ``lenient``, and an error elsewhere.
    """

    def __init__(self, text: str, *, lenient: bool = True) -> None:
        self._nodes = parse(text)
        self._lenient = lenient

    def results(self, data: Any) -> list[list[Any]]:
        """The values of each part of the template, in order."""
        return _Run(self._lenient).results(self._nodes, data)[0]

    def fill(self, data: Any, *, as_json: bool = False) -> str:
        """The text; with ``as_json``, a JSON list of values for each part."""
        out: list[str] = []
        for values in self.results(data):
            if as_json:
                out.append(to_json(values))
            else:
                out.append(" ".join(map(as_text, values)))
        return "".join(out)


def as_text(value: Any) -> str:
    """A value as a template shows it: objects and lists as JSON."""
    if isinstance(value, Mapping | list | tuple):
        return compact(_by_key(value))
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return general_number(value) if isinstance(value, float) else str(value)


def _by_key(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _by_key(value[key]) for key in sorted(value)}
    return [_by_key(each) for each in value] if isinstance(value, list | tuple) else value


class _Run:
    """One filling in: ``range`` and ``end`` are found as the parts are walked through."""

    def __init__(self, lenient: bool) -> None:
        self._lenient = lenient
        self._begins = 0
        self._inside = 0
        self._ends = 0

    def results(self, nodes: Nodes, data: Any) -> tuple[list[list[Any]], int]:
        """The values of each part, and how many parts there are up to the ``end`` of this range.

        A range without end takes no part for itself: what follows is filled in once more after it.
        """
        full: list[list[Any]] = []
        at = 0
        while at < len(nodes):
            found = self._walk([data], nodes[at])
            at += 1
            if 0 < self._ends <= self._inside:
                self._ends -= 1
                return full, at
            if not self._begins:
                full.append(found)
                continue
            self._begins -= 1
            self._inside += 1
            rest = nodes[at:]
            used = 0
            for value in found:
                each, used = self.results(rest, value)
                full += each
            if not found:
                _, used = self.results(rest, None)
            self._inside -= 1
            at += used
        return full, 0

    def _walk(self, values: list[Any], node: Node) -> list[Any]:
        if isinstance(node, Action):
            return self._all(values, node.nodes)
        if isinstance(node, Text):
            return [node.text]
        if isinstance(node, Value):
            return [node.value for _ in values]
        if isinstance(node, Field):
            return self._field(values, node.name)
        if isinstance(node, Step):
            return _children(values) if node.kind == "*" else _descendants(values)
        if isinstance(node, Slice):
            return _slice(values, node)
        if isinstance(node, Filter):
            return self._filter(values, node)
        if isinstance(node, Union):
            return [each for part in node.parts for each in self._all(values, part)]
        return self._name(values, node)

    def _all(self, values: list[Any], nodes: Nodes) -> list[Any]:
        for node in nodes:
            values = self._walk(values, node)
        return values

    def _name(self, values: list[Any], node: Name) -> list[Any]:
        if node.name == "range":
            self._begins += 1
            return values
        if node.name == "end":
            if not self._inside:
                raise PathError("not in range, nothing to end")
            self._ends += 1
            return []
        raise PathError(f"unrecognized identifier {node.name}")

    def _field(self, values: list[Any], name: str) -> list[Any]:
        found = [value[name] for value in values if isinstance(value, Mapping) and name in value]
        if values and not found and not self._lenient:
            raise PathError(f"{name} is not found")
        return found

    def _filter(self, values: list[Any], node: Filter) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if not isinstance(value, list | tuple):
                raise PathError(f"{go_text(value)} is not array or slice and cannot be filtered")
            for each in value:
                if node.operator == "exists":
                    if self._exists(each, node.left):
                        found.append(each)
                    continue
                left = self._one(each, node.left)
                right = self._one(each, node.right) if left else []
                if left and right and _compare(node.operator, left[0], right[0]):
                    found.append(each)
        return found

    def _exists(self, each: Any, nodes: Nodes) -> bool:
        try:
            return bool(self._all([each], nodes))
        except PathError:
            return False

    def _one(self, each: Any, nodes: Nodes) -> list[Any]:
        found = self._all([each], nodes)
        if len(found) > 1:
            raise PathError("can only compare one element at a time")
        return found


def _children(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, Mapping):
            found += [value[key] for key in sorted(value)]
        elif isinstance(value, list | tuple):
            found += value
        elif isinstance(value, str):
            # Go walks through the bytes of a string.
            found += value.encode()
    return found


def _descendants(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        below = _children([value])
        if below:
            found += [value, *_descendants(below)]
    return found


def _slice(values: list[Any], node: Slice) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value is None:
            continue
        if not isinstance(value, list | tuple):
            raise PathError(f"{go_type(value)} is not array or slice")
        length = len(value)
        start = node.start or 0
        start += length if start < 0 else 0
        end = length if node.end is None else node.end
        end += length if end < 0 or (end == 0 and node.derived) else 0
        if start == end:
            return found
        if not 0 <= start < length:
            raise PathError(f"array index out of bounds: index {start}, length {length}")
        if not 0 <= end <= length:
            raise PathError(f"array index out of bounds: index {end - 1}, length {length}")
        if start > end:
            raise PathError(f"starting index {start} is greater than ending index {end}")
        if node.step is not None and node.step <= 0:
            raise PathError("step must be > 0")
        found += value[start : end : node.step or 1]
    return found


def _compare(operator: str, left: Any, right: Any) -> bool:
    kinds = (_basic(left), _basic(right))
    if kinds[0] != kinds[1]:
        raise PathError("incompatible types for comparison")
    if operator in ("==", "!="):
        return (left == right) is (operator == "==")
    if operator not in _ORDERED:
        raise PathError(f"unrecognized filter operator {operator}")
    if kinds[0] == "bool":
        raise PathError("invalid type for comparison")
    return bool(_ORDERED[operator](left, right))


def _basic(value: Any) -> str:
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind.__name__
    raise PathError("invalid type for comparison")


def go_type(value: Any) -> str:
    """The Go type that holds a value of decoded JSON."""
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    if isinstance(value, list | tuple):
        return "[]interface {}"
    return {"bool": "bool", "int": "int64", "float": "float64"}.get(type(value).__name__, "string")


def go_text(value: Any) -> str:
    """A value as Go's ``fmt.Sprint`` shows it: ``map[a:1 b:[x y]]``."""
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{go_text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(go_text, value)) + "]"
    return "<nil>" if value is None else as_text(value)


def go_syntax(value: Any) -> str:
    """A value as Go's ``%#v`` shows it: ``map[string]interface {}{"a":1}``."""
    if isinstance(value, Mapping):
        shown = ", ".join(f"{quoted(key)}:{go_syntax(value[key])}" for key in sorted(value))
        return f"map[string]interface {{}}{{{shown}}}"
    if isinstance(value, list | tuple):
        return f"[]interface {{}}{{{', '.join(map(go_syntax, value))}}}"
    if isinstance(value, str):
        return quoted(value)
    return "interface {}(nil)" if value is None else as_text(value)
