"""The rules of kube-proxy keep what Services promise, as told by an oracle that knows only the objects."""

from __future__ import annotations

from typing import Any

import pytest

from rulegen.load.scenario import from_scenario
from tests.recorded import cases
from tests.trace import grid
from tests.trace.oracle import Oracle, told

SHARES_WITHIN = 1e-6
EXACT = 50
"""Exact chances of more outcomes than this take long to add up."""


@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
def test_recorded_rules_do_what_their_services_say(mode: str, part: int) -> None:
    tried = 0
    for number, recorded in enumerate(cases(f"1.37-{mode}")):
        if number % 8 == part:
            tried += agrees(mode, recorded)
    assert tried > 1000


def agrees(mode: str, recorded: dict[str, Any]) -> int:
    """Compare one case; how many packets were traced."""
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
            assert (found.kind, found.endpoints, found.masqueraded) == (
                expected.kind,
                expected.endpoints,
                expected.masqueraded,
            ), f"{case.name} {family} {probe}: {told(found)}, but the objects say {told(expected)}"
            if found.kind == "endpoints":
                shares = grid.shares(outcomes)
                assert all(abs(share - 1 / len(shares)) < SHARES_WITHIN for share in shares.values()), probe
                if len(outcomes) < EXACT:
                    assert sum(outcome.chance for outcome in outcomes) == 1
            tried += 1
    return tried
