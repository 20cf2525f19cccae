"""What a Pod contributes to a Service: its readiness, its addresses, its ports, and why it is left out.

The decisions are those of the endpointslice controller (k8s.io/endpointslice, Kubernetes 1.37);
EndpointSlices and explanations are both made from them, so that an explanation cannot disagree with a
slice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from rulegen.controllers import address, selector
from rulegen.model import Endpoint, Family, KubeNode, Pod, Service, ServicePort
from rulegen.model.objects import EndpointConditions, EndpointPort, ObjectReference

ZONE_LABEL = "topology.kubernetes.io/zone"

Verdict: TypeAlias = Literal[
    "ready",
    "published",
    "not-ready",
    "terminating-serving",
    "terminating",
    "not-selected",
    "finished",
    "no-address",
    "other-family",
    "node-unknown",
]
"""What becomes of a Pod. The first five are endpoints; ``published`` is one that is not ready or
terminating and announced as ready all the same, because of ``publishNotReadyAddresses``."""


class PodDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpointslice controller makes of one Pod for one Service and address family.

    ``endpoint`` is the endpoint without its hints, None where the Pod is left out. ``ports`` are those of the
    slice it goes to, in the order of the Service. ``unresolved`` names the Service's ports whose target
    port no container of the Pod has: the Pod is an endpoint without them. ``detail`` says in words why.
    """

    pod: Pod
    family: Family
    verdict: Verdict
    detail: str
    endpoint: Endpoint | None = None
    ports: tuple[EndpointPort, ...] = ()
    unresolved: tuple[str, ...] = ()

    @property
    def included(self) -> bool:
        return self.endpoint is not None


def is_ready(pod: Pod) -> bool:
    """Whether the Pod's Ready condition is True; readiness gates are part of it already (kubelet)."""
    return next((c.status == "True" for c in pod.status.conditions or () if c.type == "Ready"), False)


def is_terminating(pod: Pod) -> bool:
    """Whether the Pod is being deleted."""
    return pod.metadata.deletion_timestamp is not None


def is_finished(pod: Pod) -> bool:
    """Whether all containers have stopped for good (phase Succeeded or Failed)."""
    return pod.status.phase in ("Succeeded", "Failed")


def addresses(pod: Pod) -> tuple[address.Address, ...]:
    """The Pod's addresses. ``podIP`` stands in for missing ``podIPs``, and wins where the two disagree.

    That is how the API server reads a PodStatus (pkg/apis/core/v1, SetDefaults_PodStatus).
    """
    listed, single = pod.status.pod_ips, pod.status.pod_ip
    if listed and (not single or listed[0].ip == single):
        texts = [each.ip for each in listed]
    else:
        texts = [single] if single else []
    return tuple([found for found in map(address.parse, texts) if found is not None])


def find_port(pod: Pod, port: ServicePort) -> int | None:
    """The container port that ``port`` leads to in ``pod``; None where a named one is not found.

    Names are looked up in the containers, then in init containers that keep running (restartPolicy Always);
    the protocol has to agree.
    """
    target = port.target_port
    if isinstance(target, int):
        return target or port.port
    sidecars = [each for each in pod.spec.init_containers or () if each.restart_policy == "Always"]
    for container in [*(pod.spec.containers or []), *sidecars]:
        for declared in container.ports or []:
            if declared.name == target and declared.protocol == port.protocol:
                return declared.container_port
    return None


def published_hostname(pod: Pod, service: Service) -> str | None:
    """The Pod's hostname where the Service is its subdomain, so that DNS can answer for it."""
    if pod.spec.hostname and pod.spec.subdomain == service.metadata.name:
        return pod.spec.hostname
    return None


