"""Whether a node is as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rulegen.backend import comparing
from rulegen.load.scenario import from_scenario
from rulegen.plan import plan


def differences(scenario: Mapping[str, Any], dumps: Mapping[str, str], variant: str) -> list[str]:
    """What differs on a node, one line each; empty where it is as it should be.

    ``dumps`` maps a command (``iptables-save``, ``nft list ruleset``) to what it printed; what is missing is
    not compared. Facts that the scenario does not give are taken from the dumps. ``variant`` is that of
    iptables, ``legacy`` or ``nft``; rules are compared in one normal form, so it changes nothing.
    """
    case = from_scenario(scenario)
    mode = comparing(case.mode)
    states = {family: mode.read(dumps, family) for family in case.families}
    given = scenario["node"]
    known = mode.facts([state for listings in states.values() for state in listings.values()])
    node = case.node
    if given.get("nfacct") is None and known.nfacct is not None:
        node = msgspec.structs.replace(node, nfacct=known.nfacct)
    if given.get("conntrackTCPBeLiberal") is None and known.conntrack_tcp_be_liberal is not None:
        node = msgspec.structs.replace(node, conntrack_tcp_be_liberal=known.conntrack_tcp_be_liberal)
    found: dict[str, None] = {}
    for family, listings in states.items():
        if not listings:
            continue
        cidrs = case.service_cidrs.get(family, known.service_cidrs.get(family))
        ruleset = mode.compile_rules(plan(case.cluster, node, case.config, family, case.version, cidrs))
        for state in listings.values():
            found |= dict.fromkeys(finding.text for finding in mode.compare(state, ruleset).findings)
    return list(found)
