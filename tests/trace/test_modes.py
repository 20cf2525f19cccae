"""The three modes treat packets alike, but for the differences that docs/mode-differences.md lists."""

from __future__ import annotations

import os
import re
from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from rulegen.load.scenario import Scenario, from_scenario
from rulegen.model import Family
from tests.recorded import cases
from tests.trace import grid
from tests.trace.oracle import Expected, Oracle, told

THOROUGH = bool(os.environ.get("RULEGEN_THOROUGH"))
MODES = ("iptables", "ipvs", "nftables")
DOCUMENT = Path(__file__).parents[2] / "docs" / "mode-differences.md"
LISTED = frozenset(re.findall(r"(?m)^## (\S+)$", DOCUMENT.read_text(encoding="utf-8")))


def in_mode(case: Scenario, mode: str) -> Scenario:
    """The same scenario under another mode; everything else of the configuration stays what it is."""
    return msgspec.structs.replace(case, mode=mode, config=msgspec.structs.replace(case.config, mode=mode))


@pytest.mark.parametrize("recorded_in", MODES)
def test_modes_differ_only_where_it_is_known(recorded_in: str) -> None:
    met: set[str] = set()
    for number, recorded in enumerate(cases(f"1.37-{recorded_in}")):
        if THOROUGH or number % 4 == 0:
            case = from_scenario(recorded["scenario"])
            for family in case.families:
                met |= compare(case, family)
    assert met <= LISTED
    assert len(met) >= 8, "the recorded scenarios meet most of them"


def compare(case: Scenario, family: Family) -> set[str]:
    """Trace a scenario in all modes; the names of the differences that were met."""
    oracles = {mode: Oracle(in_mode(case, mode), family, mode) for mode in MODES}
    hosts = {
        mode: grid.node(case, family, mode, grid.compiled(in_mode(case, mode), family, mode))
        for mode in MODES
    }
    met: set[str] = set()
    for probe in grid.probes(case, oracles["iptables"], hosts["iptables"]):
        results: dict[str, tuple[Expected, set[str]]] = {}
        for mode in MODES:
            own = grid.from_own_address(hosts[mode], probe)
            expected = oracles[mode].expect(own)
            if expected is not None:
                results[mode] = grid.told(grid.traced(hosts[mode], own)), expected.quirks
        for one, other in combinations(results, 2):
            (found, quirks), (otherwise, more) = results[one], results[other]
            if same(found, otherwise):
                continue
            names = quirks | more
            assert names, f"{case.name} {family} {probe}: {one} {told(found)}, {other} {told(otherwise)}"
            met |= names
    return met


def same(found: Expected, other: Expected) -> bool:
    return (found.kind, found.endpoints, found.masqueraded) == (
        other.kind,
        other.endpoints,
        other.masqueraded,
    )
