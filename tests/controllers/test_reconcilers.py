"""What the real reconcilers make of odd objects (fixtures/controllers), which a cluster seldom holds."""

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from rulegen.conformance import endpoints, slices

MADE = Path(__file__).parents[2] / "fixtures" / "controllers" / "reconcilers-1.37.jsonl.gz"
CASES = [json.loads(line) for line in gzip.decompress(MADE.read_bytes()).splitlines()]
IDS = [case["name"] for case in CASES]


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def by_group(
    case: dict[str, Any], made: list[dict[str, Any]]
) -> dict[tuple[str, ...], tuple[int, list[str]]]:
    """Slices by Service, family, ports and metadata: how many, and their endpoints together.

    Hints of topology mode Auto are drawn by lot upstream, so they are looked at separately.
    """
    groups: dict[tuple[str, ...], list[list[dict[str, Any]]]] = defaultdict(list)
    for each in made:
        labels = each["metadata"]["labels"]
        drawn = f"{labels['kubernetes.io/service-name']}/{each['addressType']}" in case.get("auto", {})
        members = each["endpoints"] or []
        if drawn:
            members = [{key: value for key, value in one.items() if key != "hints"} for one in members]
        groups[text(each["metadata"]), each["addressType"], text(each["ports"])].append(members)
    return {key: (len(lists), sorted(text(e) for es in lists for e in es)) for key, lists in groups.items()}


def hinted(made: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """``SERVICE/FAMILY`` -> number of endpoints by ``ZONE>HINT``."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for each in made:
        labels = each["metadata"]["labels"]
        if labels["endpointslice.kubernetes.io/managed-by"] != "endpointslice-controller.k8s.io":
            continue
        for one in each["endpoints"] or []:
            zones = one.get("hints", {}).get("forZones", [])
            key = f"{labels['kubernetes.io/service-name']}/{each['addressType']}"
            counted[key][f"{one.get('zone', '')}>{''.join(zone['name'] for zone in zones)}"] += 1
    return {key: dict(numbers) for key, numbers in counted.items()}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_slices_are_those_of_the_real_reconcilers(case: dict[str, Any]) -> None:
    assert by_group(case, slices(case["objects"])) == by_group(case, case["slices"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_endpoints_are_those_of_the_real_controller_with_subsets_in_its_order(case: dict[str, Any]) -> None:
    made = sorted(endpoints(case["objects"]), key=lambda each: each["metadata"]["name"])
    assert made == case["endpoints"]


@pytest.mark.parametrize("case", [case for case in CASES if "auto" in case], ids=lambda case: case["name"])
def test_hints_of_topology_mode_auto_are_among_those_that_the_real_controller_may_draw(
    case: dict[str, Any],
) -> None:
    found = hinted(slices(case["objects"]))
    for service, outcomes in case["auto"].items():
        assert found.get(service, {}) in outcomes
