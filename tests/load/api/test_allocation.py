"""Addresses and ports that the API server hands out, and those that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from rulegen.load.api import Server
from tests.load.api.objects import faults, service, taken

SMALL = Server(
    service_cidrs=("10.43.0.0/24",),
    node_ports=(31000, 31009),
    cluster_ips={"10.43.0.10": "kube-system/kube-dns"},
    used_node_ports=frozenset({31001}),
)
OUTSIDE = "provided port is not in the valid range. The range of valid ports is 30000-32767"


def test_allocated_values_stay_out_of_the_result_or_are_marked() -> None:
    dual = service(type="NodePort", ipFamilyPolicy="PreferDualStack", clusterIP="10.96.0.7")
    assert taken(dual)["spec"]["clusterIPs"] == ["10.96.0.7"]
    assert "nodePort" not in taken(dual)["spec"]["ports"][0]
    marked = taken(dual, placeholders=True)["spec"]
    assert marked["clusterIPs"] == ["10.96.0.7", "*"]
    assert marked["ports"][0]["nodePort"] == "*"


def test_ports_of_one_number_share_the_node_port_that_one_of_them_asks_for() -> None:
    ports = [
        {"name": "udp", "port": 53, "protocol": "UDP"},
        {"name": "tcp", "port": 53, "nodePort": 30053},
    ]
    dns = service(type="NodePort", ports=ports)
    assert [port["nodePort"] for port in taken(dns)["spec"]["ports"]] == [30053, 30053]
    marked = taken(dns, placeholders=True)["spec"]["ports"]
    assert [port["nodePort"] for port in marked] == ["*", 30053]


def test_a_load_balancer_without_node_ports_keeps_those_that_were_asked_for() -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30081}]
    balancer = service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, ports=ports)
    stored = taken(balancer, placeholders=True)["spec"]["ports"]
    assert [port.get("nodePort") for port in stored] == [None, 30081]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"clusterIP": "10.96.0.1"},
            'spec.clusterIPs: Invalid value: ["10.96.0.1"]: '
            "failed to allocate IP 10.96.0.1: provided IP is already allocated",
        ),
        (
            {"clusterIP": "10.0.0.7"},
            'spec.clusterIPs: Invalid value: ["10.0.0.7"]: '
            "failed to allocate IP 10.0.0.7: the provided network does not match the current range",
        ),
        (
            {"clusterIP": "10.96.0.0"},
            'spec.clusterIPs: Invalid value: ["10.96.0.0"]: '
            "failed to allocate IP 10.96.0.0: the provided network does not match the current range",
        ),
        (
            {"clusterIP": "10.0.0.7", "ipFamilyPolicy": "RequireDualStack"},
            'spec.clusterIPs: Invalid value: ["10.0.0.7",""]: '
            "failed to allocate IP 10.0.0.7: the provided network does not match the current range",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            f"spec.ports[0].nodePort: Invalid value: 80: {OUTSIDE}",
        ),
        (
            {
                "type": "NodePort",
                "ports": [
                    {"name": "a", "port": 1, "nodePort": 30001},
                    {"name": "b", "port": 2, "nodePort": 30001},
                ],
            },
            "spec.ports[1].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 99},
            "spec.healthCheckNodePort: Internal error occurred: "
            f"failed to allocate requested HealthCheck NodePort 99: {OUTSIDE}",
        ),
        (
            {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.8"]},
            'spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`',
        ),
        (
            {"ipFamilies": ["IPv4", "IPv6"]},
            'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be '
            "'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
        ),
        (
            {"clusterIP": "10.96.0.7", "ipFamilies": ["IPv6"]},
            'spec.clusterIPs[0]: Invalid value: "10.96.0.7": '
            "expected an IPv6 value as indicated by `ipFamilies[0]`",
        ),
    ],
)
def test_what_cannot_be_allocated(spec: dict[str, Any], said: str) -> None:
    assert faults(service(**spec)) == [said]


def test_a_service_without_a_name_fails_where_its_address_is_taken() -> None:
    assert faults(service(name="", clusterIP="10.96.0.7")) == [
        'spec.clusterIPs: Invalid value: ["10.96.0.7"]: failed to allocate IP 10.96.0.7: '
        'IPAddress.networking.k8s.io "10.96.0.7" is invalid: spec.parentRef.name: Required value'
    ]
    assert faults(service(name="", clusterIP="None")) == [
        "metadata.name: Required value: name or generateName is required"
    ]


def test_a_service_that_exists_is_not_created_again() -> None:
    assert faults(service(name="kubernetes")) == ['metadata.name: services "kubernetes" already exists']
    assert taken(service(name="kubernetes", metadata={"namespace": "prod"}))
    assert taken(service(name="kubernetes"), server=SMALL)
    assert faults(service(name="kube-dns", metadata={"namespace": "kube-system"}), server=SMALL)


def test_faults_of_allocation_come_before_all_others() -> None:
    wrong = service(name="a_b", type="NodePort", ports=[{"port": 0, "nodePort": 1}])
    assert faults(wrong) == [f"spec.ports[0].nodePort: Invalid value: 1: {OUTSIDE}"]


def test_another_cluster_has_other_ranges() -> None:
    assert taken(service(clusterIP="10.43.0.7"), server=SMALL)["spec"]["ipFamilies"] == ["IPv4"]
    assert faults(service(clusterIP="10.43.0.10"), server=SMALL) == [
        'spec.clusterIPs: Invalid value: ["10.43.0.10"]: '
        "failed to allocate IP 10.43.0.10: provided IP is already allocated"
    ]
    taken_port = service(type="NodePort", ports=[{"port": 80, "nodePort": 31001}])
    assert faults(taken_port, server=SMALL) == [
        "spec.ports[0].nodePort: Invalid value: 31001: provided port is already allocated"
    ]


def test_a_cluster_of_one_family_gives_no_addresses_of_the_other() -> None:
    assert faults(service(ipFamilyPolicy="RequireDualStack"), server=SMALL) == [
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
        "this cluster is not configured for dual-stack services"
    ]
    assert faults(service(ipFamilies=["IPv6"]), server=SMALL) == [
        'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'
    ]
    assert faults(service(clusterIP="fd00::1"), server=SMALL) == [
        'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster'
    ]
    preferring = taken(service(ipFamilyPolicy="PreferDualStack"), server=SMALL)
    assert preferring["spec"]["ipFamilies"] == ["IPv4"]
    # Endpoints of a headless Service without a selector are the user's own, of whatever family.
    assert taken(service(clusterIP="None"), server=SMALL)["spec"]["ipFamilies"] == ["IPv4", "IPv6"]


def test_the_first_range_decides_the_family() -> None:
    server = Server(service_cidrs=("fd00:10:96::/112", "10.96.0.0/12"))
    assert taken(service(), server=server)["spec"]["ipFamilies"] == ["IPv6"]
