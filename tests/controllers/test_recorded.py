"""What real controllers made of random objects (fixtures/conformance/controllers-1.37.jsonl.gz)."""

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from rulegen.conformance import endpoints, slices

RECORDED = Path(__file__).parents[2] / "fixtures" / "conformance" / "controllers-1.37.jsonl.gz"
CASES = [json.loads(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]
IDS = [case["name"] for case in CASES]


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def by_group(made: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[int, list[str]]]:
    """Per Service, address type, ports, labels and annotations: the number of slices, all their endpoints."""
    groups: dict[tuple[str, ...], list[list[dict[str, Any]]]] = defaultdict(list)
    for each in made:
        key = (
            text(each["metadata"]),
            each["addressType"],
            text(each["ports"]),
            each["kind"],
            each["apiVersion"],
        )
        groups[key].append(each["endpoints"] or [])
    return {key: (len(lists), sorted(text(e) for es in lists for e in es)) for key, lists in groups.items()}


def without_order(made: list[dict[str, Any]]) -> list[str]:
    """Subsets are ordered by a hash over uids, which recorded cases leave out."""
    told: list[str] = []
    for each in json.loads(json.dumps(made)):
        for subset in each.get("subsets", []):
            for addresses in ("addresses", "notReadyAddresses"):
                subset.get(addresses, []).sort(key=text)
        each.get("subsets", []).sort(key=text)
        told.append(text(each))
    return sorted(told)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_slices_are_those_of_the_real_controllers(case: dict[str, Any]) -> None:
    assert by_group(slices(case["objects"])) == by_group(case["slices"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_endpoints_are_those_of_the_real_controller(case: dict[str, Any]) -> None:
    assert without_order(endpoints(case["objects"])) == without_order(case["endpoints"])
