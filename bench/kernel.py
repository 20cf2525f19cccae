"""The kernel's side of one change: ``python -m bench.kernel [--size 10000x10]``.

In a network namespace that holds all rules, one endpoint is replaced: by rulegen's transaction, by what
kube-proxy writes at a change (all lines of the chains that Services share, and the chains of the changed
Service), and by the whole text. Both variants of iptables; needs root.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec

from bench import clusters
from bench.dumps import namespace
from bench.machine import write
from rulegen.collector import paused
from rulegen.compiler import Compiler
from rulegen.iptables import Ruleset
from rulegen.iptables.ruleset import PortKey
from rulegen.iptables.text import restore, restore_with_jumps

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="10000x10", type=clusters.size, help="SERVICESxENDPOINTS, from 8x1")
    parser.add_argument("--variants", default="nft,legacy", choices=("nft,legacy", "nft", "legacy"))
    parser.add_argument("--runs", type=int, default=2, help="there and back, for each way")
    parser.add_argument("--limit", type=float, default=60, help="seconds after which a way is given up")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("the kernel's side of a change: needs root")
        return
    if options.size[0] < 8:
        parser.error("the eighth Service is changed: there have to be that many")
    whole, found = ways(*options.size)
    size = "x".join(map(str, options.size))
    results: list[dict[str, Any]] = []
    print(f"{'one endpoint of ' + size:<44}{'bytes':>12}{'median ms':>12}{'min-max ms':>18}")
    for variant in options.variants.split(","):
        with namespace() as inside:
            # The namespace is empty; with --noflush iptables-nft takes quadratic time for many new chains.
            fill = [*inside, f"iptables-{variant}-restore"]
            if timed(fill, whole, options.limit) >= options.limit:
                print(f"{variant}: filling the namespace was given up after {options.limit:g} s")
                continue
            tool = [*fill, "--noflush"]
            for way, texts in found.items():
                # Where a way is given up, iptables-nft goes with the namespace; nothing was committed.
                taken = texts[:1] if way == WHOLE else texts * options.runs
                seconds = [timed(tool, text, options.limit) for text in taken]
                length = len(texts[0])
                results.append(
                    {"name": f"{variant}: {way}", "size": size, "bytes": length, "seconds": seconds}
                )
                spread = f"{min(seconds) * 1000:.0f}-{max(seconds) * 1000:.0f}"
                median = statistics.median(seconds) * 1000
                given_up = "  (given up)" if max(seconds) >= options.limit else ""
                print(
                    f"{variant + ': ' + way:<44}{length:>12}{median:>12.0f}{spread:>18}{given_up}", flush=True
                )
    largest = max(len(text) for text in found[OURS])
    verdict = "met" if largest <= 2048 else "NOT met"
    print(f"    target {verdict}: bytes of a transaction: {largest} (at most 2048)")
    if options.json:
        write(options.json, results)


if __name__ == "__main__":
    main()
