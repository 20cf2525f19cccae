"""Pods that workloads would have, for manifests that come without any.

Nothing here is a controller's or the scheduler's real choice: names, nodes and addresses are made up in a
fixed way, and every such Pod says so in an annotation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from itertools import count
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
MOST_TOLD = 5


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

    Scaled down, the Pods that come last by name go, of a StatefulSet those with the highest numbers. Raises
    ValueError for a workload that is not there, or is no such object, and for nodes without addresses left.
    """
    workloads = [w for w in cluster.others if w.get("kind") in KINDS and not _is_owned(w, cluster)]
    wanted = {(kind, namespace, name): number for kind, name, number in scales}
    known = {_key(workload) for workload in workloads}
    for kind, space, name in wanted:
        if (kind, space, name) not in known:
            listed = ", ".join(f"{k}/{n}" for k, ns, n in sorted(known) if ns == space) or "none"
            raise ValueError(f"--scale: no {kind} {space}/{name} among the objects; found: {listed}")
    places = _Places(list(cluster.nodes) or [_plain_node()], cluster.pods)
    pods = list(cluster.pods)
    notes: list[str] = []
    for workload in workloads:
        key = _key(workload)
        own = sorted(_pods_of(workload, pods), key=_in_order)
        if key not in wanted and (own or not every):
            continue
        try:
            made = list(_made(workload, own, wanted.get(key), places))
        except (msgspec.ValidationError, AttributeError, TypeError) as error:
            raise ValueError(f"{key[0]} {key[1]}/{key[2]}: not as Kubernetes has it: {error}") from error
        if key in wanted:
            for pod in own[wanted[key] :]:
                pods.remove(pod)
        pods += made
        if made:
            notes.append(f"{key[0]} {key[1]}/{key[2]}: {len(made)}")
    if notes:
        more = f" and {len(notes) - MOST_TOLD} more" if len(notes) > MOST_TOLD else ""
        notes = [f"synthetic Pods (annotation {ANNOTATION}): {', '.join(notes[:MOST_TOLD])}{more}"]
    if notes and not cluster.nodes:
        notes.append(
            "no Node objects: synthetic Pods are on a node named node, with addresses of 10.244.0.0/24"
        )
    return Synthesis(msgspec.structs.replace(cluster, pods=tuple(pods)), tuple(notes))


def without_pods(cluster: Cluster) -> list[str]:
    """The workloads that come without any Pod, as ``Deployment default/web``."""
    found = []
    for workload in cluster.others:
        if workload.get("kind") in KINDS and not _is_owned(workload, cluster):
            kind, namespace, name = _key(workload)
            if next(_pods_of(workload, cluster.pods), None) is None:
                found.append(f"{kind} {namespace}/{name}")
    return found


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


def _in_order(pod: Pod) -> tuple[str, int, str]:
    """Pods by name; numbers at the end of names count as numbers."""
    name, _, number = pod.metadata.name.rpartition("-")
    return (name, int(number), "") if number.isascii() and number.isdigit() else (pod.metadata.name, -1, "")


def _replicas(workload: Mapping[str, Any]) -> int:
    number = (workload.get("spec") or {}).get("replicas")
    if number is not None and (not isinstance(number, int) or number < 0):
        raise TypeError(f"spec.replicas: {number!r} is no number of Pods")
    return 1 if number is None else min(number, MOST_REPLICAS)


