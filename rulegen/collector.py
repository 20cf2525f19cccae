"""Python's cycle collector, out of the way while many immutable values are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
    gc.freeze()
    gc.enable()
