"""The rules of a case beside the oracle: traced, and as the fates of connections.

``python -m tests.trace.judge --recorder conformance/bin/recorder-1.37.2`` judges generated cases (``make
fuzz-trace``); the tests judge the recorded ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rulegen import conformance
from rulegen.conformance.recorder import generated
from rulegen.load.scenario import from_scenario
from rulegen.plan.addresses import join_host_port
from rulegen.trace.node import Node
from rulegen.trace.packet import number
from tests.trace import grid
from tests.trace.oracle import Expected, Oracle, Probe, told

MODES = ("iptables", "ipvs", "nftables")
SHARES_WITHIN = 1e-6
EXACT = 50
"""Exact chances of more outcomes than this take long to add up."""


def traces_agree(mode: str, recorded: Mapping[str, Any]) -> int:
    """Compare the traces of one case; how many packets there were."""
    case = from_scenario(recorded["scenario"])
    tried = 0
    for family, rules in recorded["expected"].items():
        oracle = Oracle(case, family, mode)
        host = grid.node(case, family, mode, rules)
        for probe in grid.probes(case, oracle, host):
            expected = oracle.expect(probe)
            if expected is None:
                continue
            outcomes = grid.traced(host, probe)
            found = grid.told(outcomes)
            assert (found.kind, found.endpoints) == (expected.kind, expected.endpoints), (
                f"{case.name} {family} {probe}: {told(found)}, but the objects say {told(expected)}"
            )
            own = {end for end in expected.masqueraded if not _is_seen(host, probe, end)}
            assert found.masqueraded - own == expected.masqueraded - own, (
                f"{case.name} {family} {probe}: {told(found)}, but the objects say {told(expected)}"
            )
            if found.kind == "endpoints":
                shares = grid.shares(outcomes)
                assert all(abs(share - 1 / len(shares)) < SHARES_WITHIN for share in shares.values()), probe
                if len(outcomes) < EXACT:
                    assert sum(outcome.chance for outcome in outcomes) == 1
            tried += 1
    return tried


def fates_agree(mode: str, recorded: Mapping[str, Any]) -> int:
    """Compare the fates of connections under the rules of one case; how many connections there were."""
    case = from_scenario(recorded["scenario"])
    tried = 0
    for family, rules in recorded["expected"].items():
        oracle = Oracle(case, family, mode)
        tell = conformance.fates(mode, family, rules, grid.machine(case))
        host = grid.node(case, family, mode, rules)
        for probe in grid.probes(case, oracle, host):
            found = tell(_connection(probe))
            expected = oracle.expect(probe)
            if expected is not None:
                met = {(fate, masqueraded) for fate, masqueraded in found}
                assert met == _fates(expected, probe, oracle, host, met), (
                    f"{case.name} {family} {probe}: {found}, but the objects say {told(expected)}"
                )
            assert len(found) == len({fate for fate, _ in found}), (case.name, probe, found)
            tried += 1
    return tried


def _connection(probe: Probe) -> dict[str, Any]:
    return {
        "interface": probe.device,
        "source": "" if probe.origin == "node" else probe.source,
        "protocol": probe.protocol,
        "destination": probe.destination,
        "port": probe.port,
    }


Fates = set[tuple[str, bool | None]]


def _fates(expected: Expected, probe: Probe, oracle: Oracle, host: Node, met: Fates) -> Fates:
    """What the objects say in the words of fates; where they leave it open, what was ``met``."""
    if expected.kind == "endpoints":
        known = dict(met)
        return {
            (end, end in expected.masqueraded if _is_seen(host, probe, end) else known.get(end))
            for end in expected.endpoints
        }
    if expected.kind == "refused":
        return {("refused", None)}
    if expected.kind == "dropped":
        return {("timeout", None)}
    here = host.host.is_local(number(probe.destination))
    address = join_host_port(probe.destination, probe.port)
    if any(c.address == address for p in oracle.ports if p.protocol == probe.protocol for c in p.candidates):
        return {(address, False)}
    return {("refused" if here else "timeout", None)}


def _is_seen(host: Node, probe: Probe, end: str) -> bool:
    """Whether masquerading shows: not to the node itself, nor where the node's own address is the source."""
    ip = end.rpartition(":")[0].strip("[]")
    return probe.origin != "node" and not host.host.is_local(number(ip))


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge generated cases; ends with AssertionError at the first that differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recorder", type=Path, required=True, help="conformance/bin/recorder-VERSION")
    parser.add_argument("--mode", action="append", choices=MODES, help="all three by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="scenarios per mode")
    options = parser.parse_args(arguments)
    for mode in options.mode or MODES:
        tried = 0
        for recorded in generated(options.recorder, mode, options.seed, 0, options.count):
            traces_agree(mode, recorded)
            tried += fates_agree(mode, recorded)
        sys.stdout.write(f"{mode}: {tried} connections under {options.count} cases, as the objects say\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
