"""The program that runs the real proxiers (``conformance/``), as Python calls it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import IO, Any


class Recorder:
    """The real proxiers, asked one scenario at a time."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program, "record", "-keep-going", "-valid"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def record(self, scenario: Mapping[str, Any]) -> dict[str, Any] | None:
        """What they make of it, by family, or None where no API server or kube-proxy would take it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(_line(scenario))
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the recorder ended with code {self._process.wait()}")
        expected: dict[str, Any] | None = json.loads(line).get("expected")
        return expected


def recorded(
    program: Path, scenarios: Iterable[Mapping[str, Any]], *options: str
) -> Iterator[dict[str, Any]]:
    """The cases of these scenarios, in their order. RuntimeError where one of them cannot be recorded.

    With the option ``-keep-going`` such a case has an ``error`` instead; with ``-valid`` that is also one
    whose objects the API server would refuse.
    """
    arguments = [str(program), "record", *options]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as recording:
        assert recording.stdin is not None
        assert recording.stdout is not None
        feeding = Thread(target=_feed, args=(recording.stdin, scenarios))
        feeding.start()
        yield from map(json.loads, recording.stdout)
        feeding.join()
    if recording.returncode:
        raise RuntimeError(f"{program}: record ended with {recording.returncode}")


def generated(program: Path, mode: str, seed: int, first: int, count: int) -> Iterator[dict[str, Any]]:
    """The cases of generated scenarios. RuntimeError where the program fails."""
    arguments = ["-mode", mode, "-seed", str(seed), "-first", str(first), "-count", str(count)]
    with (
        subprocess.Popen([program, "generate", *arguments], stdout=subprocess.PIPE) as making,
        subprocess.Popen([program, "record"], stdin=making.stdout, stdout=subprocess.PIPE) as recording,
    ):
        assert making.stdout is not None
        assert recording.stdout is not None
        making.stdout.close()
        yield from map(json.loads, recording.stdout)
    if making.returncode or recording.returncode:
        codes = f"generate ended with {making.returncode}, record with {recording.returncode}"
        raise RuntimeError(f"{program}: {codes}")


def _feed(pipe: IO[bytes], scenarios: Iterable[Mapping[str, Any]]) -> None:
    # A recorder that has ended says so by its code.
    try:
        with pipe:
            for scenario in scenarios:
                pipe.write(_line(scenario))
    except BrokenPipeError:
        pass


def _line(scenario: Mapping[str, Any]) -> bytes:
    return json.dumps(scenario, separators=(",", ":")).encode() + b"\n"
