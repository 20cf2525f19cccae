"""What objects mean to each other, and what a cluster has done to them already."""

from __future__ import annotations

from typing import Any

import pytest

import rulegen
from rulegen.load import LoadError, load
from rulegen.load.api import Server


def service(name: str, stored: bool = False, status: Any = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"uid": name, "resourceVersion": "1"} if stored else {})}
    spec.setdefault("ports", [{"port": 80}])
    value = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    return value if status is None else {**value, "status": status}


def said(*sources: Any, **options: Any) -> list[str]:
    with pytest.raises(LoadError) as failure:
        load(*sources, **options)
    return [str(problem) for problem in failure.value.problems]


RANGE = {
    "apiVersion": "networking.k8s.io/v1beta1",
    "kind": "ServiceCIDR",
    "metadata": {"name": "kubernetes"},
    "spec": {"cidrs": ["10.43.0.0/16"]},
}


def test_cluster_ips_must_be_inside_the_service_cidrs_where_those_are_known() -> None:
    inside, outside = service("a", clusterIP="10.43.0.10"), service("b", clusterIP="10.96.0.10")
    assert len(load([outside, inside]).cluster.services) == 2
    assert len(load([inside, RANGE]).cluster.services) == 1
    refusal = (
        '<objects 1>[0]: Service default/b: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to '
        "allocate IP 10.96.0.10: the provided network does not match the current range"
    )
    assert said([outside, inside, RANGE]) == [refusal]
    assert said([outside, inside], server=Server(service_cidrs=("10.43.0.0/16",))) == [refusal]
    stored = service("b", stored=True, clusterIP="10.96.0.10", clusterIPs=["10.96.0.10"])
    assert len(load([stored, RANGE]).cluster.services) == 1


def test_one_service_may_have_one_node_port_for_two_protocols_two_services_may_not() -> None:
    both = [
        {"name": "dns", "port": 53, "nodePort": 30053, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "nodePort": 30053, "protocol": "TCP"},
    ]
    assert len(load(service("dns", type="NodePort", ports=both)).cluster.services) == 1
    udp, tcp = (service(f"dns-{i}", type="NodePort", ports=[port]) for i, port in enumerate(both))
    assert said([udp, tcp]) == [
        "<objects 1>[1]: Service default/dns-1: spec.ports[0].nodePort: Invalid value: 30053: "
        "provided port is already allocated (by Service default/dns-0, <objects 1>[0])"
    ]


def test_what_two_services_of_a_cluster_share_is_a_warning() -> None:
    first, second = (
        service(name, stored=True, clusterIP="10.96.0.10", clusterIPs=["10.96.0.10"]) for name in "ab"
    )
    loaded = load([first, second])
    assert len(loaded.cluster.services) == 2
    assert [warning.message for warning in loaded.warnings] == [
        'Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated '
        "(by Service default/a, <objects 1>[0])"
    ]


def test_headless_and_external_services_share_nothing() -> None:
    headless = [service(name, clusterIP="None", selector={"app": name}) for name in "ab"]
    external = [service(name, type="ExternalName", externalName="db.example.com") for name in "cd"]
    loaded = load(headless, external)
    assert (len(loaded.cluster.services), loaded.warnings) == (4, ())


def test_a_service_without_a_cluster_ip_is_kept_as_it_is() -> None:
    loaded = load(service("web"))
    assert loaded.cluster.services[0].spec.cluster_ip == ""
    assert not loaded.warnings


def test_the_status_of_a_manifest_is_kept_and_checked() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "lb.example.com"}]}}
    balanced = service("web", type="LoadBalancer", clusterIP="10.96.0.10", status=status)
    (loaded,) = load(balanced).cluster.services
    assert loaded.status is not None
    assert loaded.status.load_balancer is not None
    assert [each.ip for each in loaded.status.load_balancer.ingress or ()] == ["203.0.113.1", ""]


def test_an_object_of_a_cluster_is_not_refused_for_what_only_a_create_checks() -> None:
    ranges: dict[str, Any] = {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.1/8"]}
    addresses: dict[str, Any] = {"clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10"]}
    assert len(said(service("web", **ranges, **addresses))) == 1
    assert len(load(service("web", stored=True, **ranges, **addresses)).cluster.services) == 1


def test_objects_that_leave_their_name_to_the_server_get_one_that_stays_the_same() -> None:
    def endpoint_slice(address: str) -> dict[str, Any]:
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"generateName": "web-", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]}],
            "ports": [],
        }

    objects = [endpoint_slice("10.180.0.5"), endpoint_slice("10.180.0.6")]
    names = {each.metadata.name for each in load(objects).cluster.slices}
    assert len(names) == 2
    assert all(name.startswith("web-") and len(name) == 9 for name in names)
    assert {each.metadata.name for each in load(objects[::-1]).cluster.slices} == names


def test_kinds_of_other_groups_are_passed_over_whatever_their_name() -> None:
    knative = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "web"}}
    metrics = {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": {"name": "n1"}}
    loaded = load([knative, metrics, knative])
    assert loaded.passed_over == {"Service.serving.knative.dev": 2, "NodeMetrics": 1}
    assert len(loaded.cluster.others) == 3


def test_other_objects_get_the_namespace_of_the_command_line_where_they_have_one() -> None:
    kinds = {"Deployment": "apps/v1", "Namespace": "v1", "Database": "example.com/v1"}
    objects = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}} for kind, version in kinds.items()
    ]
    others = load(objects, namespace="shop").cluster.others
    assert [each["metadata"].get("namespace") for each in others] == ["shop", None, None]


def test_the_function_of_the_python_api_can_be_called_again_and_again() -> None:
    for _ in range(2):
        assert len(rulegen.load(service("web", clusterIP="10.96.0.10")).services) == 1
