"""What several service ports ask for, and who asks: what a change of one of them means for the whole.

The cost of an answer depends on the askers of that thing alone, however many others there are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeAlias, TypeVar

Thing = TypeVar("Thing", bound=Hashable)
Value = TypeVar("Value")
Owner: TypeAlias = tuple[str, str, str, str]

NOBODY: Owner = ("", "", "", "")
"""Asks first: what is there whatever the Services are."""


class Claims(Generic[Thing, Value]):
    """Thing -> who asks for it, and with which value."""

    def __init__(self) -> None:
        self._held: dict[Thing, dict[Owner, Value]] = {}

    def __contains__(self, thing: Thing) -> bool:
        return thing in self._held

    def take(self, owner: Owner, wanted: Iterable[tuple[Thing, Value]]) -> None:
        for thing, value in wanted:
            self._held.setdefault(thing, {})[owner] = value

    def drop(self, owner: Owner, things: Iterable[Thing]) -> None:
        for thing in things:
            held = self._held.get(thing)
            if held is not None:
                held.pop(owner, None)
                if not held:
                    del self._held[thing]

    def values(self, thing: Thing) -> list[Value]:
        """What is asked for, in the order of those who ask."""
        held = self._held.get(thing)
        return [held[owner] for owner in sorted(held)] if held else []

    def last(self, thing: Thing) -> Value | None:
        """The value that wins where the last one does; None where nobody asks."""
        held = self._held.get(thing)
        return held[max(held)] if held else None
