"""Where figures go: a file beside the facts of the machine, and what they were meant to be."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "memoryMB": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
    }


def _commit() -> str:
    """What was measured; ``+`` at its end says that it had been edited."""
    command = ["git", "describe", "--always", "--dirty=+"]
    with suppress(OSError):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return ""


class Figures:
    """Results as they come. A run that does not come to its end leaves what it has found so far."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.machine = machine()
        self.results: list[dict[str, Any]] = []
        self._write(complete=False)

    def add(self, result: dict[str, Any]) -> None:
        self.results.append(result)
        self._write(complete=False)

    def end(self) -> None:
        self._write(complete=True)

    def _write(self, *, complete: bool) -> None:
        if self.path is not None:
            text = json.dumps(
                {"machine": self.machine, "complete": complete, "results": self.results}, indent=2
            )
            self.path.write_text(text + "\n", encoding="utf-8")


def target(text: str, value: float, limit: float) -> None:
    """Say whether a figure is what it was meant to be."""
    verdict = "met" if value <= limit else "NOT met"
    print(f"    target {verdict}: {text}: {value:.4g} (at most {limit:g})", flush=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """An interrupt, or a reader of the table who leaves, ends a run; what was found by then is kept."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted: figures that were found are kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def command_line(program: str, about: str | None) -> ArgumentParser:
    """The command line of a part of the bench: a text that stays as it is, and where figures are written."""
    made = ArgumentParser(program, description=about, formatter_class=RawDescriptionHelpFormatter)
    made.add_argument("--json", type=destination, help="write all figures to this file, as they come")
    return made


def destination(text: str) -> Path:
    """A file that can be written, said before minutes of work: for argparse."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ArgumentTypeError(f"{text} cannot be written")
    return path


def positive(text: str) -> int:
    """For argparse."""
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)
