"""The nftables mode, fragment by fragment: elements may be several ports', all else is of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from rulegen.claims import NOBODY, Claims
from rulegen.nftables.base import base
from rulegen.nftables.changes import ElementChange
from rulegen.nftables.compile import compile_fragments
from rulegen.nftables.diff import Transaction, changes, transaction
from rulegen.nftables.element import Element
from rulegen.nftables.fragment import Fragment
from rulegen.nftables.ruleset import PortKey, Ruleset
from rulegen.nftables.table import Table, table
from rulegen.plan import Plan, PlannedPort

Place: TypeAlias = tuple[str, str]
"""The set or map of an element, and its key."""


class Following:
    """The doors of :class:`rulegen.backend.Following`."""

    def __init__(self, plan: Plan) -> None:
        self._base = base(plan)
        self._machine = plan.machine
        # Of the common part nothing changes: a table without it tells what fragments change.
        self._bare = msgspec.structs.replace(
            self._base, table="", chains="", containers="", rules="", elements=()
        )
        self._claims: Claims[Place, Element] = Claims()
        self._claims.take(NOBODY, _placed(self._base.elements))

    def resized(self, endpoints: int) -> bool:
        del endpoints  # the size of the cluster means nothing to this mode
        return False

    def compile(self, ports: Sequence[PlannedPort]) -> dict[PortKey, Fragment]:
        return compile_fragments(ports, self._base, self._machine)

    def start(self, fragments: Mapping[PortKey, Fragment]) -> None:
        for key, fragment in fragments.items():
            self._claims.take(key, _placed(fragment.elements))

    def transition(self, steps: Sequence[tuple[PortKey, Fragment | None, Fragment | None]]) -> Transaction:
        touched = dict.fromkeys(
            place
            for _, old, new in steps
            for fragment in (old, new)
            if fragment is not None
            for place, _ in _placed(fragment.elements)
        )
        before = {place: self._element(place) for place in touched}
        for key, old, _ in steps:
            if old is not None:
                self._claims.drop(key, [place for place, _ in _placed(old.elements)])
        for key, _, new in steps:
            if new is not None:
                self._claims.take(key, _placed(new.elements))
        found = changes(
            self._table({key: old for key, old, _ in steps if old is not None}),
            self._table({key: new for key, _, new in steps if new is not None}),
        )
        elements = []
        for place in touched:
            was, now = before[place], self._element(place)
            if was != now:
                elements.append(ElementChange(container=place[0], key=place[1], before=was, after=now))
        return transaction(msgspec.structs.replace(found, elements=tuple(elements)))

    def _element(self, place: Place) -> Element | None:
        """The one that wins, as in :meth:`Ruleset.elements`."""
        found: Element | None = None
        for element in self._claims.values(place):
            if found is None or found.value != element.value:
                found = element
        return found

    def _table(self, fragments: dict[PortKey, Fragment]) -> Table:
        own = {key: msgspec.structs.replace(each, elements=()) for key, each in fragments.items()}
        return table(Ruleset(self._machine.family, self._bare, own))

    def ruleset(self, fragments: Mapping[PortKey, Fragment]) -> Ruleset:
        return Ruleset(self._machine.family, self._base, fragments)


def _placed(elements: Iterable[Element]) -> Iterator[tuple[Place, Element]]:
    return (((element.container, element.key), element) for element in elements)
