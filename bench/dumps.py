"""Reading a large dump, beside the kernel's own tools: ``python -m bench.dumps [--lines N]``.

The peers are ``iptables-save`` writing the same rules (the legacy one, much the faster of the two), and both
variants of ``iptables-restore --test`` reading them, in a network namespace of their own. That needs root;
without it the peers are left out.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from bench import clusters
from bench.figures import Figures, command_line, interruptible, positive, target
from rulegen.collector import paused
from rulegen.iptables import compile_rules
from rulegen.iptables.parse import parse
from rulegen.iptables.save import save
from rulegen.plan import plan

FULL = 700_000
"""The size that the target is of."""
LINES_OF_A_SERVICE = 43
"""Of ten endpoints: two rules and 30, 11 declarations."""


def dump(lines: int) -> str:
    """What iptables-save (nft) prints on a node with about so many lines of rules."""
    objects = clusters.cluster(lines // LINES_OF_A_SERVICE, 10)
    with paused():
        rules = compile_rules(plan(objects, clusters.NODE, clusters.CONFIG, "IPv4"))
        return save(rules, "nft")


def timed(work: Callable[[], object], runs: int) -> list[float]:
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


@contextmanager
def namespace() -> Iterator[list[str]]:
    """The command that runs another one in a network namespace of its own."""
    # Told to end, the namespace goes with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    name = f"rulegen-bench-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield ["ip", "netns", "exec", name]
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


def peers(text: str) -> Iterator[tuple[str, list[float]]]:
    with namespace() as inside:

        def run(*command: str, given: str = "") -> None:
            subprocess.run([*inside, *command], input=given.encode(), capture_output=True, check=True)

        for variant in ("nft", "legacy"):
            tool = f"iptables-{variant}-restore"
            yield f"{tool} --test", timed(partial(run, tool, "--test", given=text), 1)
        run("iptables-legacy-restore", given=text)
        yield "iptables-legacy-save", timed(lambda: run("iptables-legacy-save"), 3)


def main() -> None:
    parser = command_line("python -m bench.dumps", __doc__)
    parser.add_argument("--lines", type=positive, default=FULL, help=f"about so many rules (default: {FULL})")
    options = parser.parse_args()
    if options.lines < LINES_OF_A_SERVICE:
        parser.error(f"argument --lines: the rules of one Service are {LINES_OF_A_SERVICE} lines")
    with interruptible():
        run(options.lines, Figures(options.json))


def run(lines: int, figures: Figures) -> None:
    text = dump(lines)
    count = text.count("\n")

    def report(name: str, seconds: list[float]) -> None:
        figures.add({"name": name, "lines": count, "seconds": seconds})
        spread = f"{min(seconds) * 1000:.0f}-{max(seconds) * 1000:.0f}"
        print(f"{name:<34}{count:>8} lines{statistics.median(seconds) * 1000:>12.0f}{spread:>16}", flush=True)

    print(f"{'':<34}{'size':>14}{'median ms':>12}{'min-max ms':>16}")
    report("rulegen: parse a dump", timed(lambda: parse(text), 5))
    if os.geteuid() == 0 and shutil.which("iptables-nft-restore"):
        for name, seconds in peers(text):
            report(name, seconds)
            if name == "iptables-nft-restore --test" and lines == FULL:
                ours = statistics.median(figures.results[0]["seconds"])
                target(f"parse of {name}", ours / statistics.median(seconds), 0.1)
    else:
        print("the kernel's tools: not root, or not installed")
    figures.end()


if __name__ == "__main__":
    main()
