"""kube-proxy itself is the judge: what it programmed in ipvs mode for random objects, to the byte."""

import pytest

from rulegen.conformance import difference, replay
from tests.recorded import cases

CASES = {case["scenario"]["name"]: case for case in cases("1.37-ipvs")}


def test_there_are_as_many_cases_as_were_recorded() -> None:
    assert len(CASES) == 200


@pytest.mark.parametrize("name", CASES)
def test_servers_sets_addresses_and_rules_are_those_of_kube_proxy(name: str) -> None:
    case = CASES[name]
    assert difference("ipvs", case["expected"], replay(case["scenario"])) is None
