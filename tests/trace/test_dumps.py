"""A node's own listings are traced like the rules that were compiled for it."""

from __future__ import annotations

from typing import Any

import pytest

from rulegen.load.scenario import from_scenario
from rulegen.model import Family
from rulegen.trace.ground import of_listings
from rulegen.trace.hosts import of_listings as host_of
from tests.recorded import cases
from tests.trace import grid
from tests.trace.oracle import Oracle, told

TRIED = 300
"""Packets of a family of a case."""


@pytest.mark.parametrize("file", ["dumps-1.37", "dumps-ipvs-1.37"])
def test_dumps_are_traced_like_compiled_rules(file: str) -> None:
    tried = 0
    for recorded in cases(file):
        case = from_scenario(recorded["scenario"])
        tried += sum(same_fates(recorded, family) for family in case.families)
    assert tried > 1000


def same_fates(recorded: dict[str, Any], family: Family) -> int:
    case = from_scenario(recorded["scenario"])
    mode = case.mode
    compiled = grid.node(case, family, mode, grid.compiled(case, family, mode))
    listings = {name: text for name, text in recorded["dumps"].items() if name != "ip -j addr"}
    try:
        dumped = of_listings(listings, compiled.host)
    except ValueError:
        return 0  # not all nodes were asked for both families
    tried = 0
    for probe in grid.probes(case, Oracle(case, family, mode), compiled):
        if tried == TRIED:
            break
        expected = grid.told(grid.traced(compiled, probe))
        found = grid.told(grid.traced(dumped, probe))
        assert (found.kind, found.endpoints, found.masqueraded) == (
            expected.kind,
            expected.endpoints,
            expected.masqueraded,
        ), f"{recorded['name']} {family} {probe}: {told(found)}, compiled {told(expected)}"
        tried += 1
    return tried


def test_nft_listings_are_traced_alike_in_all_their_forms() -> None:
    recorded = next(c for c in cases("dumps-1.37") if "nft -j list ruleset" in c["dumps"])
    case = from_scenario(recorded["scenario"])
    host = host_of(recorded["dumps"], "IPv4")
    assert host is not None
    names = ("nft list ruleset", "nft -a list ruleset", "nft -j list ruleset")
    plain, handles, json = [of_listings({name: recorded["dumps"][name]}, host) for name in names]
    for probe in grid.probes(case, Oracle(case, "IPv4", "nftables"), plain):
        found = [grid.told(grid.traced(node, probe)) for node in (plain, handles, json)]
        assert found[0] == found[1] == found[2], probe
