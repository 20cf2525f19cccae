"""What real controllers made of random objects (fixtures/conformance/controllers-1.37.jsonl.gz)."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rulegen.conformance import endpoints, slices
from rulegen.conformance.controllers import slice_groups, unordered

RECORDED = Path(__file__).parents[2] / "fixtures" / "conformance" / "controllers-1.37.jsonl.gz"
CASES = [json.loads(line) for line in gzip.decompress(RECORDED.read_bytes()).splitlines()]
IDS = [case["name"] for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_slices_are_those_of_the_real_controllers(case: dict[str, Any]) -> None:
    assert slice_groups(slices(case["objects"])) == slice_groups(case["slices"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_endpoints_are_those_of_the_real_controller(case: dict[str, Any]) -> None:
    assert unordered(endpoints(case["objects"])) == unordered(case["endpoints"])
