"""Services that expose and create write: stories beyond the recorded ones, and what always holds."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.kubectl import Expose, KubectlError, NewService, create_service, find_resource, run
from rulegen.kubectl.age import moment
from rulegen.kubectl.selectors import matches, parse_labels, show_labels
from rulegen.load.api import admit

STEADY = settings(derandomize=True, deadline=None)

NOW = moment("2026-11-23T12:00:00Z")
PORTS: list[dict[str, Any]] = [
    {"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
    {"name": "dns", "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]},
]


def deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"team": "front"}},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": PORTS}},
            **spec,
        },
    }


def pod(labels: dict[str, str], containers: list[dict[str, Any]] = PORTS) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lone", "namespace": "default", "labels": labels},
        "spec": {"containers": containers},
    }


DEPLOYMENTS, PODS = find_resource("deployments"), find_resource("pods")


def test_every_port_of_the_containers_gets_a_name_and_its_own_protocol() -> None:
    service = Expose().service_for(DEPLOYMENTS, deployment())
    assert service["spec"]["ports"] == [
        {"name": "port-1", "protocol": "TCP", "port": 80, "targetPort": 80},
        {"name": "port-2-udp", "protocol": "UDP", "port": 53, "targetPort": 53},
        {"name": "port-2-tcp", "protocol": "TCP", "port": 53, "targetPort": 53},
    ]


def test_a_protocol_that_is_given_stands_for_all() -> None:
    service = Expose(protocol="SCTP").service_for(DEPLOYMENTS, deployment())
    assert [port["protocol"] for port in service["spec"]["ports"]] == ["SCTP", "SCTP"]


def test_a_name_is_cut_to_what_a_service_may_be_called() -> None:
    item = pod({"app": "a"})
    item["metadata"]["name"] = "x" * 80
    assert Expose(port="80").service_for(PODS, item)["metadata"]["name"] == "x" * 63


def test_the_first_of_several_objects_decides_on_selector_and_ports() -> None:
    told = run(
        [deployment(), pod({"app": "lone"})],
        ["expose", "pod/lone", "deployment/web", "--dry-run=client", "-o", "yaml"],
        NOW,
    )
    first, second = yaml.safe_load_all(told.stdout)
    assert first["spec"]["selector"] == second["spec"]["selector"] == {"app": "lone"}
    assert first["spec"]["ports"] == second["spec"]["ports"]
    assert [first["metadata"]["name"], second["metadata"]["name"]] == ["lone", "web"]


def test_what_cannot_be_said_in_a_services_selector_is_refused() -> None:
    picky = deployment(
        selector={
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}],
        }
    )
    with pytest.raises(KubectlError) as refused:
        Expose(port="80").service_for(DEPLOYMENTS, picky)
    assert str(refused.value) == (
        "couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions - "
        '"[{Key:tier Operator:In Values:[a b]}]" to map-based selector format'
    )


def test_nothing_is_created_without_a_cluster() -> None:
    for line in (
        "expose deployment web --port=80",
        "expose deployment web --port=80 --dry-run=server",
        "create service clusterip web --tcp=80 --dry-run=none",
    ):
        told = run([deployment()], line.split(), NOW)
        assert (told.code, told.stdout) == (1, "")
        assert told.stderr == "error: rulegen has no cluster to change: use --dry-run=client\n"


def test_the_namespace_is_written_where_it_was_given() -> None:
    for line in ("create service clusterip web --tcp=80", "expose deployment web --port=80"):
        command = [*line.split(), "--dry-run=client", "-o", "yaml"]
        item = deployment()
        assert "namespace" not in run([item], command, NOW).stdout
        assert "  namespace: default\n" in run([item], ["-n", "default", *command], NOW).stdout


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
LABELS = st.dictionaries(NAMES, NAMES, min_size=1, max_size=4)
NUMBERS = st.integers(1, 65535)


@STEADY
@given(LABELS, st.lists(st.tuples(NUMBERS, st.sampled_from(["TCP", "UDP", "SCTP"])), min_size=1, max_size=4))
def test_an_exposed_pod_is_selected_on_all_of_its_ports(
    labels: dict[str, str], ports: list[tuple[int, str]]
) -> None:
    containers = [{"name": "c", "ports": [{"containerPort": n, "protocol": p} for n, p in ports]}]
    service = Expose().service_for(PODS, pod(labels, containers))
    assert matches(parse_labels(show_labels(service["spec"]["selector"])), labels)
    written = [(port["targetPort"], port["protocol"]) for port in service["spec"]["ports"]]
    assert sorted(written) == sorted(ports)


@STEADY
@given(
    name=NAMES,
    ports=st.lists(
        st.one_of(NUMBERS.map(str), st.tuples(NUMBERS, NUMBERS).map("{0[0]}:{0[1]}".format)),
        min_size=1,
        max_size=3,
        unique_by=lambda each: each.partition(":")[0],
    ),
    kind=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
)
def test_what_create_service_writes_is_accepted_by_the_api_server(
    name: str, ports: list[str], kind: str
) -> None:
    service = create_service(NewService(name=name, type=kind, tcp=tuple(ports), namespace="default"))
    assert admit(service).errors == ()
