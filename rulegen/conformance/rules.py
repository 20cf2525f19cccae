"""Replaying recorded rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.backend import backend
from rulegen.load.scenario import from_scenario
from rulegen.plan import plan


def replay(scenario: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rules of a recorded scenario, by family, in the recorded form."""
    case = from_scenario(scenario)
    mode = backend(case.mode)
    rules: dict[str, dict[str, Any]] = {}
    for family in case.families:
        cidrs = case.service_cidrs.get(family)
        proxy_ports = case.proxy_ports.get(family)
        planned = plan(case.cluster, case.node, case.config, family, case.version, cidrs, proxy_ports)
        rules[family] = mode.recorded(mode.compile_rules(planned))
    return rules
