"""``make bench``: figures of rulegen beside its peers, from the same run.

Every measure runs several times in a process of its own; the table shows medians with minimum and maximum.
The peer is kube-proxy itself, timed by the recorder (``conformance/``) where it has been built. All sizes
take about twenty minutes, 10000x10 alone three; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import clusters
from bench.figures import Figures, command_line, destination, interruptible, target
from bench.growth import exponent, plot

ROOT = Path(__file__).resolve().parent.parent
MODES = ("iptables", "ipvs", "nftables")
SIZES = "1000x10,5000x10,10000x10,30000x10,44000x10,5000x50"
FULL = (10000, 10)
"""The size that targets are of."""
NO_SIZE = (0, 0)
FEWEST = 8
"""Services: it is the eighth that is shown and traced."""
HELP = "rulegen --help, whole process"
PEER_RUNS = 3
LONGEST = 600
"""Seconds after which one measure is given up."""


class Report:
    """Figures as they come: a row of the table each, and all of them for JSON and the plot."""

    def __init__(self, path: Path | None) -> None:
        self.figures = Figures(path)
        self.results = self.figures.results
        self.failed: list[str] = []
        self.missing = ""
        print(f"{'':<44}{'size':>14}{'median ms':>12}{'min-max ms':>18}{'peak MB':>10}")

    def add(self, name: str, size: tuple[int, int], seconds: list[float], peak: float | None = None) -> None:
        self.figures.add(
            {"name": name, "services": size[0], "endpoints": size[1], "seconds": seconds, "peakMB": peak}
        )
        median, low, high = (1000 * f(seconds) for f in (statistics.median, min, max))
        digits = 0 if median >= 10 else 2
        spread = f"{low:.{digits}f}-{high:.{digits}f}"
        memory = f"{peak:.0f}" if peak else "-"
        label = "-" if size == NO_SIZE else f"{size[0]} x {size[1]}"
        print(f"{name:<44}{label:>14}{median:>12.{digits}f}{spread:>18}{memory:>10}", flush=True)

    def fail(self, name: str, size: tuple[int, int], why: str) -> None:
        """A measure that did not come to its end: said at once, and the others go on."""
        self.failed.append(f"{name} ({size[0]} x {size[1]})")
        print(f"{self.failed[-1]}: failed\n{why}", file=sys.stderr, flush=True)

    def median(self, name: str, size: tuple[int, int]) -> float | None:
        for result in self.results:
            if (result["name"], result["services"], result["endpoints"]) == (name, *size):
                found: float = statistics.median(result["seconds"])
                return found
        return None

    def peak(self, name: str, size: tuple[int, int]) -> float | None:
        """Megabytes."""
        for result in self.results:
            if (result["name"], result["services"], result["endpoints"]) == (name, *size):
                found: float | None = result["peakMB"]
                return found
        return None

    def ratio(self, text: str, ours: str, theirs: str, size: tuple[int, int]) -> None:
        a, b = self.median(ours, size), self.median(theirs, size)
        if a and b:
            print(f"    {text}: {a / b:.3g}", flush=True)


def _output(report: Report, name: str, size: tuple[int, int], command: list[str]) -> str | None:
    """What a measure prints; None where it failed or was given up, which the report then holds."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        report.fail(name, size, f"given up after {LONGEST} s")
        return None
    if done.returncode:
        report.fail(name, size, done.stderr)
        return None
    return done.stdout


def _measured(report: Report, label: str, name: str, size: tuple[int, int]) -> tuple[list[float], float]:
    """Seconds and the peak of memory of one measure; nothing where it failed."""
    given = (1, 1) if size == NO_SIZE else size
    text = _output(report, label, size, [sys.executable, "-m", "bench.measures", name, *map(str, given)])
    if text is None:
        return [], 0
    found = json.loads(text)
    return found["seconds"], found["peakMB"]


def measure(report: Report, label: str, name: str, size: tuple[int, int]) -> None:
    seconds, peak = _measured(report, label, name, size)
    if seconds:
        report.add(label, size, seconds, peak)


