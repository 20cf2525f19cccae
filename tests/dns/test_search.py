"""What a pod's resolver makes of a name."""

from __future__ import annotations

from rulegen.dns.search import candidates, resolve, search_domains
from tests.dns.clusters import server


def test_a_short_name_is_found_with_the_first_search_domain() -> None:
    found = resolve(server(), "web")
    assert (found.name, found.addresses) == ("web.default.svc.cluster.local.", ["10.96.0.10"])
    assert [(a.kind, a.reply.outcome) for a in found.attempts] == [("A", "found"), ("AAAA", "no such type")]


def test_from_another_namespace_the_short_name_is_not_found() -> None:
    found = resolve(server(), "web", "prod")
    assert found.outcome == "not of the cluster"
    assert [a.name for a in found.attempts if a.kind == "A"] == [
        "web.prod.svc.cluster.local.",
        "web.svc.cluster.local.",
        "web.cluster.local.",
        "web.",
    ]


def test_name_and_namespace_need_two_tries() -> None:
    found = resolve(server(), "db.prod")
    assert found.name == "db.prod.svc.cluster.local."
    assert len(found.attempts) == 4


def test_the_whole_name_costs_three_misses_without_its_dot_and_none_with_it() -> None:
    name = "web.default.svc.cluster.local"
    assert len(resolve(server(), name).attempts) == 8
    assert len(resolve(server(), name + ".").attempts) == 2


def test_five_dots_are_tried_as_they_are_first() -> None:
    name = "_pg._tcp.db.prod.svc.cluster.local"
    assert candidates(name, search_domains("default"))[0] == name + "."
    assert len(resolve(server(), name, kinds=["SRV"]).attempts) == 1


def test_no_such_type_is_told_from_no_such_name() -> None:
    assert resolve(server(), "web.default.svc.cluster.local.", kinds=["AAAA"]).outcome == "no such type"
    assert resolve(server(), "xyz.default.svc.cluster.local.", kinds=["AAAA"]).outcome == "no such name"


def test_names_of_the_world_are_left_to_the_servers_upstream() -> None:
    found = resolve(server(), "example.com")
    assert found.upstream and found.name == "example.com."
    assert len(found.attempts) == 8
