"""What is measured. Each runs in a process of its own: `python -m bench.measures NAME SERVICES ENDPOINTS`.

A measure prints one line of JSON: seconds of each run (the first one is a warm-up and left out), and the
peak memory of the process in MB.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import clusters
from rulegen.backend import backend
from rulegen.collector import paused
from rulegen.plan import plan

RUNS = 5


def _timed(work: Callable[[], object], runs: int = RUNS) -> list[float]:
    work()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def _cold(mode: str, services: int, endpoints: int) -> list[float]:
    """From typed objects in memory (defaults applied, validated) to the whole text."""
    objects = clusters.cluster(services, endpoints)
    room = backend(mode)
    write = room.forms[0].write

    def work() -> None:
        with paused():
            write(room.compile_rules(plan(objects, clusters.NODE, clusters.CONFIG, "IPv4")))

    return _timed(work)


def _load_json(services: int, endpoints: int) -> list[float]:
    """Decoding and validating the objects of a `kubectl get -o json` file."""
    from rulegen.load import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "objects.json"
        path.write_bytes(clusters.listing(services, endpoints))

        def work() -> None:
            with paused():
                load(str(path))

        return _timed(work, 3)


def _f_strings(services: int, endpoints: int) -> list[float]:
    """A peer: the least that writing these rules can cost, one f-string a rule and no hashing at all."""
    objects = clusters.cluster(services, endpoints)

    def work() -> None:
        lines = []
        for number, piece in enumerate(objects.slices):
            for index, endpoint in enumerate(piece.endpoints or ()):
                name, ip = f"{number:08d}{index:08d}", endpoint.addresses[0]
                lines.append(f":KUBE-SEP-{name} - [0:0]\n")
                lines.append(f"-A KUBE-SVC-{number:016d} -m statistic --mode random -j KUBE-SEP-{name}\n")
                lines.append(f"-A KUBE-SEP-{name} -s {ip} -j KUBE-MARK-MASQ\n")
                lines.append(f"-A KUBE-SEP-{name} -m tcp -p tcp -j DNAT --to-destination {ip}:8080\n")
        "".join(lines)

    return _timed(work)


MEASURES: dict[str, Callable[[int, int], list[float]]] = {
    "cold iptables": lambda s, e: _cold("iptables", s, e),
    "cold ipvs": lambda s, e: _cold("ipvs", s, e),
    "cold nftables": lambda s, e: _cold("nftables", s, e),
    "load json": _load_json,
    "f-string loop": _f_strings,
}


def main() -> None:
    name, services, endpoints = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    seconds = MEASURES[name](services, endpoints)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peakMB": round(peak)}))


if __name__ == "__main__":
    main()