def kube_proxy(report: Report, mode: str, size: tuple[int, int]) -> dict[str, Any] | None:
    """What the recorder says of the real proxier; the report says so where it has not been built."""
    recorders = sorted((ROOT / "conformance" / "bin").glob("recorder-1.37*"))
    if not recorders:
        report.missing = "kube-proxy: make recorder VERSION=1.37.2 (which needs Go) builds what times it"
        return None
    command = [str(recorders[-1]), "time", "-mode", mode]  # each the median of three, warm as ours are
    command += ["-services", str(size[0]), "-endpoints", str(size[1])]
    text = _output(report, f"kube-proxy {mode}", size, command)
    found: dict[str, Any] | None = None if text is None else json.loads(text)
    return found


def cold(report: Report, mode: str, size: tuple[int, int]) -> None:
    """Objects to text, in turns with kube-proxy: the speed of a shared machine drifts."""
    ours = f"{mode}: objects to text"
    seconds, peak = _measured(report, ours, f"cold {mode}", size)
    peers: list[dict[str, Any]] = []
    for _ in range(PEER_RUNS):
        peer = kube_proxy(report, mode, size)
        if peer is None:
            break
        peers.append(peer)
        more, _ = _measured(report, ours, f"cold {mode}", size)
        seconds += more
    if seconds:
        report.add(ours, size, seconds, peak)
    if peers:
        first = [peer["feed"]["seconds"] + peer["firstSync"]["seconds"] for peer in peers]
        most = max(peer["peakRSSBytes"] for peer in peers) / 2**20
        report.add(f"kube-proxy {mode}: feed + first sync", size, first, most)
        for name, step in (("later full sync", "fullSync"), ("one change", "oneEndpointChange")):
            report.add(f"kube-proxy {mode}: {name}", size, [peer[step]["seconds"] for peer in peers])


OF_A_MODE = (
    ("the text of a ruleset", "render"),
    ("one endpoint changed", "one change"),
    ("one service added", "one service"),
    ("diff of two compiled states", "diff"),
    ("a node's listings parsed", "parse"),
    ("rules read for traces", "trace load"),
    ("one packet traced", "trace"),
)
OF_ALL = (
    ("load and validate kubectl's JSON", "load json"),
    ("rulegen show svc/NAME, whole process", "show"),
    ("rulegen trace --to svc/NAME, whole process", "trace"),
    ("peer: a plain f-string loop", "f-string loop"),
)


OF_NO_SIZE = ((HELP, "help", NO_SIZE), ("crossing 1,000 endpoints", "crossing 1,000 endpoints", (100, 10)))
"""What is the same at every size, or has one of its own."""


def growing(report: Report, size: tuple[int, int], modes: list[str]) -> None:
    """What tells growth."""
    for mode in modes:
        cold(report, mode, size)
        measure(report, f"{mode}: one endpoint changed", f"one change {mode}", size)


