"""Compiled rules of recorded cases."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rulegen.iptables import Ruleset, compile_rules
from rulegen.load.scenario import from_scenario
from rulegen.plan import plan
from tests.recorded import cases

THOROUGH = bool(os.environ.get("RULEGEN_THOROUGH"))
"""Set in the environment to run what is sampled otherwise over every recorded case."""


def rulesets(every: int = 1) -> Iterator[Ruleset]:
    """Of each family of every n-th recorded case of the iptables mode (of all when thorough)."""
    for case in list(cases("1.37-iptables"))[:: 1 if THOROUGH else every]:
        scenario = from_scenario(case["scenario"])
        for family in scenario.families:
            yield compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family))
