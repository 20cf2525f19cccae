"""What a table consists of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

from rulegen.kubectl.age import age
from rulegen.kubectl.plain import Object, text

Cell: TypeAlias = str | int | None
"""None is an empty cell."""


class Column(msgspec.Struct, frozen=True):
    """A column; ``wide`` ones are shown with ``-o wide`` only."""

    title: str
    wide: bool = False


Row: TypeAlias = Callable[[Object, datetime], tuple[Cell, ...]]
"""The cells of an object at a moment."""


class Columns(msgspec.Struct, frozen=True):
    """The columns of a kind, the first of which is the object's name."""

    columns: tuple[Column, ...]
    row: Row


NAME = Column("NAME")


def column(*titles: str, wide: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """NAME and others, as they are shown."""
    return (NAME, *(Column(each) for each in titles), *(Column(each, wide=True) for each in wide))


def created(item: Object, now: datetime) -> str:
    """The AGE of an object."""
    return age(text(item, "metadata", "creationTimestamp"), now)


def shortened(listed: list[str], count: int) -> str:
    """At most three of a list joined by commas, and how many of ``count`` are left out."""
    joined = ",".join(listed[:3])
    return f"{joined} + {count - 3} more..." if count > 3 else joined
