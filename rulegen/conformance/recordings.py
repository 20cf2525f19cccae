"""Recorded cases of our own: written by the recorder, kept while kube-proxy does what it did.

``make conformance`` records what others recorded once more, which judges the recorder, and then the stories
of ``fixtures/scenarios`` and generated scenarios.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rulegen.conformance.compare import difference
from rulegen.conformance.recorder import generated, recorded
from rulegen.conformance.stories import RECORDED_MODES, read

SEED = 20260101
COUNT = 40


def load(path: Path) -> Iterator[dict[str, Any]]:
    """The cases of a compressed file, one by one."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def check(program: Path, path: Path) -> list[str]:
    """Record a file's cases once more; what now differs, one text a case."""
    old = list(load(path))
    new = recorded(program, (case["scenario"] for case in old))
    return [text for before, after in zip(old, new, strict=True) if (text := _changed(before, after))]


def rewrite(program: Path, path: Path, mode: str, version: str, stories: Sequence[Path]) -> str | None:
    """Record the stories and some generated scenarios of a mode into a file; what changed, or None.

    A file whose cases are still the same is left as it is: kube-proxy's own order differs from run to run.
    Stories with something that this release does not know yet are left out.
    """
    told = [scenario for directory in stories for scenario in read(directory, version)]
    of_mode = [scenario for scenario in told if scenario["mode"] == mode]
    cases = []
    for case in recorded(program, of_mode, "-keep-going", "-valid"):
        if "error" in case:
            _say(f"{case['scenario']['name']}: left out: {case['error']}")
        else:
            cases.append(case)
    cases += generated(program, mode, SEED, 0, COUNT)
    if path.exists():
        changes = _changes(list(load(path)), cases)
        if changes is None:
            return None
    else:
        changes = "new"
    text = "".join(json.dumps(case, separators=(",", ":"), sort_keys=True) + "\n" for case in cases)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return changes


def _changes(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> str | None:
    if [case["scenario"] for case in old] != [case["scenario"] for case in new]:
        return "other scenarios"
    return next(
        (text for before, after in zip(old, new, strict=True) if (text := _changed(before, after))), None
    )


def _changed(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    scenario = before["scenario"]
    text = difference(scenario["mode"], before["expected"], after["expected"])
    return None if text is None else f"{scenario['name']}: {text}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 where the recorder does not say what was recorded before by others."""
    parser = argparse.ArgumentParser(prog="python -m rulegen.conformance.recordings", description=__doc__)
    parser.add_argument("--recorder", type=Path, required=True, help="conformance/bin/recorder-VERSION")
    parser.add_argument("--version", default="1.37", help="Kubernetes minor")
    parser.add_argument("--fixtures", type=Path, default=Path("fixtures"))
    options = parser.parse_args(arguments)
    stories = sorted(path for path in (options.fixtures / "scenarios").iterdir() if path.is_dir())
    failed = False
    for mode in RECORDED_MODES:
        judge = options.fixtures / "conformance" / f"{options.version}-{mode}.jsonl.gz"
        if judge.exists():
            differing = check(options.recorder, judge)
            failed = failed or bool(differing)
            _say(f"{judge.name}: recorded once more, {len(differing)} differ", *differing[:3])
        own = options.fixtures / "conformance" / f"{options.version}-{mode}-own.jsonl.gz"
        change = rewrite(options.recorder, own, mode, options.version, stories)
        _say(f"{own.name}: {'still the same' if change is None else f'written ({change})'}")
    return 1 if failed else 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(line + "\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
