"""What changes in a table, object by object."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from rulegen.model import Family
from rulegen.nftables.element import Element
from rulegen.nftables.table import Chain, Container, Table

Action: TypeAlias = Literal["add", "replace", "rewrite", "delete"]


class ChainChange(msgspec.Struct, frozen=True, kw_only=True):
    """``rewrite``: emptied and filled again; ``replace``: made anew, for the kernel changes no hook.

    A chain that stays as it is may be rewritten too, where a set or chain that it names is made anew.
    """

    name: str
    action: Action
    before: Chain | None = None
    after: Chain | None = None


class ContainerChange(msgspec.Struct, frozen=True, kw_only=True):
    """A set or map that comes, goes, or is made anew with all its elements."""

    name: str
    action: Action
    before: Container | None = None
    after: Container | None = None


class ElementChange(msgspec.Struct, frozen=True, kw_only=True):
    """An element of a set or map that stays: gone, new, or with another value or comment."""

    container: str
    key: str
    before: Element | None = None
    after: Element | None = None


class CounterChange(msgspec.Struct, frozen=True, kw_only=True):
    """A named counter that comes or goes."""

    name: str
    action: Action


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """All changes of one family's table.

    ``table`` is empty where the table stays; where it comes, goes or is made anew, everything in it does,
    and the other fields hold the parts of the one that is made.
    """

    family: Family
    table: Literal["", "add", "replace", "delete"] = ""
    before: Table | None = None
    after: Table | None = None
    chains: tuple[ChainChange, ...] = ()
    containers: tuple[ContainerChange, ...] = ()
    elements: tuple[ElementChange, ...] = ()
    counters: tuple[CounterChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.table or self.chains or self.containers or self.elements or self.counters)
