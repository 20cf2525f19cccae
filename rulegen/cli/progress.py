"""A progress bar for loads that take more than a second, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rulegen.load import Progress

PATIENCE = 1.0
"""Seconds before anything is shown."""


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """What a load is to call; None where nobody would see a bar."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    )
    started = time.monotonic()
    tasks: dict[str, TaskID] = {}

    def show(progress: Progress) -> None:
        if not tasks and time.monotonic() - started < PATIENCE:
            return
        if progress.step not in tasks:
            bar.start()
            tasks[progress.step] = bar.add_task(progress.step)
        bar.update(tasks[progress.step], completed=progress.done, total=progress.total)

    try:
        yield show
    finally:
        bar.stop()
