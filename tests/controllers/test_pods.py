"""Why a Pod is an endpoint of a Service, or is not: what a person asks who misses one."""

from typing import Any

import msgspec
import pytest

from rulegen.controllers import PodDecision, explain
from rulegen.model import Pod, Service
from tests.controllers.objects import node, pod, service


def decide(asked: Service, given: Pod, **options: Any) -> PodDecision:
    (decision,) = explain(asked, [given], **options)
    return decision


def test_a_ready_pod_is_an_endpoint_on_its_node_and_in_its_zone() -> None:
    decision = decide(service(), pod("a", "10.0.0.1", node="n1"), nodes=[node("n1", zone="zone-a")])
    assert decision.included
    assert (decision.verdict, decision.detail) == ("ready", "ready")
    endpoint = decision.endpoint
    assert endpoint is not None
    assert (endpoint.addresses, endpoint.node_name, endpoint.zone) == (["10.0.0.1"], "n1", "zone-a")
    assert endpoint.target_ref is not None
    assert (endpoint.target_ref.kind, endpoint.target_ref.name) == ("Pod", "a")


@pytest.mark.parametrize(
    ("given", "verdict", "ready", "serving", "terminating"),
    [
        (pod("a", "10.0.0.1"), "ready", True, True, False),
        (pod("a", "10.0.0.1", ready=False), "not-ready", False, False, False),
        (pod("a", "10.0.0.1", deleted=True), "terminating-serving", False, True, True),
        (pod("a", "10.0.0.1", deleted=True, ready=False), "terminating", False, False, True),
    ],
    ids=["ready", "not ready", "draining", "shutting down"],
)
def test_an_endpoint_carries_the_state_of_its_pod(
    given: Pod, verdict: str, ready: bool, serving: bool, terminating: bool
) -> None:
    decision = decide(service(), given)
    assert decision.endpoint is not None
    conditions = decision.endpoint.conditions
    assert conditions is not None
    assert decision.verdict == verdict
    assert (conditions.ready, conditions.serving, conditions.terminating) == (ready, serving, terminating)


def test_a_service_may_announce_pods_that_are_not_ready() -> None:
    database = service("db", publishNotReadyAddresses=True)
    decision = decide(database, pod("a", "10.0.0.1", ready=False))
    assert decision.verdict == "published"
    assert decision.detail == "not ready, but the Service publishes addresses that are not ready"
    assert decision.endpoint is not None
    assert decision.endpoint.conditions is not None
    assert decision.endpoint.conditions.ready is True
    assert decision.endpoint.conditions.serving is False


@pytest.mark.parametrize(
    ("given", "verdict", "detail"),
    [
        (pod("a", "10.0.0.1", phase="Succeeded"), "finished", "the Pod has finished (Succeeded)"),
        (pod("a", "10.0.0.1", phase="Failed"), "finished", "the Pod has finished (Failed)"),
        (pod("a", phase="Pending", ready=False), "no-address", "the Pod has no IP address yet"),
        (pod("a", "fd00::1"), "other-family", "the Pod has no IPv4 address"),
        (
            pod("a", "10.0.0.1", metadata={"labels": {"app": "db"}}),
            "not-selected",
            "lacks the label app=web",
        ),
        (pod("a", "10.0.0.1", node="gone"), "node-unknown", "Node gone does not exist"),
        (pod("a", "10.0.0.1", node=""), "node-unknown", "it is on no Node"),
    ],
    ids=["done", "crashed", "starting", "other family", "other label", "node deleted", "not scheduled"],
)
def test_a_pod_that_is_left_out_says_why(given: Pod, verdict: str, detail: str) -> None:
    decision = decide(service(), given, nodes=[node("n1")], require_nodes=True)
    assert not decision.included
    assert (decision.verdict, decision.detail) == (verdict, detail)


def test_pods_of_other_namespaces_are_nobodys_business() -> None:
    assert explain(service(), [pod("a", "10.0.0.1", metadata={"namespace": "elsewhere"})]) == []


def test_a_service_without_selector_says_so_of_every_pod() -> None:
    decision = decide(service(selector={}), pod("a", "10.0.0.1"))
    assert (decision.verdict, decision.detail) == ("not-selected", "the Service has no selector")


def test_a_dual_stack_service_asks_every_pod_twice() -> None:
    decisions = explain(service(ipFamilies=["IPv6", "IPv4"]), [pod("a", "10.0.0.1")])
    assert [(each.family, each.verdict) for each in decisions] == [
        ("IPv6", "other-family"),
        ("IPv4", "ready"),
    ]


def container(*ports: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "main", "ports": list(ports), **fields}


NAMED = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web"}


def test_a_named_target_port_is_found_in_the_containers() -> None:
    given = pod("a", "10.0.0.1", containers=[container({"name": "web", "containerPort": 8081})])
    decision = decide(service(ports=[NAMED]), given)
    assert [(port.name, port.port) for port in decision.ports] == [("http", 8081)]
    assert decision.unresolved == ()


def test_a_name_of_another_protocol_is_another_port() -> None:
    given = pod(
        "a", "10.0.0.1", containers=[container({"name": "web", "containerPort": 8081, "protocol": "UDP"})]
    )
    decision = decide(service(ports=[NAMED]), given)
    assert decision.included
    assert decision.ports == ()
    assert decision.unresolved == ("http",)
    assert decision.detail == "ready; no container has the target port of http"


def test_a_sidecar_may_serve_the_port_but_a_mere_init_container_may_not() -> None:
    metrics = {"name": "web", "containerPort": 9090}
    sidecar = pod("a", "10.0.0.1", initContainers=[container(metrics, restartPolicy="Always")])
    setup = pod("b", "10.0.0.2", initContainers=[container(metrics)])
    found, missing = explain(service(ports=[NAMED]), [sidecar, setup])
    assert [port.port for port in found.ports] == [9090]
    assert missing.unresolved == ("http",)


def test_a_hostname_is_published_where_the_service_is_the_pods_subdomain() -> None:
    mine = decide(service(), pod("a", "10.0.0.1", hostname="db-0", subdomain="web"))
    other = decide(service(), pod("a", "10.0.0.1", hostname="db-0", subdomain="other"))
    assert mine.endpoint is not None
    assert mine.endpoint.hostname == "db-0"
    assert other.endpoint is not None
    assert other.endpoint.hostname is None


def test_old_spellings_of_an_address_become_canonical() -> None:
    assert (
        decide(service(), pod("a", "010.000.0.1")).endpoint
        == decide(service(), pod("a", "10.0.0.1")).endpoint
    )
    six = decide(service(ipFamilies=["IPv6"]), pod("a", "2001:DB8:0:0::00A"))
    assert six.endpoint is not None
    assert six.endpoint.addresses == ["2001:db8::a"]


def test_the_single_address_stands_in_for_the_list_as_in_the_api_server() -> None:
    short = msgspec.convert({"metadata": {"name": "a"}, "status": {"podIP": "10.0.0.1"}}, Pod)
    whole = msgspec.structs.replace(pod("a", "10.0.0.1"), status=short.status)
    assert decide(service(), whole).verdict == "not-ready"
