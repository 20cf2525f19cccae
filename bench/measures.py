"""What is measured. Each runs in a process of its own: ``python -m bench.measures NAME SERVICES ENDPOINTS``.

A measure prints one line of JSON: seconds of each run (the first one is a warm-up and left out), and the
peak memory of the process in MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bench import clusters
from bench.figures import positive
from rulegen.backend import backend
from rulegen.collector import paused
from rulegen.plan import plan

RUNS = 5
MODES = ("iptables", "ipvs", "nftables")


def _timed(work: Callable[[], object], runs: int = RUNS) -> list[float]:
    work()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        # What was made is let go of when the clock has stopped, as kube-proxy's is.
        made = work()
        seconds.append(time.perf_counter() - started)
        del made
    return seconds


def _cold(mode: str, services: int, endpoints: int) -> list[float]:
    """From typed objects in memory (defaults applied, validated) to the whole text."""
    objects = clusters.cluster(services, endpoints)
    room = backend(mode)
    write = room.forms[0].write

    def work() -> object:
        planned = plan(objects, clusters.NODE, clusters.CONFIG, "IPv4")
        ruleset = room.compile_rules(planned)
        return planned, ruleset, write(ruleset)

    with paused():
        return _timed(work, 3)  # and again, in turns with kube-proxy


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


def _compiler(mode: str, services: int, endpoints: int) -> Any:
    from rulegen.compiler import Compiler

    config = msgspec.structs.replace(clusters.CONFIG, mode=mode)
    return Compiler(clusters.cluster(services, endpoints), clusters.NODE, config)


def _one_change(mode: str, services: int, endpoints: int) -> list[float]:
    """One endpoint of one Service is replaced: from the changed object to the transaction's text."""
    compiler = _compiler(mode, services, endpoints)
    pieces = [
        clusters.endpoint_slice(number * 7 % services, endpoints, shift=number + 1) for number in range(101)
    ]
    seconds = []
    with paused():
        for piece in pieces:
            started = time.perf_counter()
            text = compiler.update([piece]).text
            seconds.append(time.perf_counter() - started)
            # Endpoints behind the one that went get another share: at most the whole chain of that Service.
            assert 0 < len(text) < 256 * (endpoints + 4)
    return seconds[1:]


def _one_service(mode: str, services: int, endpoints: int) -> list[float]:
    """A Service with its endpoints comes."""
    compiler = _compiler(mode, services, endpoints)
    seconds = []
    with paused():
        for number in range(services, services + 21):
            objects = [clusters.service(number), clusters.endpoint_slice(number, endpoints)]
            started = time.perf_counter()
            text = compiler.update(objects).text
            seconds.append(time.perf_counter() - started)
            assert text
    return seconds[1:]


def _crossing(services: int, endpoints: int) -> list[float]:
    """The one change that touches every rule: endpoints cross 1,000, and comments go or come."""
    del services, endpoints
    objects = clusters.cluster(100, 10)
    from rulegen.compiler import Compiler

    compiler = Compiler(objects, clusters.NODE, clusters.CONFIG)
    seconds = []
    for number in range(11):
        started = time.perf_counter()
        text = compiler.update([clusters.endpoint_slice(0, 10 + (number + 1) % 2)]).text
        seconds.append(time.perf_counter() - started)
        assert len(text) > 50_000
    return seconds[1:]


def _diff(mode: str, services: int, endpoints: int) -> list[float]:
    """Two compiled states that differ in one endpoint, to a transaction."""
    from rulegen.backend import comparing

    room = comparing(mode)
    before = clusters.cluster(services, endpoints)
    changed = (clusters.endpoint_slice(0, endpoints, shift=1), *before.slices[1:])
    after = msgspec.structs.replace(before, slices=changed)
    states = [
        room.state(room.compile_rules(plan(objects, clusters.NODE, clusters.CONFIG, "IPv4")))
        for objects in (before, after)
    ]

    def work() -> None:
        with paused():
            assert room.diff(*states).text

    return _timed(work, 3)


def _render(mode: str, services: int, endpoints: int) -> list[float]:
    """The text of a compiled ruleset, whatever it was compiled from."""
    room = backend(mode)
    objects = clusters.cluster(services, endpoints)
    ruleset = room.compile_rules(plan(objects, clusters.NODE, clusters.CONFIG, "IPv4"))
    write = room.forms[0].write

    def work() -> None:
        with paused():
            write(ruleset)

    return _timed(work)


