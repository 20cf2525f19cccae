"""The kernel's side of one change: ``python -m bench.kernel [--size 10000x10]``.

In a network namespace that holds all rules, one endpoint is replaced: by rulegen's transaction, by what
kube-proxy writes at a change (all lines of the chains that Services share, and the chains of the changed
Service), and by the whole text. Both variants of iptables; needs root.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time

import msgspec

from bench import clusters
from bench.dumps import namespace
from bench.figures import Figures, command_line, interruptible, positive, target
from rulegen.collector import paused
from rulegen.compiler import Compiler
from rulegen.iptables import Ruleset
from rulegen.iptables.ruleset import PortKey
from rulegen.iptables.text import restore, restore_with_jumps

VARIANTS = ("nft", "legacy")
OURS, PARTIAL, WHOLE = "rulegen's transaction", "kube-proxy's partial text", "the whole text"


def partial_text(ruleset: Ruleset, changed: PortKey) -> str:
    """What kube-proxy writes when the endpoints of one Service change (its minimized restore, since 1.27)."""
    fragments = {
        key: fragment if key == changed else msgspec.structs.replace(fragment, nat_chains="", nat_rules="")
        for key, fragment in ruleset.fragments.items()
    }
    return restore(msgspec.structs.replace(ruleset, fragments=fragments))


def ways(services: int, endpoints: int) -> tuple[str, dict[str, list[str]]]:
    """All rules, and for each way of changing one endpoint the texts that do it there and back."""
    compiler = Compiler(clusters.cluster(services, endpoints), clusters.NODE, clusters.CONFIG)
    key = ("ns-7", "svc-7", "http", "TCP")
    with paused():
        whole = restore_with_jumps(compiler.ruleset)
        found: dict[str, list[str]] = {way: [] for way in (OURS, PARTIAL, WHOLE)}
        for shift in (1, 0):
            change = compiler.update([clusters.endpoint_slice(7, endpoints, shift=shift)])
            ruleset = compiler.ruleset
            found[OURS].append(change.text)
            found[PARTIAL].append(partial_text(ruleset, key))
            found[WHOLE].append(restore(ruleset))
    return whole, found


def timed(tool: list[str], text: str, limit: float) -> float:
    """Seconds that the kernel's tool takes for a text, no more than ``limit``."""
    started = time.perf_counter()
    try:
        subprocess.run(tool, input=text.encode(), check=True, capture_output=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return limit
    return time.perf_counter() - started


def main() -> None:
    parser = command_line("python -m bench.kernel", __doc__)
    size = "SERVICESxENDPOINTS, from 8x1 (default: 10000x10)"
    parser.add_argument("--size", default="10000x10", type=clusters.size, help=size)
    both, one_of = ",".join(VARIANTS), f"{' or '.join(VARIANTS)} (default: both)"
    parser.add_argument("--variants", default=both, choices=(both, *VARIANTS), metavar="NAME", help=one_of)
    parser.add_argument("--runs", type=positive, default=2, help="there and back, for each way (default: 2)")
    limit = "seconds after which a way is given up (default: 60)"
    parser.add_argument("--limit", type=positive, default=60, help=limit)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("the kernel's side of a change: needs root")
        return
    if options.size[0] < 8:
        parser.error("the eighth Service is changed: there have to be that many")
    with interruptible():
        run(options.size, options.variants.split(","), options.runs, options.limit, Figures(options.json))


def run(size: tuple[int, int], variants: list[str], runs: int, limit: float, figures: Figures) -> None:
    """Measure each way of changing one endpoint in namespaces of these variants."""
    whole, found = ways(*size)
    label = "x".join(map(str, size))
    print(f"{'one endpoint of ' + label:<44}{'bytes':>12}{'median ms':>12}{'min-max ms':>18}")
    for variant in variants:
        with namespace() as inside:
            # The namespace is empty; with --noflush iptables-nft takes quadratic time for many new chains.
            fill = [*inside, f"iptables-{variant}-restore"]
            if timed(fill, whole, limit) >= limit:
                print(f"{variant}: filling the namespace was given up after {limit:g} s")
                continue
            tool = [*fill, "--noflush"]
            for way, texts in found.items():
                # Where a way is given up, iptables-nft goes with the namespace; nothing was committed.
                taken = texts[:1] if way == WHOLE else texts * runs
                seconds = [timed(tool, text, limit) for text in taken]
                length = max(map(len, texts))
                figures.add({"name": f"{variant}: {way}", "size": label, "bytes": length, "seconds": seconds})
                spread = f"{min(seconds) * 1000:.0f}-{max(seconds) * 1000:.0f}"
                median = statistics.median(seconds) * 1000
                given_up = "  (given up)" if max(seconds) >= limit else ""
                print(
                    f"{variant + ': ' + way:<44}{length:>12}{median:>12.0f}{spread:>18}{given_up}", flush=True
                )
    target("bytes of a transaction", max(map(len, found[OURS])), 2048)
    figures.end()


if __name__ == "__main__":
    main()