def everything(report: Report, size: tuple[int, int], modes: list[str]) -> None:
    """All measures at one size."""
    for mode in modes:
        cold(report, mode, size)
        ours = f"{mode}: objects to text"
        report.ratio("of kube-proxy's feed + first sync", ours, f"kube-proxy {mode}: feed + first sync", size)
        report.ratio("of kube-proxy's later full sync", ours, f"kube-proxy {mode}: later full sync", size)
        for label, name in OF_A_MODE:
            measure(report, f"{mode}: {label}", f"{name} {mode}", size)
        report.ratio(
            "of kube-proxy's one change",
            f"{mode}: one endpoint changed",
            f"kube-proxy {mode}: one change",
            size,
        )
    for label, name in OF_ALL:
        measure(report, label, name, size)
    # YAML is slow to read by anybody: a tenth of the Services tells as much.
    tenth = (max(size[0] // 10, 1), size[1])
    measure(report, "load and validate YAML", "load yaml", tenth)
    measure(report, "peer: PyYAML's C loader alone", "PyYAML", tenth)
    report.ratio("of PyYAML's", "load and validate YAML", "peer: PyYAML's C loader alone", tenth)


def targets(report: Report, size: tuple[int, int]) -> None:
    """What the figures of one size were meant to be, and whether they are."""
    median = report.median

    def told(text: str, value: float | None, limit: float) -> None:
        if value is not None:
            target(text, value, limit)

    def of(ours: str, theirs: str) -> float | None:
        a, b = median(ours, size), median(theirs, size)
        return a / b if a and b else None

    for mode in ("iptables", "ipvs"):
        first = f"kube-proxy {mode}: feed + first sync"
        told(f"{mode}: objects to text of feed + first sync", of(f"{mode}: objects to text", first), 0.7)
    later = "kube-proxy nftables: later full sync"
    told("nftables: objects to text of later full sync", of("nftables: objects to text", later), 5)
    for mode in MODES:
        change = of(f"{mode}: one endpoint changed", f"kube-proxy {mode}: one change")
        told(f"{mode}: one change of kube-proxy's", change, 0.05)
    told("rulegen show, s", median("rulegen show svc/NAME, whole process", size), 1.5)
    told("rulegen --help, s", median(HELP, NO_SIZE), 0.15)
    told("one packet traced, s", median("iptables: one packet traced", size), 0.005)
    peak = report.peak("iptables: objects to text", size)
    told("peak memory of objects to text, MB", peak, 470)
    for mode in MODES:
        small, large = (median(f"{mode}: one endpoint changed", (n, 10)) for n in (1000, 44000))
        if small and large:
            told(f"{mode}: one change at 44,000 services of that at 1,000", large / small, 1.5)


def _sizes(text: str) -> list[tuple[int, int]]:
    found = list(dict.fromkeys(clusters.size(each) for each in text.split(",")))
    for services, _ in found:
        if services < FEWEST:
            raise argparse.ArgumentTypeError(f"{services} services are too few: {FEWEST} or more")
    return found


def _modes(text: str) -> list[str]:
    modes = text.split(",")
    for mode in modes:
        if mode not in MODES:
            raise argparse.ArgumentTypeError(f"{mode!r} is no mode: {', '.join(MODES)}")
    return list(dict.fromkeys(modes))


def main() -> None:
    parser = command_line("python -m bench", __doc__)
    sizes = f"SERVICESxENDPOINTS, comma-separated (default: {SIZES})"
    parser.add_argument("--sizes", default=SIZES, type=_sizes, help=sizes)
    parser.add_argument("--quick", action="store_true", help="only growth at sizes other than 10000x10")
    modes = f"comma-separated (default: {','.join(MODES)})"
    parser.add_argument("--modes", default=",".join(MODES), type=_modes, help=modes)
    parser.add_argument("--plot", type=destination, help="write a plot of growth to this SVG file")
    options = parser.parse_args()
    with interruptible():
        report = Report(options.json)
        run(report, options.sizes, options.modes, quick=options.quick)
        report.figures.end()
        if options.plot:
            _draw(options.plot, report)
    if report.missing:
        print(f"not compared with {report.missing}", file=sys.stderr)
    if report.failed:
        print(f"not measured: {', '.join(report.failed)}", file=sys.stderr)
        sys.exit(1)


def _draw(path: Path, report: Report) -> None:
    drawn = plot(report.results)
    if drawn:
        path.write_text(drawn, encoding="utf-8")
    else:
        print(f"{path} is left as it is: a line of growth takes three sizes", file=sys.stderr)


def run(report: Report, sizes: list[tuple[int, int]], modes: list[str], *, quick: bool) -> None:
    """All measures, then how cost grows and whether targets are met."""
    for label, name, size in OF_NO_SIZE:
        measure(report, label, name, size)
    for each in sizes:
        if each == FULL or len(sizes) == 1 or not quick:
            everything(report, each, modes)
        else:
            growing(report, each, modes)
    for mode in modes:
        for name in (
            f"{mode}: objects to text",
            f"{mode}: one endpoint changed",
            f"kube-proxy {mode}: one change",
        ):
            found = exponent(report.results, name)
            if found is not None:
                print(f"    {name}: grows as services^{found:.2f}")
    if FULL in sizes:
        targets(report, FULL)


if __name__ == "__main__":
    main()