def _parse(mode: str, services: int, endpoints: int) -> list[float]:
    """A node's listings, up to where they can be compared."""
    from rulegen.backend import comparing

    room = comparing(mode)
    objects = clusters.cluster(services, endpoints)
    ruleset = room.compile_rules(plan(objects, clusters.NODE, clusters.CONFIG, "IPv4"))
    text = room.state(ruleset).text
    listing = {"iptables": "iptables-save", "nftables": "nft list ruleset", "ipvs": "listings"}[mode]

    def work() -> None:
        with paused():
            assert room.read({listing: text}, "IPv4")

    return _timed(work, 3)


def _load_yaml(loader: str, services: int, endpoints: int) -> list[float]:
    """The same objects as YAML: ours with validation and lines, PyYAML's C loader with neither."""
    from rulegen.load import load

    text = _yaml(services, endpoints)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "objects.yaml"
        path.write_text(text)

        def work() -> None:
            with paused():
                if loader == "rulegen":
                    load(str(path))
                else:
                    list(yaml.load_all(text, yaml.CSafeLoader))

        return _timed(work, 2)


def _yaml(services: int, endpoints: int) -> str:
    objects = json.loads(clusters.listing(services, endpoints))["items"]
    return yaml.dump_all(objects, Dumper=yaml.CSafeDumper, sort_keys=False)


def _tracer(mode: str, services: int, endpoints: int) -> Any:
    """Compiled rules of all Services, to be read by the tracer."""
    import rulegen

    rules = rulegen.compile(
        clusters.cluster(services, endpoints), clusters.NODE, clusters.CONFIG, mode, families=["IPv4"]
    )
    return rulegen.Tracer(rules, node=clusters.NODE, config=clusters.CONFIG)


def _trace(mode: str, services: int, endpoints: int) -> list[float]:
    """One packet through rules that were read before, each to a Service that none was sent to yet."""
    tracer = _tracer(mode, services, endpoints)
    tracer.prepare("IPv4")
    seconds = []
    for number in range(101):
        to = f"{clusters.address(clusters.CLUSTER_IPS, number * 7 % services)}:80"
        started = time.perf_counter()
        trace = tracer.trace("10.255.0.9", to)
        seconds.append(time.perf_counter() - started)
        assert len(trace.outcomes) == endpoints
    return seconds[1:]


def _trace_load(mode: str, services: int, endpoints: int) -> list[float]:
    """Reading the text of compiled rules, up to where packets can be traced."""
    tracers = [_tracer(mode, services, endpoints) for _ in range(4)]
    return _timed(lambda: tracers.pop().prepare("IPv4"), 3)


def _command(*arguments: str) -> Callable[[int, int], list[float]]:
    """A whole process of the command line, reading a listing of the cluster where it needs one."""

    def measured(services: int, endpoints: int) -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "objects.json"
            if "FILE" in arguments:
                path.write_bytes(clusters.listing(services, endpoints))
            command = [sys.executable, "-m", "rulegen.cli.main"]
            command += [str(path) if word == "FILE" else word for word in arguments]
            # Compiled modules are kept, as an installed program's are: making them takes a tenth of a second.
            kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

            def work() -> None:
                done = subprocess.run(command, check=False, capture_output=True, env=kept, text=True)
                if done.returncode:
                    sys.exit(f"exit code {done.returncode}: {done.stderr}")

            return _timed(work, 5)

    return measured


MEASURES: dict[str, Callable[[int, int], list[float]]] = {
    "load json": _load_json,
    "f-string loop": _f_strings,
    "load yaml": partial(_load_yaml, "rulegen"),
    "PyYAML": partial(_load_yaml, "PyYAML"),
    "crossing 1,000 endpoints": _crossing,
    **{
        f"{name} {mode}": partial(measure, mode)
        for mode in MODES
        for name, measure in (
            ("cold", _cold),
            ("render", _render),
            ("one change", _one_change),
            ("one service", _one_service),
            ("diff", _diff),
            ("parse", _parse),
            ("trace", _trace),
            ("trace load", _trace_load),
        )
    },
}
COMMANDS: dict[str, Callable[[int, int], list[float]]] = {
    "help": _command("--help"),
    "show": _command("show", "svc/svc-7", "-n", "ns-7", "-f", "FILE"),
    "trace": _command("trace", "--from", "10.128.0.5", "--to", "svc/svc-7", "-n", "ns-7", "-f", "FILE"),
}
"""Measured in processes of their own, whose memory counts."""


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.measures", description="One measure alone.")
    known = MEASURES | COMMANDS
    parser.add_argument("name", choices=known, metavar="NAME", help=", ".join(known))
    parser.add_argument("services", type=positive)
    parser.add_argument("endpoints", type=positive)
    options = parser.parse_args()
    seconds = known[options.name](options.services, options.endpoints)
    whose = resource.RUSAGE_CHILDREN if options.name in COMMANDS else resource.RUSAGE_SELF
    peak = resource.getrusage(whose).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peakMB": round(peak)}))


if __name__ == "__main__":
    main()
