"""Real connections, made under recorded rules in network namespaces, meet what the trace says."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from rulegen import conformance
from tests.recorded import cases

CONNECTIONS = list(cases("connections-1.37"))


@cache
def recorded(mode: str) -> dict[str, Any]:
    return {case["scenario"]["name"]: case["expected"] for case in cases(f"1.37-{mode}")}


def kind(fate: str) -> str:
    return fate if fate in ("refused", "timeout", "denied") else "answered"


@pytest.mark.parametrize(
    "case", CONNECTIONS, ids=lambda c: f"{c['name']}-{c['family']}-{c.get('variant', '')}"
)
def test_every_real_connection_met_what_was_predicted(case: dict[str, Any]) -> None:
    rules = recorded(case["mode"])[case["name"]][case["family"]]
    tell = conformance.fates(case["mode"], case["family"], rules, case["node"])
    for probe in case["probes"]:
        met = [(fate, masqueraded) for fate, masqueraded, _ in probe["fates"]]
        connection = {key: value for key, value in probe.items() if key != "fates"}
        told = [(fate, masqueraded) for fate, masqueraded in tell(connection)]
        if {fate for fate, _ in met} == {"denied"}:
            # The kernel tells the node's own UDP sender of drops and refusals alike.
            assert {kind(fate) for fate, _ in told} <= {"refused", "timeout"}, connection
            continue
        assert {kind(fate) for fate, _ in told} == {kind(fate) for fate, _ in met}, connection
        assert set(told) >= set(met), connection
