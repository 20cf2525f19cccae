"""Running random scenarios through the real proxiers and through ours until they differ.

``make fuzz`` is the way in; ``conformance/README.md`` says how the real side is built. The first difference
is shrunk and written as a story under ``fixtures/scenarios``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from rulegen.conformance.compare import difference
from rulegen.conformance.recorder import Recorder, generated
from rulegen.conformance.rules import replay
from rulegen.conformance.shrink import shrink
from rulegen.conformance.stories import RECORDED_MODES, write

CHUNK = 250
RECORDINGS = 3


class Found(NamedTuple):
    """A scenario of which the two sides think differently."""

    scenario: dict[str, Any]
    text: str


def judge(mode: str, expected: Mapping[str, Any], scenario: Mapping[str, Any]) -> str | None:
    """The first difference between what was recorded and ours, where an error of ours is one."""
    try:
        return difference(mode, expected, replay(scenario))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def search(program: Path, mode: str, seed: int, first: int, count: int) -> tuple[int, list[Found]]:
    """How many scenarios of a stretch were compared, and those that differ."""
    found = []
    compared = 0
    for case in generated(program, mode, seed, first, count):
        compared += 1
        text = judge(mode, case["expected"], case["scenario"])
        if text is not None:
            found.append(Found(case["scenario"], text))
    return compared, found


def differs(recorder: Recorder, scenario: Mapping[str, Any]) -> str | None:
    """The difference in a scenario, unless it is not valid or kube-proxy itself is of two minds about it."""
    mode = scenario["mode"]
    expected = recorder.record(scenario)
    if expected is None:
        return None
    text = judge(mode, expected, scenario)
    if text is None:
        return None
    for _ in range(RECORDINGS - 1):
        again = recorder.record(scenario)
        if again is None or difference(mode, expected, again) is not None:
            return None
    return text


def minimal(program: Path, scenario: Mapping[str, Any]) -> Found | None:
    """The smallest scenario that still differs; None where kube-proxy does not always do the same."""
    with Recorder(program) as recorder:
        if differs(recorder, scenario) is None:
            return None
        small = shrink(scenario, lambda candidate: differs(recorder, candidate) is not None)
        text = differs(recorder, small)
    assert text is not None
    return Found(small, text)


def run(program: Path, mode: str, seed: int, count: int, jobs: int, fixtures: Path) -> int:
    """Compare ``count`` scenarios; the number of those that differ. The first becomes a story."""
    started = time.monotonic()
    compared, found = 0, []
    with ProcessPoolExecutor(jobs) as pool:
        stretches = [
            pool.submit(search, program, mode, seed, first, min(CHUNK, count - first))
            for first in range(0, count, CHUNK)
        ]
        for stretch in as_completed(stretches):
            done, differing = stretch.result()
            compared += done
            found += differing
    seconds = time.monotonic() - started
    _say(f"{mode}: {compared} scenarios of seed {seed} in {seconds:.0f} s, {len(found)} differ")
    for scenario, text in sorted(found, key=lambda each: str(each.scenario["name"])):
        small = minimal(program, scenario)
        if small is None:
            _say(f"{scenario['name']}: kube-proxy does not always do the same: {text}")
            continue
        directory = fixtures / scenario["name"]
        write(directory, small.scenario, f"Found by make fuzz, then made small.\n{small.text}")
        _say(f"{scenario['name']}: {small.text}")
        _say(f"written to {directory}")
        break
    return len(found)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where nothing differs, 1 where something does."""
    parser = argparse.ArgumentParser(prog="python -m rulegen.conformance.fuzz", description=__doc__)
    parser.add_argument("--recorder", type=Path, required=True, help="conformance/bin/recorder-VERSION")
    parser.add_argument("--mode", action="append", choices=RECORDED_MODES, help="all three by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000, help="scenarios per mode")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fixtures", type=Path, default=Path("fixtures/scenarios"))
    options = parser.parse_args(arguments)
    differing = 0
    for mode in options.mode or RECORDED_MODES:
        differing += run(options.recorder, mode, options.seed, options.count, options.jobs, options.fixtures)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
