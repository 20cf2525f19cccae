"""Reading plain JSON objects, where a field that is absent or null is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Object: TypeAlias = Mapping[str, Any]
"""An API object as plain data, as the API server prints it."""


def at(item: Any, *path: str) -> Any:
    """The value of a field, or None."""
    for step in path:
        if item is None:
            return None
        item = item.get(step)
    return item


def text(item: Any, *path: str) -> str:
    """A string field; empty where absent."""
    value = at(item, *path)
    return "" if value is None else str(value)


def number(item: Any, *path: str) -> int:
    """A number field; 0 where absent."""
    return at(item, *path) or 0


def items(item: Any, *path: str) -> Sequence[Any]:
    """A list field; empty where absent."""
    return at(item, *path) or ()


def fields(item: Any, *path: str) -> Mapping[str, Any]:
    """A field that is an object or a map; empty where absent."""
    return at(item, *path) or {}


def name_of(item: Object) -> str:
    return text(item, "metadata", "name")


def namespace_of(item: Object) -> str:
    return text(item, "metadata", "namespace")
