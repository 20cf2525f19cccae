"""Rules of the userspace mode, as a reader of the old days knows them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from rulegen.model import Cluster, Family, ServicePort
from rulegen.model.objects import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from rulegen.plan import Plan, plan
from rulegen.userspace import compile_rules
from rulegen.userspace.ports import COUNT, FIRST, proxy_ports
from rulegen.userspace.ruleset import jumps, restore
from tests.objects import CONFIG, NODE, service

USERSPACE = msgspec.structs.replace(CONFIG, mode="userspace")


def planned(
    *services: object,
    family: Family = "IPv4",
    bind: str = "0.0.0.0",
    ports: Mapping[str, int] | None = None,
) -> Plan:
    config = msgspec.structs.replace(USERSPACE, bind_address=bind)
    cluster = Cluster(services=services)  # type: ignore[arg-type]
    given = {f"default/{name}": port for name, port in (ports or {}).items()}
    return plan(cluster, NODE, config, family, "1.25", proxy_ports=given)


def rules(*services: object, bind: str = "0.0.0.0", **ports: int) -> list[str]:
    return jumps(compile_rules(planned(*services, bind=bind, ports=ports)))[10:]


def test_a_cluster_ip_leads_to_the_proxy_from_outside_and_from_the_node() -> None:
    assert rules(service("web"), web=40000) == [
        "nat -A KUBE-PORTALS-CONTAINER -m comment --comment default/web -p tcp -m tcp --dport 80"
        " -d 10.96.0.10 -j REDIRECT --to-ports 40000",
        "nat -A KUBE-PORTALS-HOST -m comment --comment default/web -p tcp -m tcp --dport 80"
        " -d 10.96.0.10 -j DNAT --to-destination 192.168.10.1:40000",
    ]


def test_a_proxy_that_is_bound_to_one_address_gets_everything_there() -> None:
    made = rules(service("web"), bind="192.168.10.1", web=40000)
    assert all(rule.endswith("-j DNAT --to-destination 192.168.10.1:40000") for rule in made)


def test_a_proxy_cannot_be_bound_to_localhost() -> None:
    with pytest.raises(ValueError, match="cannot proxy on localhost"):
        compile_rules(planned(service("web"), bind="127.0.0.1"))


def test_a_node_port_lets_new_connections_reach_the_proxy_port() -> None:
    web = service("web", type="NodePort", ports=[ServicePort(port=80, node_port=30080)])
    assert rules(web, web=40000)[-1] == (
        "filter -A KUBE-NODEPORT-NON-LOCAL -m comment --comment default/web -p tcp -m tcp --dport 40000"
        " -m state --state NEW -j ACCEPT"
    )


def test_one_node_port_number_may_be_had_for_tcp_and_for_udp_but_not_twice() -> None:
    def of(name: str, ip: str, protocol: str) -> object:
        port = ServicePort(port=53, node_port=30053, protocol=protocol)
        return service(name, ip=ip, type="NodePort", ports=[port])

    made = rules(of("a", "10.96.0.1", "TCP"), of("b", "10.96.0.2", "UDP"), of("c", "10.96.0.3", "TCP"))
    with_node_port = {rule.split()[6] for rule in made if "KUBE-NODEPORT" in rule}
    assert with_node_port == {"default/a", "default/b"}


def test_sctp_was_never_proxied() -> None:
    assert rules(service("web", ports=[ServicePort(port=80, protocol="SCTP")])) == []


def test_every_address_of_a_load_balancer_counts_as_ip_modes_were_not_known() -> None:
    ingress = [LoadBalancerIngress(ip="192.0.2.1", ip_mode="Proxy")]
    status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress))
    web = msgspec.structs.replace(service("web", type="LoadBalancer"), status=status)
    assert any("-d 192.0.2.1 " in rule for rule in rules(web))


def test_a_service_with_the_label_of_headless_ones_is_passed_over() -> None:
    assert rules(service("web", labels={"service.kubernetes.io/headless": ""})) == []


def test_proxy_ports_follow_from_names_and_stay_when_services_are_added() -> None:
    few = proxy_ports(["default/web", "default/db"], {})
    many = proxy_ports([f"default/s{n}" for n in range(50)] + list(few), {})
    assert all(FIRST <= port < FIRST + COUNT for port in many.values())
    assert len(set(many.values())) == len(many)
    assert proxy_ports(list(few), {}) == few


def test_given_proxy_ports_are_kept_and_never_given_again() -> None:
    taken = proxy_ports(["default/web"], {})["default/web"]
    ports = proxy_ports(["default/db", "default/web"], {"default/db": taken})
    assert ports["default/db"] == taken != ports["default/web"]


def test_the_text_has_every_rule_once() -> None:
    ruleset = compile_rules(planned(service("web", external_ips=["192.0.2.9", "192.0.2.9"])))
    lines = [line for line in restore(ruleset).splitlines() if line.startswith("-A")]
    assert len(lines) == len(set(lines)) == 5


@pytest.mark.parametrize(("mode", "version"), [("userspace", "1.37"), ("iptables", "1.25")])
def test_a_version_without_the_mode_is_refused_with_the_one_that_has_it(mode: str, version: str) -> None:
    other = "1.25" if version == "1.37" else "1.37"
    config = msgspec.structs.replace(CONFIG, mode=mode)
    with pytest.raises(ValueError, match=f"no {mode} mode in Kubernetes {version}: .* {other}"):
        plan(Cluster(), NODE, config, "IPv4", version)
