"""Compiled tables of recorded cases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from rulegen.load.scenario import from_scenario
from rulegen.nftables import Ruleset, compile_rules
from rulegen.plan import plan
from tests.recorded import cases

THOROUGH = bool(os.environ.get("RULEGEN_THOROUGH"))
"""Set in the environment to run what is sampled otherwise over every recorded case."""


def compiled(scenario: dict[str, Any]) -> Iterator[Ruleset]:
    """The tables of all families of a recorded scenario."""
    case = from_scenario(scenario)
    for family in case.families:
        cidrs = case.service_cidrs.get(family)
        yield compile_rules(plan(case.cluster, case.node, case.config, family, case.version, cidrs))


@cache
def rulesets(every: int = 1) -> tuple[Ruleset, ...]:
    """Of each family of every n-th recorded case of the nftables mode (of all when thorough)."""
    chosen = list(cases("1.37-nftables"))[:: 1 if THOROUGH else every]
    return tuple(ruleset for case in chosen for ruleset in compiled(case["scenario"]))
