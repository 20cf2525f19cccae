"""Manifests without Pods: what the workloads would run, made up and marked as such."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.controllers import endpoint_slices
from rulegen.controllers.synthesis import ANNOTATION, scale, synthesize
from rulegen.load import load
from rulegen.model import Cluster
from tests.cli.running import FIXTURES, Rulegen

APP = str(FIXTURES / "ngx" / "app.yaml")
NGX = str(FIXTURES / "ngx")


def node(name: str, *cidrs: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {},
    }


def workload(kind: str, name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
            **spec,
        },
    }


def cluster(*objects: dict[str, Any]) -> Cluster:
    return load(list(objects)).cluster


def test_a_deployment_gets_its_replicas_spread_over_the_nodes_inside_their_pod_cidrs() -> None:
    nodes = [node("n1", "10.1.0.0/24", "fd00:1::/64"), node("n2", "10.2.0.0/24", "fd00:2::/64")]
    made = synthesize(cluster(*nodes, workload("Deployment", replicas=4)), every=True)
    pods = made.cluster.pods
    assert [pod.spec.node_name for pod in pods] == ["n1", "n2", "n1", "n2"]
    assert [[ip.ip for ip in pod.status.pod_ips or ()] for pod in pods[:2]] == [
        ["10.1.0.2", "fd00:1::2"],
        ["10.2.0.2", "fd00:2::2"],
    ]
    assert all((pod.metadata.annotations or {})[ANNOTATION] == "true" for pod in pods)
    assert len({pod.metadata.name for pod in pods}) == 4


def test_a_daemon_set_has_one_pod_on_each_node_and_a_stateful_set_counts_its_names() -> None:
    nodes = [node("n1", "10.1.0.0/24"), node("n2", "10.2.0.0/24"), node("n3", "10.3.0.0/24")]
    daemons = synthesize(cluster(*nodes, workload("DaemonSet")), every=True).cluster.pods
    assert [pod.spec.node_name for pod in daemons] == ["n1", "n2", "n3"]
    stateful = workload("StatefulSet", replicas=2, serviceName="db")
    pods = synthesize(cluster(*nodes, stateful), every=True).cluster.pods
    assert [(pod.metadata.name, pod.spec.hostname, pod.spec.subdomain) for pod in pods] == [
        ("web-0", "web-0", "db"),
        ("web-1", "web-1", "db"),
    ]


def test_numbers_of_a_stateful_set_go_on_where_they_lack_and_the_highest_goes_first() -> None:
    def pod(number: int) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"web-{number}", "namespace": "default", "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n1"},
        }

    objects = [node("n1", "10.1.0.0/24"), workload("StatefulSet", ordinals={"start": 2}), pod(2), pod(10)]

    def names(number: int) -> list[str]:
        made = synthesize(cluster(*objects), every=False, scales=[("StatefulSet", "web", number)])
        return sorted(each.metadata.name for each in made.cluster.pods)

    assert names(4) == ["web-10", "web-2", "web-3", "web-4"]
    assert names(1) == ["web-2"]


def test_pods_are_where_they_could_be() -> None:
    """A nodeSelector is heeded; a node that takes no new Pods gets those of DaemonSets only."""
    here, there, closed = node("n1", "10.1.0.0/24"), node("n2", "10.2.0.0/24"), node("n3", "10.3.0.0/24")
    there["metadata"]["labels"] = closed["metadata"]["labels"] = {"disk": "ssd"}
    closed["spec"]["unschedulable"] = True
    picky, daemons = workload("Deployment", replicas=2), workload("DaemonSet", "agent")
    for each in (picky, daemons):
        each["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    pods = synthesize(cluster(here, there, closed, picky, daemons), every=True).cluster.pods
    assert [pod.spec.node_name for pod in pods] == ["n2", "n2", "n2", "n3"]
    with pytest.raises(
        ValueError, match="Deployment default/web: no Node has the labels of its nodeSelector"
    ):
        synthesize(cluster(here, picky), every=True)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"replicas": "three"}, "spec.replicas: 'three' is no number of Pods"),
        ({"template": {"spec": {"containers": "c"}}}, "Expected `array | null`, got `str`"),
        ({"template": "x"}, "not as Kubernetes has it"),
    ],
)
def test_a_workload_that_is_none_is_told_in_words(spec: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=rf"^Deployment default/web: .*{fault}"):
        synthesize(cluster(workload("Deployment", **spec)), every=True)


def test_endpoints_need_no_node_and_name_workloads_without_pods(rulegen: Rulegen, tmp_path: Path) -> None:
    nodes = [node("n1", "10.1.0.0/24"), node("n2", "10.2.0.0/24")]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "labels": {"tier": "front"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    (tmp_path / "app.yaml").write_text(yaml.safe_dump_all([*nodes, workload("Deployment"), service]))
    bare = rulegen("endpoints", "-f", "app.yaml", "-o", "wide")
    assert (bare.code, bare.out.split()[-6]) == (0, "<none>")
    assert (
        "default/web: no Pod that its selector matches was given; --synthesize-pods makes some up" in bare.err
    )
    made = rulegen(
        "endpoints", "web", "-l", "tier=front", "-f", "app.yaml", "--synthesize-pods", "-o", "name"
    )
    assert made.out.startswith("endpointslice.discovery.k8s.io/web-")
    assert "allocated" not in made.err, "endpoints do not depend on cluster IPs"
    assert rulegen("endpoints", "db", "-f", "app.yaml").code == 2
    assert rulegen("endpoints", "-l", "tier=back", "-f", "app.yaml").out == ""


def test_workloads_that_have_pods_are_left_alone(rulegen: Rulegen) -> None:
    with_pods = rulegen("endpoints", "-f", NGX, "--synthesize-pods")
    assert with_pods.out == rulegen("endpoints", "-f", NGX).out
    assert "10.10.0.232" in with_pods.out and "10.10.1.86" in with_pods.out


def test_scaling_adds_pods_or_leaves_out_the_last(rulegen: Rulegen) -> None:
    more = rulegen("endpoints", "-f", NGX, "--scale", "deploy/ngx-dep=4", "-o", "wide")
    assert len(more.out.splitlines()) == 5
    assert "synthetic Pods (annotation rulegen.dev/synthetic): Deployment default/ngx-dep: 2" in more.err
    less = rulegen("endpoints", "-f", NGX, "--scale", "deploy/ngx-dep=1", "-o", "wide")
    assert [line.split()[2] for line in less.out.splitlines()[1:]] == ["10.10.0.232"]


def test_synthetic_pods_reach_the_rules(rulegen: Rulegen) -> None:
    done = rulegen("render", "-f", APP, "--synthesize-pods")
    assert done.out.count("--to-destination 10.244.0.") == 2


def test_endpoints_can_be_piped_back_into_render(rulegen: Rulegen) -> None:
    made = rulegen("endpoints", "-f", NGX).out
    assert [item["kind"] for item in yaml.safe_load_all(made)] == ["EndpointSlice"]
    service = "\n---\n".join([(FIXTURES / "ngx" / "app.yaml").read_text(), made])
    piped = rulegen("render", "-f", "-", "-f", f"{NGX}/node.yaml", stdin=service)
    assert piped.out == rulegen("render", "-f", NGX).out


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("deploy/web", "must be KIND/NAME=N"),
        ("pod/web=2", "must be KIND/NAME=N"),
        ("deploy/web=-1", "must be KIND/NAME=N"),
        ("ds/web=2", "one Pod on each node"),
        ("deploy/web=100001", "more than 100000 Pods"),
    ],
)
def test_scales_that_make_no_sense_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        scale(text)


def test_a_workload_that_is_not_there_and_nodes_without_room_are_named() -> None:
    with pytest.raises(ValueError, match="no Deployment default/x among the objects; found: Deployment/web"):
        synthesize(cluster(workload("Deployment")), every=False, scales=[("Deployment", "x", 1)])
    full = cluster(node("n1", "10.1.0.0/30"), workload("Deployment", replicas=3))
    with pytest.raises(ValueError, match=r"node n1: pod CIDR 10.1.0.0/30 has no address left"):
        synthesize(full, every=True)
    with pytest.raises(ValueError, match=r"node n1: no spec\.podCIDRs"):
        synthesize(cluster(node("n1"), workload("Deployment")), every=True)


@given(st.integers(0, 60), st.integers(24, 27), st.integers(1, 4))
def test_every_synthetic_address_is_inside_its_nodes_pod_cidr_and_given_once(
    replicas: int, length: int, count: int
) -> None:
    nodes = [node(f"n{i}", f"10.{i}.0.0/{length}") for i in range(count)]
    objects = cluster(*nodes, workload("Deployment", replicas=replicas))
    room = (2 ** (32 - length) - 3) * count
    if replicas > room:
        with pytest.raises(ValueError, match="no address left"):
            synthesize(objects, every=True)
        return
    pods = synthesize(objects, every=True).cluster.pods
    cidrs = {f"n{i}": ip_network(f"10.{i}.0.0/{length}") for i in range(count)}
    assert len({pod.status.pod_ip for pod in pods}) == len(pods) == replicas
    assert all(ip_address(pod.status.pod_ip) in cidrs[pod.spec.node_name] for pod in pods)


@st.composite
def applications(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[tuple[str, str, int]]]:
    """Nodes of one family or two, workloads of every kind with their Services, and numbers to scale to."""
    dual = draw(st.booleans())
    nodes = []
    for i in range(draw(st.integers(1, 4))):
        cidrs = [f"10.{i}.0.0/{draw(st.integers(24, 26))}", *([f"fd00:{i}::/64"] if dual else [])]
        made = node(f"n{i}", *cidrs)
        made["spec"]["unschedulable"] = draw(st.integers(0, 4)) == 0
        made["status"] = {"addresses": [{"type": "InternalIP", "address": f"192.168.0.{i + 1}"}]}
        nodes.append(made)
    objects, scales = [], []
    for i in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"]))
        made = workload(kind, f"w{i}")
        if kind != "DaemonSet":
            made["spec"]["replicas"] = draw(st.integers(0, 6))
            if draw(st.booleans()):
                scales.append((kind, f"w{i}", draw(st.integers(0, 9))))
        made["spec"]["template"]["spec"]["hostNetwork"] = draw(st.integers(0, 4)) == 0
        asked = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"w{i}", "namespace": "default"}}
        spec: dict[str, Any] = {"selector": {"app": f"w{i}"}, "ports": [{"port": 80}]}
        if dual:
            spec["ipFamilyPolicy"] = "PreferDualStack"
        objects += [made, {**asked, "spec": spec}]
    return [*nodes, *objects], scales


@settings(deadline=None, max_examples=40)
@given(applications())
def test_every_synthetic_endpoint_is_inside_the_pod_cidr_of_its_node(
    given_: tuple[list[dict[str, Any]], list[tuple[str, str, int]]],
) -> None:
    objects, scales = given_
    made = synthesize(cluster(*objects), every=True, scales=scales).cluster
    assert made == synthesize(cluster(*objects), every=True, scales=scales).cluster, "the same each time"
    nodes = {each.metadata.name: each for each in made.nodes}
    own = [ip.ip for pod in made.pods if not pod.spec.host_network for ip in pod.status.pod_ips or ()]
    assert len(own) == len(set(own)), "no address is given twice"
    assert len({pod.metadata.name for pod in made.pods}) == len(made.pods)
    hosts = {pod.metadata.name for pod in made.pods if pod.spec.host_network}
    for piece in endpoint_slices(made):
        for end in piece.endpoints or ():
            assert end.node_name is not None and end.target_ref is not None
            where = nodes[end.node_name]
            for text in end.addresses:
                if end.target_ref.name in hosts:
                    assert text in [each.address for each in where.status.addresses or ()]
                else:
                    assert any(ip_address(text) in ip_network(net) for net in where.spec.pod_cidrs or ())
    counts = Counter((pod.metadata.labels or {})["app"] for pod in made.pods)
    for kind, name, number in scales:
        assert counts[name] == number, kind
    for each in objects:
        if each["kind"] == "DaemonSet":
            app = {"app": each["metadata"]["name"]}
            on = [pod.spec.node_name for pod in made.pods if pod.metadata.labels == app]
            assert sorted(on) == sorted(nodes), "one on each node"
