"""Which endpoints a node uses: the stories behind traffic policies, hints and draining."""

import pytest

from rulegen.model import Endpoint, ServicePort
from rulegen.plan import Choice, Topology, plan
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of


def chosen(endpoints: list[Endpoint], **spec: object) -> Choice:
    web = service(**spec)  # type: ignore[arg-type]
    planned = plan(cluster(web, slice_of(web, endpoints)), NODE, CONFIG, "IPv4").ports
    return planned[0].choice


def ips(candidates: object) -> list[str]:
    return [c.ip for c in candidates]  # type: ignore[attr-defined]


def test_ready_endpoints_anywhere_serve_a_plain_service() -> None:
    choice = chosen([endpoint("10.10.0.1", "n1"), endpoint("10.10.1.1"), endpoint("10.10.1.2", ready=False)])
    assert ips(choice.cluster) == ["10.10.0.1", "10.10.1.1"]
    assert not choice.local and choice.usable


def test_while_anything_is_ready_terminating_endpoints_get_no_new_connections() -> None:
    choice = chosen([endpoint("10.10.0.1"), endpoint("10.10.0.2", ready=False, terminating=True)])
    assert ips(choice.cluster) == ["10.10.0.1"]


def test_when_nothing_is_ready_endpoints_that_drain_are_better_than_none() -> None:
    draining = endpoint("10.10.0.2", ready=False, terminating=True)
    gone = endpoint("10.10.0.3", ready=False, serving=False, terminating=True)
    assert ips(chosen([draining, gone]).cluster) == ["10.10.0.2"]
    assert not chosen([gone]).usable


def test_zone_hints_keep_traffic_in_the_zone() -> None:
    choice = chosen([endpoint("10.10.0.1", zones=["zone-a"]), endpoint("10.10.0.2", zones=["zone-b"])])
    assert choice.topology is Topology.SAME_ZONE
    assert ips(choice.cluster) == ["10.10.0.1"]


def test_one_endpoint_without_a_hint_makes_all_hints_void() -> None:
    choice = chosen([endpoint("10.10.0.1", zones=["zone-b"]), endpoint("10.10.0.2")])
    assert choice.topology is Topology.NONE
    assert ips(choice.cluster) == ["10.10.0.1", "10.10.0.2"]


def test_hints_for_other_zones_only_are_not_followed() -> None:
    choice = chosen([endpoint("10.10.0.1", zones=["zone-b"]), endpoint("10.10.0.2", zones=["zone-c"])])
    assert ips(choice.cluster) == ["10.10.0.1", "10.10.0.2"]


def test_hints_for_this_node_win_over_those_for_its_zone() -> None:
    choice = chosen(
        [
            endpoint("10.10.0.1", zones=["zone-a"], nodes=["n1"]),
            endpoint("10.10.0.2", zones=["zone-a"], nodes=["n2"]),
        ]
    )
    assert choice.topology is Topology.SAME_NODE
    assert ips(choice.cluster) == ["10.10.0.1"]


def test_hints_of_endpoints_that_are_not_ready_do_not_count() -> None:
    choice = chosen([endpoint("10.10.0.1", zones=["zone-a"]), endpoint("10.10.0.2", ready=False)])
    assert choice.topology is Topology.SAME_ZONE


def test_internal_traffic_policy_local_uses_this_nodes_endpoints_only() -> None:
    choice = chosen([endpoint("10.10.0.1", "n1"), endpoint("10.10.1.1")], internal_traffic_policy="Local")
    assert ips(choice.local) == ips(choice.reachable) == ["10.10.0.1"]
    assert not choice.cluster and choice.usable


def test_local_policy_without_an_endpoint_here_is_usable_elsewhere() -> None:
    choice = chosen([endpoint("10.10.1.1")], internal_traffic_policy="Local")
    assert not choice.local and choice.usable


def test_a_draining_local_endpoint_takes_local_traffic_beside_ready_remote_ones() -> None:
    choice = chosen(
        [endpoint("10.10.0.1", "n1", ready=False, terminating=True), endpoint("10.10.1.1")],
        type="NodePort",
        external_traffic_policy="Local",
        ports=[ServicePort(port=80, node_port=30080)],
    )
    assert ips(choice.cluster) == ["10.10.1.1"]
    assert ips(choice.local) == ["10.10.0.1"]
    assert ips(choice.reachable) == ["10.10.0.1", "10.10.1.1"]


def test_a_new_pod_with_the_address_of_a_terminating_one_wins_whatever_slice_it_is_in() -> None:
    web = service()
    old = slice_of(web, [endpoint("10.10.0.1", ready=False, terminating=True)], name="web-1")
    new = slice_of(web, [endpoint("10.10.0.1")], name="web-2")
    for pieces in ((old, new), (new, old)):
        planned = plan(cluster(web, *pieces), NODE, CONFIG, "IPv4").ports[0]
        assert [c.ready for c in planned.found] == [True]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("010.010.000.001", "10.10.0.1"), ("10.10.0.1", "10.10.0.1")],
)
def test_addresses_with_leading_zeros_are_decimal(written: str, meant: str) -> None:
    assert ips(chosen([endpoint(written)]).cluster) == [meant]
