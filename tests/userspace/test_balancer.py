"""Whose turn it is."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.userspace.balancer import Balancer

ENDPOINTS = ["10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80"]


def test_endpoints_take_turns() -> None:
    balancer = Balancer(ENDPOINTS)
    assert [balancer.next("c", 0) for _ in range(4)] == [*ENDPOINTS, ENDPOINTS[0]]


def test_without_endpoints_there_is_no_turn() -> None:
    assert Balancer([]).next("c", 0) is None


def test_with_affinity_a_client_keeps_its_endpoint_until_its_time_is_over() -> None:
    balancer = Balancer(ENDPOINTS, 60)
    assert [balancer.next("a", t) for t in (0, 30, 89.5)] == [ENDPOINTS[0]] * 3
    assert balancer.next("b", 90) == ENDPOINTS[1]
    assert balancer.next("a", 150) == ENDPOINTS[2]


def test_an_endpoint_that_does_not_answer_is_given_up_for_good() -> None:
    balancer = Balancer(ENDPOINTS, 60)
    assert balancer.next("a", 0) == ENDPOINTS[0]
    assert balancer.next("a", 1, reset=True) == ENDPOINTS[1]
    assert balancer.next("a", 2) == ENDPOINTS[1]


def test_clients_that_are_gone_are_forgotten() -> None:
    balancer = Balancer(ENDPOINTS, 10)
    for number in range(1000):
        balancer.next(f"client-{number}", number)
    assert len(balancer._clients) == 10


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 8), st.integers(0, 200))
def test_turns_are_even(endpoints: int, connections: int) -> None:
    balancer = Balancer([f"10.1.0.{n}:80" for n in range(endpoints)])
    turns = Counter(balancer.next(f"c{n}", n) for n in range(connections))
    assert max(turns.values(), default=0) - min(turns.values(), default=0) <= 1
    assert connections < endpoints or len(turns) == endpoints
