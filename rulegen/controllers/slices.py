"""EndpointSlices of Services with a selector, as the endpointslice controller makes them (Kubernetes 1.37).

The controller that meets a Service for the first time is what is modelled: slices that exist already are not
input. Which endpoint lands in which slice, and the end of a slice's name, are random upstream and fixed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from rulegen.controllers import address, hints, names, order
from rulegen.controllers.pods import PodReader, families_of
from rulegen.model import Endpoint, EndpointSlice, Family, KubeNode, Pod, Service
from rulegen.model.objects import EndpointPort, Labels, Metadata

MAX_ENDPOINTS = 100
"""Endpoints in a slice at most (kube-controller-manager --max-endpoints-per-slice)."""

MANAGER = "endpointslice-controller.k8s.io"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
HEADLESS_LABEL = "service.kubernetes.io/headless"
TRIGGER_TIME_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"
_RESERVED_LABELS = frozenset({SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL})


class Surroundings:
    """The Nodes that Pods run on, and what hints are computed from.

    With ``require_nodes`` a Pod on a Node that is not among ``nodes`` is left out, as the controller does;
    without it the Node counts as one whose zone is not known.
    """

    def __init__(self, nodes: Iterable[KubeNode] = (), *, require_nodes: bool = True) -> None:
        listed = list(nodes)
        self.nodes: Mapping[str, KubeNode] = {node.metadata.name: node for node in listed}
        self.require_nodes = require_nodes
        self.cpu_shares = hints.cpu_shares(listed)


def is_managed(service: Service) -> bool:
    """Whether the controllers make endpoints for the Service: it has a selector and is no ExternalName."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def is_headless(service: Service) -> bool:
    """Whether the Service has no cluster IP; one that is still to be allocated counts as present."""
    return service.spec.cluster_ip == "None" or service.spec.type == "ExternalName"


class Made(msgspec.Struct, frozen=True):
    """Slices that a controller makes, and what it had to leave out, in words."""

    slices: list[EndpointSlice]
    remarks: list[str]


def slices_of(service: Service, pods: Iterable[Pod], surroundings: Surroundings) -> Made:
    """The slices of one Service; ``pods`` are those that its selector matches.

    A family without any endpoint has one empty slice. Pods whose named ports differ have slices of their own.
    A slice that the API server would refuse does not come into being.
    """
    wanted: list[EndpointSlice] = []
    taken: set[str] = set()
    remarks: list[str] = []
    selected = list(pods)
    reader = PodReader(service, surroundings.nodes, require_nodes=surroundings.require_nodes)
    for family in families_of(service):
        groups = _by_ports(reader, selected, family)
        hinted = hints.hint(service, [e for _, es in groups for e in es], surroundings.cpu_shares)
        if hinted.why_not:
            remarks.append(f"topology mode Auto gives no {family} hints: {hinted.why_not}")
        endpoints = iter(hinted.endpoints)
        chunks: list[tuple[tuple[EndpointPort, ...], list[Endpoint]]] = []
        for ports, group in groups:
            own = [next(endpoints) for _ in group]
            chunks += [(ports, own[at : at + MAX_ENDPOINTS]) for at in range(0, len(own), MAX_ENDPOINTS)]
        for number, (ports, chunk) in enumerate(chunks or [((), [])]):
            metadata = _metadata(service, family, number, taken)
            taken.add(metadata.name)
            wanted.append(
                EndpointSlice(metadata=metadata, address_type=family, endpoints=chunk, ports=list(ports))
            )
    return admitted(wanted, remarks)


def admitted(wanted: Iterable[EndpointSlice], remarks: Iterable[str] = ()) -> Made:
    """Those of the slices that the API server takes, with a remark on each other one."""
    slices: list[EndpointSlice] = []
    told = list(remarks)
    for each in wanted:
        fault = refusal(each)
        if fault is None:
            slices.append(each)
        else:
            count = len(each.endpoints or ())
            told.append(f"the API server refuses a slice of {count} {each.address_type} endpoints: {fault}")
    return Made(slices, told)


def _by_ports(
    reader: PodReader, pods: Sequence[Pod], family: Family
) -> list[tuple[tuple[EndpointPort, ...], list[Endpoint]]]:
    groups: dict[tuple[EndpointPort, ...], list[Endpoint]] = {}
    for pod in pods:
        decision = reader.decide(pod, family)
        if decision.endpoint is not None:
            groups.setdefault(decision.ports, []).append(decision.endpoint)
    return [
        (tuple(order.slice_ports(ports)), sorted(endpoints, key=endpoint_order))
        for ports, endpoints in sorted(groups.items(), key=lambda group: port_order(group[0]))
    ]


def endpoint_order(endpoint: Endpoint) -> tuple[list[bytes], str]:
    """Key to sort endpoints of a family by the number of their addresses, then by target."""
    packed = [found.packed for text in endpoint.addresses if (found := address.parse(text)) is not None]
    return packed, endpoint.target_ref.name if endpoint.target_ref else ""


def port_order(ports: Sequence[EndpointPort]) -> list[tuple[str, int, str]]:
    """Key to sort groups of slices by their ports."""
    return sorted((port.name or "", port.port or 0, port.protocol or "") for port in ports)


def refusal(endpoint_slice: EndpointSlice) -> str | None:
    """Why the API server refuses a slice made of valid objects, or None; the controller retries in vain."""
    port_names = [port.name for port in endpoint_slice.ports or ()]
    if len(set(port_names)) < len(port_names):
        twice = next(name for name in port_names if port_names.count(name) > 1)
        return f'two ports have the name "{twice}"'
    for endpoint in endpoint_slice.endpoints or ():
        for text in endpoint.addresses:
            fault = address.refusal(text)
            if fault is not None:
                return f"the address {text} {fault}"
    return None


def owner_reference(api_version: str, kind: str, owner: Metadata) -> dict[str, object]:
    """The reference to the object that a slice belongs to and goes away with."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _metadata(service: Service, family: Family, number: int, taken: set[str]) -> Metadata:
    owner = service.metadata
    generate_name = names.prefix(owner.name)
    trigger = trigger_time(service)
    return Metadata(
        name=names.generated(generate_name, owner.namespace, owner.name, family, str(number), taken=taken),
        generate_name=generate_name,
        namespace=owner.namespace,
        labels=_labels(service),
        annotations={TRIGGER_TIME_ANNOTATION: trigger} if trigger else None,
        owner_references=[owner_reference("v1", "Service", owner)],
    )


def _labels(service: Service) -> Labels:
    labels = {
        key: value for key, value in (service.metadata.labels or {}).items() if key not in _RESERVED_LABELS
    }
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    labels[SERVICE_NAME_LABEL] = service.metadata.name
    labels[MANAGED_BY_LABEL] = MANAGER
    return labels


def trigger_time(service: Service) -> str | None:
    """When the change happened that a controller answers to when it first sees a Service: its creation.

    UTC in RFC 3339, or None where the Service says nothing of it.
    """
    created = service.metadata.creation_timestamp
    if not created:
        return None
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
