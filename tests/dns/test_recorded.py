"""CoreDNS itself is the judge."""

from __future__ import annotations

import pytest

from rulegen.conformance import dns
from tests.recorded import cases

RECORDED = {"dns-1.37": (20, 1043), "dns-1.37-own": (40, 3777)}
"""Cases and queries of each recording; the own ones are of several namespaces, with names of every kind."""


@pytest.mark.parametrize("recording", RECORDED)
def test_every_question_is_answered_as_coredns_answered_it(recording: str) -> None:
    asked = 0
    for case in cases(recording):
        for name, kind, rcode, answers in case["queries"]:
            asked += 1
            expected = {"rcode": rcode, "answers": sorted(answers)}
            assert dns(case["objects"], name, kind) == expected, (case["name"], name, kind)
    assert asked == RECORDED[recording][1]


@pytest.mark.parametrize("recording", RECORDED)
def test_there_are_as_many_cases_as_were_recorded(recording: str) -> None:
    assert sum(1 for _ in cases(recording)) == RECORDED[recording][0]