class PodReader:
    """Decides about the Pods of one Service.

    ``nodes`` maps names to Nodes; a Pod on a Node that is not among them is left out, as the controller does
    (unless the Service publishes addresses that are not ready), when ``require_nodes`` is set.
    """

    def __init__(
        self, service: Service, nodes: Mapping[str, KubeNode] | None = None, *, require_nodes: bool = True
    ) -> None:
        self._service = service
        self._nodes = nodes or {}
        self._require_nodes = require_nodes and not service.spec.publish_not_ready_addresses
        ports = service.spec.ports or []
        self._named = any(isinstance(port.target_port, str) for port in ports)
        self._common = None if self._named else self._read_ports(Pod(metadata=service.metadata))

    def _read_ports(self, pod: Pod) -> tuple[tuple[EndpointPort, ...], tuple[str, ...]]:
        found: list[EndpointPort] = []
        unresolved: list[str] = []
        for port in self._service.spec.ports or ():
            number = find_port(pod, port)
            if number is None:
                unresolved.append(port.name or str(port.port))
            else:
                found.append(
                    EndpointPort(
                        name=port.name, port=number, protocol=port.protocol, app_protocol=port.app_protocol
                    )
                )
        return tuple(found), tuple(unresolved)

    def ports(self, pod: Pod) -> tuple[tuple[EndpointPort, ...], tuple[str, ...]]:
        """The ports that the Pod serves, in the order of the Service, and the names of those it lacks."""
        return self._common or self._read_ports(pod)

    def decide(self, pod: Pod, family: Family) -> PodDecision:
        """What becomes of a Pod that the selector matches."""
        if is_finished(pod):
            return self._left_out(pod, family, "finished", f"the Pod has finished ({pod.status.phase})")
        found = addresses(pod)
        if not found:
            return self._left_out(pod, family, "no-address", "the Pod has no IP address yet")
        own = sorted(each.text for each in found if each.family == family)
        node = self._nodes.get(pod.spec.node_name)
        if node is None and self._require_nodes:
            where = f"Node {pod.spec.node_name} does not exist" if pod.spec.node_name else "it is on no Node"
            return self._left_out(pod, family, "node-unknown", where)
        if not own:
            return self._left_out(pod, family, "other-family", f"the Pod has no {family} address")
        ports, unresolved = self.ports(pod)
        verdict, detail = self._condition(pod)
        if unresolved:
            detail += f"; no container has the target port of {', '.join(unresolved)}"
        return PodDecision(
            pod=pod,
            family=family,
            verdict=verdict,
            detail=detail,
            endpoint=self._endpoint(pod, own, node),
            ports=ports,
            unresolved=unresolved,
        )

    def _left_out(self, pod: Pod, family: Family, verdict: Verdict, detail: str) -> PodDecision:
        return PodDecision(pod=pod, family=family, verdict=verdict, detail=detail)

    def _condition(self, pod: Pod) -> tuple[Verdict, str]:
        serving, terminating = is_ready(pod), is_terminating(pod)
        if serving and not terminating:
            return "ready", "ready"
        if terminating:
            state = "terminating, still serving" if serving else "terminating, and not serving any more"
        else:
            state = "not ready"
        if self._service.spec.publish_not_ready_addresses:
            return "published", f"{state}, but the Service publishes addresses that are not ready"
        if terminating:
            return ("terminating-serving" if serving else "terminating"), state
        return "not-ready", state

    def _endpoint(self, pod: Pod, texts: list[str], node: KubeNode | None) -> Endpoint:
        serving, terminating = is_ready(pod), is_terminating(pod)
        ready = self._service.spec.publish_not_ready_addresses or (serving and not terminating)
        zone = (node.metadata.labels or {}).get(ZONE_LABEL) if node is not None else None
        return Endpoint(
            addresses=texts,
            conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
            hostname=published_hostname(pod, self._service),
            target_ref=ObjectReference(
                kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
            ),
            node_name=pod.spec.node_name or None,
            zone=zone or None,
        )


def explain(
    service: Service,
    pods: Iterable[Pod],
    nodes: Iterable[KubeNode] | None = None,
    *,
    families: Collection[Family] | None = None,
    require_nodes: bool = False,
) -> list[PodDecision]:
    """What becomes of every Pod in the Service's namespace, per address family of the Service, by Pod name.

    Pods that the selector does not match are listed too, with the labels that they lack. ``nodes`` give
    zones; with ``require_nodes`` a Pod on a Node that is not among them is left out, as the controller
    does.
    """
    known = {node.metadata.name: node for node in nodes or ()}
    reader = PodReader(service, known, require_nodes=require_nodes)
    wanted: Sequence[Family] = list(families) if families is not None else families_of(service)
    decisions: list[PodDecision] = []
    for pod in sorted(pods, key=lambda pod: pod.metadata.name):
        if pod.metadata.namespace != service.metadata.namespace:
            continue
        if selector.matches(service.spec.selector, pod.metadata.labels):
            decisions += [reader.decide(pod, family) for family in wanted]
        else:
            lacking = selector.unmet(service.spec.selector, pod.metadata.labels)
            detail = f"lacks the label {', '.join(lacking)}" if lacking else "the Service has no selector"
            decisions += [
                PodDecision(pod=pod, family=family, verdict="not-selected", detail=detail)
                for family in wanted
            ]
    return decisions


def families_of(service: Service) -> tuple[Family, ...]:
    """The address families in which a Service has slices, its first one first.

    ``ipFamilies`` where it is set; else the family of the cluster IP; for a headless Service both, which is
    what the controller does for Services older than that field. A Service whose cluster IP is still to be
    allocated is taken for one of a cluster whose first family is IPv4.
    """
    named: list[Family] = []
    for family in service.spec.ip_families or ():
        if family == "IPv4" and "IPv4" not in named:
            named.append("IPv4")
        elif family == "IPv6" and "IPv6" not in named:
            named.append("IPv6")
    if named:
        return tuple(named)
    cluster_ip = service.spec.cluster_ip
    if cluster_ip and cluster_ip != "None":
        found = address.parse(cluster_ip)
        return ("IPv4",) if found is None else (found.family,)
    if cluster_ip == "None" or service.spec.ip_family_policy in ("PreferDualStack", "RequireDualStack"):
        return ("IPv4", "IPv6")
    return ("IPv4",)
