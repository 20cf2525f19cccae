"""What a change means, in words that a user of Services knows."""

from __future__ import annotations

from typing import Any

import msgspec

from rulegen.findings import ServiceChange
from rulegen.iptables import compile_rules
from rulegen.iptables.save import as_dump
from rulegen.iptables.summary import summary
from rulegen.model import Cluster, ProxyConfig, ServicePort
from rulegen.plan import plan
from tests.iptables.nodes import programmed
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of


def web(*endpoints: str, **spec: Any) -> Cluster:
    owner = service("web", **spec)
    return cluster(owner, slice_of(owner, endpoints))


def balanced(**spec: Any) -> Cluster:
    """A load balancer's Service with one endpoint here and one elsewhere."""
    ports = [ServicePort(port=80, node_port=30080, name="http")]
    owner = service("web", type="LoadBalancer", vips=["203.0.113.1"], ports=ports, **spec)
    ends = [endpoint("10.10.0.1", "n1"), endpoint("10.10.1.1", "n2")]
    return cluster(owner, slice_of(owner, ends, port_name="http"))


def between(before: Cluster, after: Cluster, config: ProxyConfig = CONFIG) -> list[ServiceChange]:
    a = compile_rules(plan(before, NODE, CONFIG, "IPv4"))
    b = compile_rules(plan(after, NODE, config, "IPv4"))
    told = summary(as_dump(a), as_dump(b))
    from_a_node = summary(programmed(a), as_dump(b))
    assert [(c.service, c.lines, sorted(c.places)) for c in from_a_node] == [
        (c.service, c.lines, sorted(c.places)) for c in told
    ]
    return told


def lines(before: Cluster, after: Cluster) -> tuple[str, ...]:
    (change,) = between(before, after)
    assert change.service in ("default/web", "default/web:http")
    return change.lines


def test_nothing_changed() -> None:
    assert between(web("10.10.0.1"), web("10.10.0.1")) == []


def test_an_endpoint_in_place_of_another() -> None:
    (change,) = between(web("10.10.1.85", "10.10.1.86"), web("10.10.1.85", "10.10.1.90"))
    assert change.service == "default/web"
    assert change.lines == ("- endpoint 10.10.1.86:8080", "+ endpoint 10.10.1.90:8080")
    assert [place.rpartition("-")[0] for place in change.places] == [
        "nat KUBE-SVC", "nat KUBE-SEP", "nat KUBE-SEP",
    ]  # fmt: skip


def test_the_first_endpoints_come() -> None:
    assert lines(web(), web("10.10.0.1", "10.10.0.2")) == (
        "~ no longer REJECTs cluster IP 10.96.0.10:80/tcp: has 2 endpoints",
        "+ endpoint 10.10.0.1:8080",
        "+ endpoint 10.10.0.2:8080",
    )


def test_the_last_endpoint_goes() -> None:
    assert lines(web("10.10.0.1"), web()) == (
        "~ now REJECTs cluster IP 10.96.0.10:80/tcp: no endpoints",
        "- endpoint 10.10.0.1:8080",
    )


def test_services_come_and_go() -> None:
    assert lines(cluster(), web("10.10.0.1")) == ("+ new: cluster IP 10.96.0.10:80/tcp -> 1 endpoint",)
    assert lines(web(), cluster()) == ("- gone: was cluster IP 10.96.0.10:80/tcp -> no endpoints",)


def test_an_address_is_moved() -> None:
    assert lines(web("10.10.0.1"), web("10.10.0.1", ip="10.96.0.99")) == (
        "- cluster IP 10.96.0.10:80/tcp",
        "+ cluster IP 10.96.0.99:80/tcp",
    )


def test_external_traffic_is_kept_on_the_node() -> None:
    after = balanced(external_traffic_policy="Local", health_check_node_port=32000)
    assert lines(balanced(), after) == (
        "+ health check node port :32000/tcp",
        "~ endpoint 10.10.0.1:8080 now takes traffic for endpoints of this node",
        "~ external traffic goes to endpoints of this node only",
    )


def test_source_ranges_and_affinity() -> None:
    after = balanced(load_balancer_source_ranges=["10.0.0.0/8"], affinity=60)
    assert lines(balanced(), after) == (
        "+ clients stay at their endpoint for 60 s",
        "+ source range 10.0.0.0/8",
    )
    longer = balanced(load_balancer_source_ranges=["172.16.0.0/12"], affinity=90)
    assert lines(after, longer) == (
        "~ clients stay at their endpoint for 90 s, not 60 s",
        "- source range 10.0.0.0/8",
        "+ source range 172.16.0.0/12",
    )
    assert lines(longer, balanced()) == (
        "- clients no longer stay at their endpoint",
        "- source range 172.16.0.0/12",
    )


def test_another_configuration_changes_rules_of_no_service_too() -> None:
    config = msgspec.structs.replace(CONFIG, masquerade_bit=3, masquerade_all=True)
    told = between(web("10.10.0.1"), web("10.10.0.1"), config)
    assert [change.service for change in told] == ["default/web", ""]
    assert told[0].lines[0].startswith("~ 1 rule changed in KUBE-SVC-")
    assert told[1].lines == (
        "~ filter KUBE-FORWARD: 1 rule changed",
        "~ nat KUBE-POSTROUTING: 2 rules changed",
        "~ nat KUBE-MARK-MASQ: 1 rule changed",
    )