class _Places:
    """Nodes in turn, and the next free address of each."""

    def __init__(self, nodes: Sequence[KubeNode], pods: Sequence[Pod]) -> None:
        self.nodes = list(nodes)
        self.taken = {ip.ip for pod in pods for ip in pod.status.pod_ips or ()} | {
            pod.status.pod_ip for pod in pods
        }
        self.turn = 0
        self.next: dict[tuple[str, str], int] = {}

    def fitting(self, labels: Mapping[str, str]) -> list[KubeNode]:
        """The nodes that a Pod with this nodeSelector may be on."""
        return [node for node in self.nodes if labels.items() <= (node.metadata.labels or {}).items()]

    def next_of(self, nodes: Sequence[KubeNode]) -> KubeNode:
        """These nodes in turn, whoever asks; those that take no new Pods only where there are no others."""
        self.turn += 1
        open_ = [node for node in nodes if not node.spec.unschedulable] or nodes
        return open_[(self.turn - 1) % len(open_)]

    def addresses(self, node: KubeNode, *, host_network: bool) -> list[str]:
        """Those that a new Pod on this node gets: one of each pod CIDR, or the node's own."""
        if host_network:
            own = [each.address for each in node.status.addresses or () if each.type == "InternalIP"]
            first_of: dict[bool, str] = {}
            for ip in own:
                first_of.setdefault(":" in ip, ip)
            return list(first_of.values())
        cidrs = node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else [])
        if not cidrs:
            raise ValueError(
                f"node {node.metadata.name}: no spec.podCIDRs to give synthetic Pods addresses from"
            )
        return [self._address(node.metadata.name, cidr) for cidr in cidrs]

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
    workload: Mapping[str, Any], own: Sequence[Pod], wanted: int | None, places: _Places
) -> Iterator[Pod]:
    """The Pods that a workload lacks; ``wanted`` is how many it is to have, None: what it says itself."""
    kind, namespace, name = _key(workload)
    template = _template(workload)
    raw = template.get("spec") or {}
    spec = msgspec.convert(raw, PodSpec)
    nodes = places.fitting(raw.get("nodeSelector") or {})
    if kind == "DaemonSet":
        # As its controller: on every node that fits, those too that take no other Pods.
        there = {pod.spec.node_name for pod in own}
        on = [node for node in nodes if node.metadata.name not in there]
    else:
        number = _replicas(workload) if wanted is None else wanted
        if number > len(own) and not nodes:
            raise ValueError(f"{kind} {namespace}/{name}: no Node has the labels of its nodeSelector")
        on = [places.next_of(nodes) for _ in range(number - len(own))]
    names = _names(workload, {pod.metadata.name for pod in own})
    for node, pod_name in zip(on, names, strict=False):
        hostname, subdomain = spec.hostname, spec.subdomain
        if kind == "StatefulSet":
            hostname, subdomain = pod_name, (workload.get("spec") or {}).get("serviceName") or subdomain
        yield _pod(
            template,
            msgspec.structs.replace(
                spec, node_name=node.metadata.name, hostname=hostname, subdomain=subdomain
            ),
            (namespace, pod_name),
            places.addresses(node, host_network=spec.host_network),
        )


def _names(workload: Mapping[str, Any], taken: set[str]) -> Iterator[str]:
    """Names for Pods, without end: numbers from spec.ordinals.start for a StatefulSet, else made up."""
    kind, namespace, name = _key(workload)
    if kind == "StatefulSet":
        first = ((workload.get("spec") or {}).get("ordinals") or {}).get("start") or 0
        yield from (f"{name}-{i}" for i in count(int(first)) if f"{name}-{i}" not in taken)
    prefix = f"{name}-" if kind != "Deployment" else generated(f"{name}-", "template", kind) + "-"
    for i in count(len(taken)):
        pod_name = generated(prefix, namespace, kind, str(i), taken=taken)
        taken.add(pod_name)
        yield pod_name


def _pod(template: Mapping[str, Any], spec: PodSpec, key: tuple[str, str], ips: Sequence[str]) -> Pod:
    metadata = template.get("metadata") or {}
    return Pod(
        metadata=Metadata(
            namespace=key[0],
            name=key[1],
            labels=dict(metadata.get("labels") or {}),
            annotations={**(metadata.get("annotations") or {}), ANNOTATION: "true"},
        ),
        spec=spec,
        status=PodStatus(
            phase="Running",
            pod_ip=ips[0] if ips else "",
            pod_ips=[PodIP(ip) for ip in ips],
            conditions=[Condition(type="Ready", status="True")],
        ),
    )


def as_object(pod: Pod) -> dict[str, Any]:
    """A made-up Pod as a plain object, with containers that run."""
    data: dict[str, Any] = msgspec.to_builtins(pod)
    statuses = [
        {"name": each.name, "image": each.image, "ready": True, "restartCount": 0, "state": {"running": {}}}
        for each in pod.spec.containers or ()
    ]
    data["status"]["containerStatuses"] = statuses
    return {"apiVersion": "v1", "kind": "Pod", **data}
