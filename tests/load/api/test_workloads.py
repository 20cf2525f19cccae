"""Pods, what makes them, where they run, and the other objects that describe a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.load.api.objects import faults, taken


def pod(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "default"},
        "spec": {"containers": [{"name": "web"}], **spec},
        "status": status or {},
    }


def deployment(
    selector: Any, labels: dict[str, str], kind: str = "Deployment", **spec: Any
) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "ports": [{}]}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {"selector": selector, "template": template, **spec},
    }


def node(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": spec}


def test_a_pod_keeps_its_status_and_has_its_defaults() -> None:
    stored = taken(
        pod(
            {"phase": "Running", "podIP": "10.0.0.1"},
            containers=[{"name": "a", "ports": [{"containerPort": 80}]}],
        )
    )
    assert stored["status"]["podIPs"] == [{"ip": "10.0.0.1"}]
    assert stored["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert stored["spec"]["restartPolicy"] == "Always"


def test_a_pod_on_the_hosts_network_has_its_ports_there() -> None:
    stored = taken(pod(hostNetwork=True, containers=[{"name": "a", "ports": [{"containerPort": 80}]}]))
    assert stored["spec"]["containers"][0]["ports"][0]["hostPort"] == 80


def test_the_single_address_of_a_pod_wins_over_the_list() -> None:
    both = pod({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.2"}, {"ip": "fd00::1"}]})
    assert taken(both)["status"]["podIPs"] == [{"ip": "10.0.0.1"}]
    assert taken(pod({"podIPs": [{"ip": "10.0.0.2"}]}))["status"]["podIP"] == "10.0.0.2"


def test_what_is_wrong_with_a_pod() -> None:
    ports = [
        {"containerPort": 0},
        {"name": "http", "containerPort": 80},
        {"name": "http", "containerPort": 65536},
    ]
    wrong = pod(
        {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.300"}]},
        containers=[{"name": "web", "ports": ports}],
        initContainers=[{"name": "web"}],
        nodeName="n_1",
        restartPolicy="Sometimes",
    )
    assert [fault.partition(": a ")[0].partition(", (e.g.")[0] for fault in faults(wrong)] == [
        "spec.containers[0].ports[0].containerPort: Required value",
        'spec.containers[0].ports[2].name: Duplicate value: "http"',
        "spec.containers[0].ports[2].containerPort: Invalid value: 65536: "
        "must be between 1 and 65535, inclusive",
        'spec.initContainers[0].name: Duplicate value: "web"',
        'spec.nodeName: Invalid value: "n_1"',
        'spec.restartPolicy: Unsupported value: "Sometimes": '
        'supported values: "Always", "OnFailure", "Never"',
        'status.podIPs[1]: Invalid value: "10.0.0.300": must be a valid IP address',
        'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.300"}]: '
        "may specify no more than one IP for each IP family",
    ]


def test_a_workload_has_one_replica_and_ports_with_a_protocol() -> None:
    template = {"metadata": {}, "spec": {"containers": [{"name": "web", "ports": [{"containerPort": 80}]}]}}
    wanted = deployment(
        {"matchLabels": {"app": "web"}}, {}, template={**template, "metadata": {"labels": {"app": "web"}}}
    )
    spec = taken(wanted)["spec"]
    assert spec["replicas"] == 1
    assert spec["template"]["spec"]["containers"][0]["ports"][0]["protocol"] == "TCP"


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (None, "spec.selector: Required value"),
        ({}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        (
            {"matchLabels": {"app": "db"}},
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: '
            "`selector` does not match template `labels`",
        ),
        (
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: '
            "`selector` does not match template `labels`",
        ),
        (
            {"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["web"]}]},
            "spec.selector.matchExpressions[0].values: Forbidden: "
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        (
            {"matchExpressions": [{"key": "app", "operator": "Is"}]},
            'spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
        ),
    ],
)
def test_a_selector_has_to_take_the_pods_that_it_makes(selector: Any, said: str) -> None:
    assert faults(deployment(selector, {"app": "web"}))[0] == said


def test_pods_of_a_stateful_set_bear_its_name() -> None:
    dotted = deployment({"matchLabels": {"a": "b"}}, {"a": "b"}, kind="StatefulSet")
    dotted["metadata"]["name"] = "db.example"
    assert faults(dotted)[0] == 'metadata.name: Invalid value: "db.example": must not contain dots'


def test_a_node_has_its_pod_cidr_in_both_fields() -> None:
    assert taken(node(podCIDR="10.1.0.0/24"))["spec"]["podCIDRs"] == ["10.1.0.0/24"]
    assert taken(node(podCIDRs=["10.1.0.0/24", "fd00::/64"]))["spec"]["podCIDR"] == "10.1.0.0/24"
    assert faults(node(podCIDRs=["10.1.0.0/24", "10.2.0.0/24"])) == [
        'spec.podCIDRs: Invalid value: ["10.1.0.0/24","10.2.0.0/24"]: '
        "may specify no more than one CIDR for each IP family"
    ]


def test_addresses_of_a_node_are_addresses() -> None:
    wrong = node()
    wrong["status"] = {
        "addresses": [{"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "n1"}]
    }
    assert faults(wrong) == [
        'status.addresses[1].address: Invalid value: "n1": '
        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    ]


@pytest.mark.parametrize("version", ["networking.k8s.io/v1", "networking.k8s.io/v1beta1"])
def test_service_ranges_are_one_or_two_networks(version: str) -> None:
    def ranges(*cidrs: str) -> dict[str, Any]:
        return {
            "apiVersion": version,
            "kind": "ServiceCIDR",
            "metadata": {"name": "x"},
            "spec": {"cidrs": list(cidrs)},
        }

    assert taken(ranges("10.96.0.0/12", "fd00::/112"))
    assert faults(ranges()) == ["spec.cidrs: Required value: at least one CIDR required"]
    assert faults(ranges("10.96.0.1/12")) == [
        'spec.cidrs[0]: Invalid value: "10.96.0.1/12": must not have bits set beyond the prefix length'
    ]
    assert faults(ranges("FD00::/112")) == [
        'spec.cidrs[0]: Invalid value: "FD00::/112": must be in canonical form ("fd00::/112")'
    ]


def test_a_namespace_is_labelled_with_its_name() -> None:
    stored = taken({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}})
    assert stored["metadata"]["labels"] == {"kubernetes.io/metadata.name": "prod"}


def test_the_data_of_a_config_map_is_text() -> None:
    def config_map(**fields: Any) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-proxy"}, **fields}

    assert taken(config_map(data={"a": "b"}, binaryData={"c": "aGVsbG8="}))["binaryData"] == {"c": "aGVsbG8="}
    assert faults(config_map(data={"a": {}})) == [
        "data: json: cannot unmarshal object into Go struct field ConfigMap.data of type string "
        '(the value of "a")'
    ]
    assert faults(config_map(binaryData={"c": "?"})) == [
        'binaryData.c: Invalid value: "?": illegal base64 data'
    ]


def test_metadata_is_checked_of_every_kind() -> None:
    wrong = pod()
    wrong["metadata"] |= {
        "labels": {"a b": "c", "x": "y z"},
        "annotations": {"A/B": "v"},
        "finalizers": ["mine"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "1"}],
        "generation": -1,
    }
    assert [fault.partition(": name ")[0].partition(": a ")[0] for fault in faults(wrong)] == [
        "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
        'metadata.labels: Invalid value: "a b"',
        'metadata.labels: Invalid value: "y z"',
        "metadata.ownerReferences[0]: Invalid value: "
        '{"apiVersion":"v1","kind":"Event","name":"e","uid":"1"}: '
        "/v1, Kind=Event is disallowed from being an owner",
        'metadata.finalizers[0]: Invalid value: "mine"',
    ]
