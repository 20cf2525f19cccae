"""Pods that workloads would have, for manifests that come without any.

Nothing here is a controller's or the scheduler's real choice: names, nodes and addresses are made up in a
fixed way, and every such Pod says so in an annotation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from rulegen.controllers.names import generated
from rulegen.model import Cluster, KubeNode, Pod
from rulegen.model.objects import (
    Condition,
    Metadata,
    NodeSpec,
    PodIP,
    PodSpec,
    PodStatus,
)

ANNOTATION = "rulegen.dev/synthetic"
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
SHORT = {
    "deploy": "Deployment", "deployment": "Deployment", "deployments": "Deployment",
    "sts": "StatefulSet", "statefulset": "StatefulSet", "statefulsets": "StatefulSet",
    "ds": "DaemonSet", "daemonset": "DaemonSet", "daemonsets": "DaemonSet",
    "rs": "ReplicaSet", "replicaset": "ReplicaSet", "replicasets": "ReplicaSet",
}  # fmt: skip
MOST_REPLICAS = 100_000


class Synthesis(msgspec.Struct, frozen=True):
    """A cluster with Pods for its workloads, and what a reader should know about them."""

    cluster: Cluster
    notes: tuple[str, ...] = ()


def scale(text: str) -> tuple[str, str, int]:
    """``deploy/NAME=N`` as kind, name and number. Raises ValueError."""
    target, equals, number = text.partition("=")
    kind, slash, name = target.partition("/")
    known = SHORT.get(kind.lower().partition(".")[0])
    if not (equals and slash and name and number.isascii() and number.isdigit()) or known is None:
        raise ValueError(f"--scale {text}: must be KIND/NAME=N, as in deploy/web=3; kinds: deploy, sts, rs")
    if known == "DaemonSet":
        raise ValueError(f"--scale {text}: a DaemonSet has one Pod on each node and cannot be scaled")
    if int(number) > MOST_REPLICAS:
        raise ValueError(f"--scale {text}: more than {MOST_REPLICAS} Pods")
    return known, name, int(number)


def synthesize(
    cluster: Cluster, *, every: bool, scales: Sequence[tuple[str, str, int]] = (), namespace: str = "default"
) -> Synthesis:
    """Give workloads their Pods: those that have none where ``every``, those in ``scales`` to their number.

    Scaled down, the Pods that come last by name go. Raises ValueError for a workload that is not there and
    for nodes without addresses left.
    """
    workloads = [w for w in cluster.others if w.get("kind") in KINDS and not _is_owned(w, cluster)]
    wanted = {(kind, namespace, name): number for kind, name, number in scales}
    known = {_key(workload) for workload in workloads}
    for kind, space, name in wanted:
        if (kind, space, name) not in known:
            listed = ", ".join(f"{k}/{n}" for k, ns, n in sorted(known) if ns == space) or "none"
            raise ValueError(f"--scale: no {kind} {space}/{name} among the objects; found: {listed}")
    nodes = list(cluster.nodes) or [_plain_node()]
    places = _Places(nodes, cluster.pods)
    pods = list(cluster.pods)
    notes: list[str] = []
    for workload in workloads:
        key = _key(workload)
        own = sorted(_pods_of(workload, pods), key=lambda pod: pod.metadata.name)
        if key not in wanted and (own or not every):
            continue
        number = wanted.get(key, _replicas(workload, nodes))
        for pod in own[number:]:
            pods.remove(pod)
        made = list(_made(workload, len(own), number, places, {pod.metadata.name for pod in own}))
        pods += made
        if made:
            notes.append(f"{key[0]} {key[1]}/{key[2]}: {len(made)} synthetic Pods (annotation {ANNOTATION})")
    if notes and not cluster.nodes:
        notes.append(
            "no Node objects: synthetic Pods are on a node named node, with addresses of 10.244.0.0/24"
        )
    return Synthesis(msgspec.structs.replace(cluster, pods=tuple(pods)), tuple(notes))


def _plain_node() -> KubeNode:
    return KubeNode(
        metadata=Metadata(name="node"), spec=NodeSpec(pod_cidr="10.244.0.0/24", pod_cidrs=["10.244.0.0/24"])
    )


def _key(workload: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = workload.get("metadata") or {}
    return workload["kind"], metadata.get("namespace") or "default", metadata.get("name") or ""


def _is_owned(workload: Mapping[str, Any], cluster: Cluster) -> bool:
    """Whether another workload of the input makes its Pods (the ReplicaSet of a Deployment)."""
    owners = (workload.get("metadata") or {}).get("ownerReferences") or ()
    names = {_key(other) for other in cluster.others if other.get("kind") in KINDS}
    _, namespace, _ = _key(workload)
    return any((owner.get("kind"), namespace, owner.get("name")) in names for owner in owners)


def _template(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    template: Mapping[str, Any] = (workload.get("spec") or {}).get("template") or {}
    return template


def _pods_of(workload: Mapping[str, Any], pods: Sequence[Pod]) -> Iterator[Pod]:
    """The given Pods that the workload's selector picks (matchLabels, else the template's labels)."""
    _, namespace, _ = _key(workload)
    selector = (workload.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") or (_template(workload).get("metadata") or {}).get("labels") or {}
    for pod in pods:
        own = pod.metadata.labels or {}
        if pod.metadata.namespace == namespace and labels and labels.items() <= own.items():
            yield pod


def _replicas(workload: Mapping[str, Any], nodes: Sequence[KubeNode]) -> int:
    if workload["kind"] == "DaemonSet":
        return len(nodes)
    number = (workload.get("spec") or {}).get("replicas")
    return 1 if number is None else int(number)


class _Places:
    """Nodes in turn, and the next free address of each."""

    def __init__(self, nodes: Sequence[KubeNode], pods: Sequence[Pod]) -> None:
        self.nodes = [node for node in nodes if not node.spec.unschedulable] or list(nodes)
        self.taken = {ip.ip for pod in pods for ip in pod.status.pod_ips or ()} | {
            pod.status.pod_ip for pod in pods
        }
        self.turn = 0
        self.next: dict[tuple[str, str], int] = {}

    def take(self, *, host_network: bool) -> tuple[KubeNode, list[str]]:
        node = self.nodes[self.turn % len(self.nodes)]
        self.turn += 1
        if host_network:
            return node, [a.address for a in node.status.addresses or () if a.type == "InternalIP"]
        cidrs = node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else [])
        if not cidrs:
            raise ValueError(
                f"node {node.metadata.name}: no spec.podCIDRs to give synthetic Pods addresses from"
            )
        return node, [self._address(node.metadata.name, cidr) for cidr in cidrs]

    def _address(self, node: str, cidr: str) -> str:
        network = ip_network(cidr, strict=False)
        # The first address is the network's own, the second usually the bridge's.
        offset = self.next.get((node, cidr), 2)
        last = network.num_addresses - (1 if network.version == 4 else 0)
        while offset < last:
            ip = str(ip_address(int(network.network_address) + offset))
            offset += 1
            self.next[node, cidr] = offset
            if ip not in self.taken:
                self.taken.add(ip)
                return ip
        raise ValueError(f"node {node}: pod CIDR {cidr} has no address left for another synthetic Pod")


def _made(
    workload: Mapping[str, Any], present: int, number: int, places: _Places, names: set[str]
) -> Iterator[Pod]:
    kind, namespace, name = _key(workload)
    template = _template(workload)
    metadata = template.get("metadata") or {}
    spec = msgspec.convert(template.get("spec") or {}, PodSpec)
    for index in range(present, number):
        node, ips = places.take(host_network=spec.host_network)
        if kind == "StatefulSet":
            pod_name = f"{name}-{index}"
        else:
            prefix = f"{name}-" if kind != "Deployment" else generated(f"{name}-", "template", kind) + "-"
            pod_name = generated(prefix, namespace, kind, str(index), taken=names)
        names.add(pod_name)
        hostname, subdomain = spec.hostname, spec.subdomain
        if kind == "StatefulSet":
            hostname, subdomain = pod_name, (workload.get("spec") or {}).get("serviceName") or subdomain
        yield Pod(
            metadata=Metadata(
                name=pod_name,
                namespace=namespace,
                labels=dict(metadata.get("labels") or {}),
                annotations={**(metadata.get("annotations") or {}), ANNOTATION: "true"},
            ),
            spec=msgspec.structs.replace(
                spec, node_name=node.metadata.name, hostname=hostname, subdomain=subdomain
            ),
            status=PodStatus(
                phase="Running",
                pod_ip=ips[0] if ips else "",
                pod_ips=[PodIP(ip) for ip in ips],
                conditions=[Condition(type="Ready", status="True")],
            ),
        )
