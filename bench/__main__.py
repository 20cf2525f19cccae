"""``make bench``: figures of rulegen beside its peers, from the same run.

Every measure runs several times in a process of its own; the table shows medians with minimum and maximum.
The peer is kube-proxy itself, timed by the recorder (``conformance/``) where it has been built.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODES = ("iptables", "ipvs", "nftables")


def measure(name: str, services: int, endpoints: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.measures", name, str(services), str(endpoints)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def kube_proxy(mode: str, services: int, endpoints: int) -> dict[str, Any] | None:
    """What the recorder says of the real proxier; None where it has not been built."""
    recorders = sorted((ROOT / "conformance" / "bin").glob("recorder-1.37*"))
    if not recorders:
        return None
    command = [
        str(recorders[-1]),
        "time",
        "-services",
        str(services),
        "-endpoints",
        str(endpoints),
        "-mode",
        mode,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(name: str, size: str, seconds: list[float], peak: float | None) -> str:
    spread = f"{min(seconds) * 1000:.0f}-{max(seconds) * 1000:.0f}"
    memory = f"{peak:.0f}" if peak else "-"
    return f"{name:<34}{size:>14}{statistics.median(seconds) * 1000:>12.0f}{spread:>16}{memory:>10}"


def machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10000)
    parser.add_argument("--endpoints", type=int, default=10)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    services, endpoints = options.services, options.endpoints
    size = f"{services} x {endpoints}"
    results: list[dict[str, Any]] = []
    print(f"{'':<34}{'size':>14}{'median ms':>12}{'min-max ms':>16}{'peak MB':>10}")

    def report(name: str, seconds: list[float], peak: float | None) -> None:
        results.append(
            {"name": name, "services": services, "endpoints": endpoints, "seconds": seconds, "peakMB": peak}
        )
        print(row(name, size, seconds, peak), flush=True)

    for mode in options.modes.split(","):
        found = measure(f"cold {mode}", services, endpoints)
        report(f"rulegen: {mode}, objects to text", found["seconds"], found["peakMB"])
        peer = kube_proxy(mode, services, endpoints)
        if peer is None:
            print(f"{'kube-proxy: ' + mode:<34}not built: make conformance VERSION=1.37.2")
            continue
        first = peer["feed"]["seconds"] + peer["firstSync"]["seconds"]
        report(f"kube-proxy: {mode}, feed + first sync", [first], peer["peakRSSBytes"] / 2**20)
        report(f"kube-proxy: {mode}, later full sync", [peer["fullSync"]["seconds"]], None)
        report(f"kube-proxy: {mode}, one change", [peer["oneEndpointChange"]["seconds"]], None)
        ratio = statistics.median(found["seconds"]) / first
        print(f"{'':<4}{mode}: {ratio:.2f} of kube-proxy's feed + first sync")
    for name, label in (
        ("load json", "rulegen: load and validate JSON"),
        ("f-string loop", "plain f-string loop"),
    ):
        found = measure(name, services, endpoints)
        report(label, found["seconds"], found["peakMB"])
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
