"""EndpointSlices of hand-made Endpoints: the endpointslicemirroring controller of Kubernetes 1.37."""

from __future__ import annotations

from rulegen.controllers import address, names, order, subsets
from rulegen.controllers.slices import (
    MANAGED_BY_LABEL,
    SERVICE_NAME_LABEL,
    TRIGGER_TIME_ANNOTATION,
    Made,
    admitted,
    endpoint_order,
    owner_reference,
    port_order,
)
from rulegen.model import Endpoint, Endpoints, EndpointSlice, Family, Service
from rulegen.model.objects import (
    EndpointAddress,
    EndpointConditions,
    EndpointPort,
    EndpointSubset,
    Metadata,
    ObjectReference,
    SubsetPort,
)

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

MAX_ADDRESSES = 1000
"""Addresses of a subset that are mirrored (kube-controller-manager --mirroring-max-endpoints-per-subset)."""


def objection(endpoints: Endpoints, service: Service | None) -> str | None:
    """Why the mirroring controller leaves Endpoints alone, in words, or None where it mirrors them."""
    if (endpoints.metadata.labels or {}).get(SKIP_LABEL) == "true":
        return f"they have the label {SKIP_LABEL}"
    if LEADER_ANNOTATION in (endpoints.metadata.annotations or {}):
        return "they are a leader election record"
    if service is None:
        return "there is no Service of that name"
    if service.spec.selector:
        return "the Service has a selector"
    return None


def mirror(endpoints: Endpoints) -> Made:
    """The slices that mirror ``endpoints``: one per address family and set of ports that has an address.

    Of each subset, in canonical layout, the first 1,000 addresses count. Addresses that are no IP are passed
    over. A slice that the API server would refuse (two ports of one name) does not come into being.
    """
    groups: dict[tuple[Family, tuple[EndpointPort, ...]], dict[tuple[str, str, str, str], Endpoint]] = {}
    remarks: list[str] = []
    for subset in subsets.repack(endpoints.subsets or ()):
        ports = tuple(order.slice_ports(map(_slice_port, subset.ports or ())))
        listed = [(each, True) for each in subset.addresses or ()]
        listed += [(each, False) for each in subset.not_ready_addresses or ()]
        valid = [(each, ready, ip) for each, ready in listed if (ip := address.parse(each.ip)) is not None]
        if len(valid) < len(listed):
            remarks.append(f"{len(listed) - len(valid)} of its addresses are no IP and are not mirrored")
        if len(valid) > MAX_ADDRESSES:
            remarks.append(f"{len(valid) - MAX_ADDRESSES} addresses beyond the first 1,000 are not mirrored")
        for each, ready, ip in valid[:MAX_ADDRESSES]:
            endpoint = _endpoint(each, ip, ready)
            groups.setdefault((ip.family, ports), {})[_identity(endpoint)] = endpoint
    wanted: list[EndpointSlice] = []
    taken: set[str] = set()
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], port_order(item[0][1])))
    for number, ((family, ports), members) in enumerate(ordered):
        metadata = _metadata(endpoints, family, number, taken)
        taken.add(metadata.name)
        chosen = sorted(members.values(), key=endpoint_order)[:MAX_ADDRESSES]
        wanted.append(
            EndpointSlice(metadata=metadata, address_type=family, endpoints=chosen, ports=list(ports))
        )
    return admitted(wanted, remarks)


def _identity(endpoint: Endpoint) -> tuple[str, str, str, str]:
    """What makes two endpoints the same one; of those the last counts."""
    reference = endpoint.target_ref or ObjectReference()
    return endpoint.addresses[0], endpoint.hostname or "", reference.namespace, reference.name


def _endpoint(each: EndpointAddress, found: address.Address, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=[found.text],
        conditions=EndpointConditions(ready=ready),
        hostname=each.hostname or None,
        target_ref=each.target_ref,
        node_name=each.node_name,
    )


def _slice_port(port: SubsetPort) -> EndpointPort:
    return EndpointPort(
        name=port.name, port=port.port, protocol=port.protocol, app_protocol=port.app_protocol
    )


def _metadata(endpoints: Endpoints, family: Family, number: int, taken: set[str]) -> Metadata:
    owner = endpoints.metadata
    generate_name = names.prefix(owner.name)
    annotations = {
        key: value
        for key, value in (owner.annotations or {}).items()
        if key not in (TRIGGER_TIME_ANNOTATION, LAST_APPLIED_ANNOTATION)
    }
    labels = {**(owner.labels or {}), SERVICE_NAME_LABEL: owner.name, MANAGED_BY_LABEL: MANAGER}
    return Metadata(
        name=names.generated(generate_name, owner.namespace, owner.name, family, str(number), taken=taken),
        generate_name=generate_name,
        namespace=owner.namespace,
        labels=labels,
        annotations=annotations or None,
        owner_references=[owner_reference("v1", "Endpoints", owner)],
    )


def api_server_slice(endpoints: Endpoints) -> EndpointSlice:
    """The slice that the API server keeps beside its own Endpoints, those of Service default/kubernetes.

    It has the name of the Endpoints, one family, and the first subset only (pkg/controlplane/reconcilers,
    EndpointsAdapter); the mirroring controller is told by a label to pass those Endpoints over.
    """
    first = endpoints.subsets[0] if endpoints.subsets else EndpointSubset()
    members = [
        (found, each, ready)
        for addresses, ready in ((first.addresses, True), (first.not_ready_addresses, False))
        for each in addresses or ()
        if (found := address.parse(each.ip)) is not None
    ]
    ipv6 = bool(members) and all(found.family == "IPv6" for found, _, _ in members)
    family: Family = "IPv6" if ipv6 else "IPv4"
    return EndpointSlice(
        metadata=Metadata(
            name=endpoints.metadata.name,
            namespace=endpoints.metadata.namespace,
            labels={SERVICE_NAME_LABEL: endpoints.metadata.name},
        ),
        address_type=family,
        endpoints=[
            Endpoint(
                addresses=[each.ip],
                conditions=EndpointConditions(ready=ready),
                target_ref=each.target_ref,
                node_name=each.node_name,
            )
            for found, each, ready in members
            if found.family == family
        ],
        ports=[
            EndpointPort(name=port.name, port=port.port, protocol=port.protocol) for port in first.ports or ()
        ],
    )
