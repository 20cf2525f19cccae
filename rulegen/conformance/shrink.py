"""Making a scenario small while what is interesting about it stays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Interesting = Callable[[dict[str, Any]], bool]
"""Whether a scenario still shows what is looked for. It is asked about scenarios that make no sense, too."""

_LISTS = ("families", "services", "slices")
_NEEDED = frozenset({"name", "version", "mode", "families", "config", "node", "services", "slices"})
_NEEDED_INSIDE = frozenset({"apiVersion", "kind"})
_NEEDED_PATHS = frozenset({("config", "mode"), ("node", "name")})

_Path = tuple[str | int, ...]


def shrink(scenario: Mapping[str, Any], interesting: Interesting) -> dict[str, Any]:
    """The smallest scenario found by leaving things out: objects first, then endpoints and single fields.

    Nothing can be left out of the result alone without losing what is interesting; kinds, and the names of
    the scenario's parts, stay. The same scenario gives the same result. The given one is not changed, and
    returned as it is where it is not interesting.
    """
    small = copy.deepcopy(dict(scenario))
    if not interesting(small):
        return small
    while True:
        before = copy.deepcopy(small)
        for path in (*((name,) for name in _LISTS), *_inner_lists(small)):
            _shorten(small, path, interesting)
        _strip(small, interesting)
        if small == before:
            return small


def _inner_lists(scenario: Mapping[str, Any]) -> Iterator[_Path]:
    for number, _ in enumerate(scenario["slices"]):
        yield ("slices", number, "endpoints")
        yield ("slices", number, "ports")
    for number, _ in enumerate(scenario["services"]):
        yield ("services", number, "spec", "ports")


def _at(value: Any, path: _Path) -> Any:
    for step in path:
        if isinstance(value, list):
            value = value[step] if isinstance(step, int) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _shorten(scenario: dict[str, Any], path: _Path, interesting: Interesting) -> None:
    """Leave out parts of a list: halves, quarters, and so on to single items."""
    items = _at(scenario, path)
    if not isinstance(items, list):
        return
    size = len(items)
    while size:
        start = 0
        while start < len(items):
            left_out = items[start : start + size]
            del items[start : start + size]
            if interesting(scenario):
                continue
            items[start:start] = left_out
            start += size
        size //= 2


def _strip(scenario: dict[str, Any], interesting: Interesting) -> None:
    """Leave out single fields and items, whole branches before their leaves."""
    for path in list(_paths(scenario, ())):
        last = path[-1]
        if (len(path) == 1 and last in _NEEDED) or last in _NEEDED_INSIDE or path in _NEEDED_PATHS:
            continue
        holder = _at(scenario, path[:-1])
        if isinstance(holder, dict) and last in holder:
            keys = list(holder)
            left_out = holder.pop(last)
            if not interesting(scenario):
                holder[last] = left_out
                for key in keys:  # in the order in which they were
                    holder[key] = holder.pop(key)
        elif isinstance(holder, list) and isinstance(last, int) and last < len(holder):
            left_out = holder.pop(last)
            if not interesting(scenario):
                holder.insert(last, left_out)


def _paths(value: Any, path: _Path) -> Iterator[_Path]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        # From the end, so that leaving an item out does not move those that are still to come.
        for number in range(len(value) - 1, -1, -1):
            yield (*path, number)
            yield from _paths(value[number], (*path, number))
