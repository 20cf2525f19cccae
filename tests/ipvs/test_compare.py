"""Is this node as it should be: findings, each with its Service and what it does to traffic."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest

from rulegen.conformance import differences
from rulegen.ipvs import Ruleset, compile_rules
from rulegen.ipvs.compare import compare
from rulegen.ipvs.servers import RealServer, Server
from rulegen.ipvs.state import SERVER_LISTINGS, SET_LISTINGS, read, state
from rulegen.model.objects import ServicePort
from rulegen.plan import plan
from tests.ipvs.tampering import WAYS
from tests.objects import CONFIG, NODE, cluster, service, slice_of
from tests.recorded import cases

NODES = list(cases("dumps-ipvs-1.37"))
THOROUGH = bool(os.environ.get("RULEGEN_THOROUGH"))
EVERY = 1 if THOROUGH else 17


@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_a_node_that_a_real_kube_proxy_programmed_is_as_it_should_be(case: dict[str, Any]) -> None:
    assert differences(case["scenario"], case["dumps"], case["variant"]) == []
    for listing, text in case["dumps"].items():
        assert differences(case["scenario"], {listing: text}, case["variant"]) == []


@pytest.mark.parametrize("listing", WAYS)
@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_any_single_tampering_is_found_and_named(case: dict[str, Any], listing: str) -> None:
    for number, tampered in enumerate(WAYS[listing](case["dumps"][listing])):
        if number % EVERY == 0:
            found = differences(
                case["scenario"], case["dumps"] | {listing: tampered.listing}, case["variant"]
            )
            assert found, tampered.what
            assert any(tampered.name in line for line in found), (tampered.what, tampered.name, found)


def a_cluster(**config: Any) -> Ruleset:
    web = service(
        "web",
        type="LoadBalancer",
        vips=["203.0.113.1"],
        ports=[ServicePort(port=80, node_port=30080, name="http")],
        load_balancer_source_ranges=["10.0.0.0/8"],
    )
    idle = service("idle", ip="10.96.0.11")
    objects = cluster(web, slice_of(web, ["10.10.0.1", "10.10.0.2"], port_name="http"), idle)
    proxy = msgspec.structs.replace(CONFIG, mode="ipvs", **config)
    return compile_rules(plan(objects, NODE, proxy, "IPv4"))


def test_what_a_node_lacks_is_said_in_the_words_of_its_service() -> None:
    ruleset = a_cluster()
    node = state(ruleset)
    key = ("TCP", "10.96.0.10:80")
    assert node.servers is not None
    server = msgspec.structs.replace(node.servers[key], reals=node.servers[key].reals[:1])
    found = compare(msgspec.structs.replace(node, servers={**node.servers, key: server}), ruleset)
    assert [finding.text for finding in found.findings] == [
        "default/web:http: IPv4 virtual server 10.96.0.10:80/tcp: missing: -r 10.10.0.2:8080 -m -w 1"
        " (endpoint 10.10.0.2:8080 gets no connections to 10.96.0.10:80/tcp)"
    ]


def test_an_endpoint_that_drains_and_a_server_that_is_excluded_are_notes() -> None:
    ruleset = a_cluster(ipvs_exclude_cidrs=("192.0.2.0/24",))
    node = state(ruleset)
    assert node.servers is not None
    key = ("TCP", "10.96.0.10:80")
    draining = (*node.servers[key].reals, RealServer("10.10.0.9:8080", weight=0))
    mine = Server("TCP", "192.0.2.1:443", "wlc", reals=(RealServer("10.7.7.7:443"),))
    servers = {
        **node.servers,
        key: msgspec.structs.replace(node.servers[key], reals=draining),
        mine.key: mine,
    }
    found = compare(msgspec.structs.replace(node, servers=servers), ruleset)
    assert not found.findings
    assert found.notes[:2] == (
        "IPv4 virtual server 10.96.0.10:80/tcp: 10.10.0.9:8080 has weight 0 (kube-proxy lets connections to"
        " an endpoint that is gone come to their end)",
        "IPv4 virtual server 192.0.2.1:443/tcp is of no Service (kube-proxy leaves it: ipvs.excludeCIDRs"
        " covers its address)",
    )


def test_a_rule_that_keeps_the_node_out_is_told_with_its_service() -> None:
    ruleset = a_cluster()
    node = state(ruleset)
    assert node.rules is not None
    node.rules.tables["filter"]["KUBE-IPVS-OUT-FILTER"].rules.clear()
    services = {finding.service for finding in compare(node, ruleset).findings}
    assert services == {"default/web:http"}


def test_a_node_where_nothing_was_programmed_is_told_thing_by_thing() -> None:
    (empty,) = read(
        {"ipvsadm -Sn": "", "ipset save": "", "ip -j addr": "[]", "iptables-save": ""}, "IPv4"
    ).values()
    places = [finding.place for finding in compare(empty, a_cluster()).findings]
    assert "virtual server 10.96.0.10:80/tcp" in places
    assert {"ipset KUBE-CLUSTER-IP", "device kube-ipvs0", "every table"} <= set(places)


@pytest.mark.parametrize("listing", [*SERVER_LISTINGS, *SET_LISTINGS])
def test_a_listing_that_cannot_be_read_is_named(listing: str) -> None:
    with pytest.raises(ValueError, match=f"{listing}: line 1: not a line of"):
        read({listing: "Chain INPUT (policy ACCEPT)\n"}, "IPv4")
