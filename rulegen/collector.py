"""Python's cycle collector, out of the way while many immutable values are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")


@contextmanager
def paused() -> Iterator[None]:
    """Pause the cycle collector.

    A large compile makes hundreds of thousands of values without any cycle; the collector would walk them
    again and again, for more than a third of the whole time, and find nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def goes_on() -> None:
    """For a process that stays: the collector runs, and leaves alone what there is so far."""
    _KEPT.clear()
    gc.freeze()
    gc.enable()


def kept(value: Value) -> Value:
    """The value, which is not let go of, where the collector is off, before another one of its type is kept.

    For a process that ends at once when its work is done (``command`` in ``rulegen/cli/main.py``): taking a
    large cluster apart value by value takes a tenth of a second.
    """
    if not gc.isenabled():
        _KEPT[type(value)] = value
    return value


_KEPT: dict[type[Any], Any] = {}
