"""``make conformance-cluster`` and ``make fuzz-cluster``: record from a control plane, or compare with it."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from pathlib import Path

from conformance.cluster.kinds import KINDS
from conformance.cluster.plane import Plane, ends_on_signals, in_own_namespace

FILES = {"nodes": "dumps"}
"""Kind -> how its file is called, where it is not called like the kind."""


def main() -> int:
    """Exit code 0 where nothing differs, 1 where something does, 2 where the control plane does not work."""
    parser = argparse.ArgumentParser(prog="python -m conformance.cluster", description=__doc__)
    parser.add_argument("--programs", type=Path, required=True, help="conformance/bin/cluster-VERSION")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="all by default; repeatable")
    parser.add_argument("--count", type=int, default=100, help="cases of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path, help="write the cases to KIND-MINOR.jsonl.gz in this folder")
    parser.add_argument("--show", type=int, default=5, help="cases that differ and are shown, of each kind")
    options = parser.parse_args()
    in_own_namespace()
    ends_on_signals()
    differing = 0
    with tempfile.TemporaryDirectory(prefix="rulegen-cluster-") as folder:
        try:
            with Plane(options.programs.resolve(), Path(folder), address="0.0.0.0") as plane:
                for name in options.kind or list(KINDS):
                    differing += _kind(plane, name, options)
        except (RuntimeError, OSError) as error:
            print(f"the control plane does not work: {error}", file=sys.stderr)
            return 2
    return 1 if differing else 0


def _kind(plane: Plane, name: str, options: argparse.Namespace) -> int:
    """Cases of one kind: how many of them differ from ours."""
    kind = KINDS[name]
    started = time.monotonic()
    cases, differing, parts = [], 0, 0
    for case in kind.cases(plane, options.seed, options.count):
        cases.append(case)
        parts += len(case.get("commands") or case.get("queries") or [1])
        try:
            found = kind.differences(case)
        except Exception as error:  # a fault of ours is a difference, too
            found = [f"{type(error).__name__}: {error}"]
        if found:
            differing += 1
            if differing <= options.show:
                what = case.get("name") or json.dumps(case.get("object"))
                print(f"--- {name}: {what}", *found, sep="\n", flush=True)
    seconds = time.monotonic() - started
    said = f" ({parts} commands or questions)" if parts != len(cases) else ""
    print(
        f"{name}: {len(cases)} cases{said} of seed {options.seed} in {seconds:.0f} s, {differing} differ",
        flush=True,
    )
    if options.into is not None:
        options.into.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(case, sort_keys=True) + "\n" for case in cases)
        minor = options.programs.name.removeprefix("cluster-").rpartition(".")[0]
        path = options.into / f"{FILES.get(name, name)}-{minor}.jsonl.gz"
        path.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
        print(f"written to {path}")
    return differing


if __name__ == "__main__":
    sys.exit(main())
