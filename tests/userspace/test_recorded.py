"""kube-proxy 1.25 is the judge: every chain and rule of the userspace mode, to the byte."""

import pytest

from rulegen.conformance import difference, replay
from tests.recorded import cases

CASES = {case["scenario"]["name"]: case for case in cases("1.25-userspace")}


def test_there_are_as_many_cases_as_were_recorded() -> None:
    assert len(CASES) == 60


@pytest.mark.parametrize("name", CASES)
def test_the_rules_are_those_of_kube_proxy(name: str) -> None:
    case = CASES[name]
    assert difference("userspace", case["expected"], replay(case["scenario"])) is None


@pytest.mark.parametrize("name", CASES)
def test_they_come_in_the_order_in_which_a_packet_has_to_meet_them(name: str) -> None:
    for rules in replay(CASES[name]["scenario"]).values():
        steps = rules["jumps"]
        made = {step.split()[2] for step in steps if " -N " in step}
        assert len(steps) == len(set(steps))
        assert {step.rpartition(" -j ")[2] for step in steps[:10] if " -j " in step} == made
