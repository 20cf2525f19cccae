"""What is made up for a real control plane: its pure parts, without one."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rulegen import conformance
from rulegen.conformance.controllers import slice_groups, unordered

objects = pytest.importorskip("conformance.cluster.objects")
ask = pytest.importorskip("conformance.cluster.ask")


def test_the_same_seed_makes_the_same_objects() -> None:
    def made(seed: str) -> list[Any]:
        chance = Random(seed)
        return [objects.for_the_api(chance, "default", number) for number in range(50)]

    assert made("a") == made("a") != made("b")


def test_objects_for_the_api_server_are_right_and_wrong() -> None:
    chance = Random("right and wrong")
    answers = [conformance.validate(objects.for_the_api(chance, "default", n)) for n in range(300)]
    taken = sum("result" in answer for answer in answers)
    assert 60 < taken < 240


def test_services_are_such_as_the_api_server_takes() -> None:
    chance = Random("taken")
    made = [objects.service(chance, "default", n) for n in range(200)]
    refused = [answer for each in made if "errors" in (answer := conformance.validate(each))]
    assert len(refused) < 40, refused[:3]


def test_pods_of_every_state_become_slices() -> None:
    chance = Random("states")
    nodes = objects.nodes(chance)
    names = [node["metadata"]["name"] for node in nodes]
    pods = [objects.pod(chance, "space", n, names) for n in range(60)]
    service = objects.service(chance, "space", 0)
    service["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80}], "ipFamilies": ["IPv4"]}
    (made,) = conformance.slices([*nodes, *pods, service])
    assert made["endpoints"]


def test_questions_are_of_every_kind_and_commands_of_every_verb() -> None:
    chance = Random("asked")
    stored = [objects.service(chance, "space", n) for n in range(3)]
    questions = ask.questions(chance, "space", stored)
    assert {kind for _, kind in questions} >= {"A", "SRV", "PTR"}
    verbs = {command[0] for command in ask.commands(chance, stored)}
    assert verbs == {"get", "describe", "expose", "create"}


def test_where_an_endpoint_lands_is_no_difference_but_that_it_is_missing_is_one() -> None:
    metadata = {"namePrefix": "web-", "namespace": "space"}
    about = {
        "metadata": metadata,
        "addressType": "IPv4",
        "ports": None,
        "kind": "EndpointSlice",
        "apiVersion": "v1",
    }
    one, two, three = ({"addresses": [f"10.0.0.{n}"]} for n in (1, 2, 3))
    whole = [about | {"endpoints": [one, two]}, about | {"endpoints": [three]}]
    other = [about | {"endpoints": [three, one]}, about | {"endpoints": [two]}]
    assert slice_groups(whole) == slice_groups(other)
    assert slice_groups(whole) != slice_groups(other[:1])
    ends = {"metadata": {"name": "web"}, "subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]}]}
    turned = {
        "metadata": {"name": "web"},
        "subsets": [{"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}]}],
    }
    assert unordered([ends]) == unordered([turned])
