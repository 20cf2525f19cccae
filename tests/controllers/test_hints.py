"""Topology hints: traffic that stays close to where it comes from."""

from collections import Counter

import pytest

from rulegen.controllers import endpoint_slices, hints, quantity
from rulegen.model import Cluster, KubeNode, Pod
from tests.controllers.objects import cluster, node, pod, service

TWO_ZONES = (node("n1", "zone-a", "4"), node("n2", "zone-b", "4"))
AUTO = {"annotations": {"service.kubernetes.io/topology-mode": "Auto"}}


def hinted(given: Cluster) -> dict[str, tuple[str | None, str | None]]:
    """Pod -> (zone hint, node hint)."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for each in endpoint_slices(given):
        for endpoint in each.endpoints or ():
            zones = endpoint.hints.for_zones if endpoint.hints else None
            nodes = endpoint.hints.for_nodes if endpoint.hints else None
            assert endpoint.target_ref is not None
            found[endpoint.target_ref.name] = (
                zones[0].name if zones else None,
                nodes[0].name if nodes else None,
            )
    return found


def pods(**by_node: int) -> list[Pod]:
    return [
        pod(f"{name}-{number}", f"10.0.{index}.{number + 1}", node=name)
        for index, (name, count) in enumerate(by_node.items())
        for number in range(count)
    ]


@pytest.mark.parametrize("wish", ["PreferClose", "PreferSameZone"])
def test_each_ready_endpoint_is_for_its_own_zone(wish: str) -> None:
    drained = pod("drained", "10.0.9.9", deleted=True)
    given = cluster(*TWO_ZONES, service(trafficDistribution=wish), *pods(n1=1, n2=1), drained)
    assert hinted(given) == {"n1-0": ("zone-a", None), "n2-0": ("zone-b", None), "drained": (None, None)}


def test_prefer_same_node_adds_the_node_and_needs_no_zone() -> None:
    given = cluster(
        node("n1", "zone-a"), node("n2"), service(trafficDistribution="PreferSameNode"), *pods(n1=1, n2=1)
    )
    assert hinted(given) == {"n1-0": ("zone-a", "n1"), "n2-0": (None, "n2")}


def test_without_a_wish_there_are_no_hints() -> None:
    assert hinted(cluster(*TWO_ZONES, service(), *pods(n1=1))) == {"n1-0": (None, None)}


def test_auto_mode_keeps_balanced_endpoints_in_their_zones() -> None:
    given = cluster(*TWO_ZONES, service(metadata=AUTO), *pods(n1=2, n2=2))
    assert hinted(given) == {
        "n1-0": ("zone-a", None),
        "n1-1": ("zone-a", None),
        "n2-0": ("zone-b", None),
        "n2-1": ("zone-b", None),
    }


def test_auto_mode_lends_endpoints_to_a_zone_that_has_too_few() -> None:
    given = cluster(*TWO_ZONES, service(metadata=AUTO), *pods(n1=5, n2=1))
    assert Counter(zone for zone, _ in hinted(given).values()) == {"zone-a": 3, "zone-b": 3}
    assert hinted(given)["n1-0"] == ("zone-b", None)


def test_auto_mode_wins_over_traffic_distribution() -> None:
    given = cluster(*TWO_ZONES, service(metadata=AUTO, trafficDistribution="PreferSameNode"), *pods(n1=1))
    assert hinted(given) == {"n1-0": (None, None)}


@pytest.mark.parametrize(
    ("nodes", "count", "why"),
    [
        ((node("n1", "zone-a", "4"),), 3, "fewer than two zones"),
        ((node("n1", "zone-a", "4"), node("n2", "zone-b")), 3, "no allocatable CPU"),
        ((node("n1", "zone-a", "4"), node("n2", None, "4")), 3, "no zone"),
        (TWO_ZONES, 1, "too few ready endpoints for the zones (1 endpoints, 2 zones)"),
        (
            (node("n1", "zone-a", "10"), node("n2", "zone-b", "1"), node("n3", "zone-c", "1")),
            3,
            "not every zone can have its least number of endpoints without overload (3 endpoints, 3 zones)",
        ),
    ],
    ids=["one zone", "no cpu", "a node without zone", "few endpoints", "overload"],
)
def test_auto_mode_says_why_it_gives_no_hints(nodes: tuple[KubeNode, ...], count: int, why: str) -> None:
    made = endpoint_slices(cluster(*nodes, service(), *pods(n1=count)))
    outcome = hints.spread(made[0].endpoints or [], hints.cpu_shares(nodes))
    assert why in outcome.why_not
    assert all(endpoint.hints is None for endpoint in outcome.endpoints)


def test_an_endpoint_in_no_zone_ends_auto_mode_for_all() -> None:
    lost = pod("lost", "10.0.9.9", node="gone")
    everything = service(metadata=AUTO, publishNotReadyAddresses=True)
    given = cluster(*TWO_ZONES, everything, *pods(n1=2, n2=2), lost)
    assert set(hinted(given).values()) == {(None, None)}


def test_control_planes_and_unready_nodes_do_not_count_for_shares() -> None:
    control_plane = node("cp", "zone-c", "16", **{"node-role.kubernetes.io/control-plane": ""})
    assert hints.cpu_shares([*TWO_ZONES, control_plane]) == {"zone-a": 0.5, "zone-b": 0.5}


def test_the_older_annotation_has_the_last_word() -> None:
    both = {**AUTO["annotations"], "service.kubernetes.io/topology-aware-hints": "disabled"}
    assert hints.is_auto(service(metadata=AUTO))
    assert not hints.is_auto(service(metadata={"annotations": both}))


@pytest.mark.parametrize(
    ("text", "milli"),
    [("2", 2000), ("500m", 500), ("1.5", 1500), ("2e1", 20000), ("1k", 10**6), ("1Ki", 1024000), (3, 3000)],
)
def test_cpu_is_read_as_a_quantity(text: object, milli: int) -> None:
    parsed = quantity.parse(text)
    assert parsed is not None
    assert parsed * 1000 == milli


@pytest.mark.parametrize("text", ["", "two", "1Q", None, True, [], "1e9999"])
def test_what_is_no_quantity_is_none(text: object) -> None:
    assert quantity.parse(text) is None
