"""The endpoints that a service port finds in EndpointSlices, merged and sorted as kube-proxy does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from socket import AF_INET, inet_pton

import msgspec

from rulegen.model import Endpoint, EndpointSlice, Family
from rulegen.plan.addresses import canonical

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """One endpoint of a service port (pkg/proxy/endpoint.go, 1.37).

    ``address`` is ``ip:port`` (``[ip]:port``), the name and the sort key of the endpoint. ``zones`` and
    ``nodes`` are its hints, None where it has none. ``source`` is the endpoint as the slice has it.
    """

    address: str
    ip: str
    local: bool
    ready: bool
    serving: bool
    terminating: bool
    zones: frozenset[str] | None
    nodes: frozenset[str] | None
    source: Endpoint


def slices_by_service(
    slices: Iterable[EndpointSlice], family: Family
) -> dict[tuple[str, str], list[EndpointSlice]]:
    """The slices that kube-proxy follows in this family, by (namespace, Service), each list by slice name.

    Slices of the other family or of FQDNs, of headless Services (the informer's label selector) and without
    a Service are passed over.
    """
    found: dict[tuple[str, str], list[EndpointSlice]] = {}
    for piece in slices:
        if piece.address_type != family:
            continue
        metadata = piece.metadata
        labels = metadata.labels
        if not labels or HEADLESS_LABEL in labels:
            continue
        service = labels.get(SERVICE_NAME_LABEL)
        if not service or not metadata.name or not metadata.namespace:
            continue
        found.setdefault((metadata.namespace, service), []).append(piece)
    for pieces in found.values():
        if len(pieces) > 1:
            pieces.sort(key=lambda piece: piece.metadata.name)
    return found


def candidates(
    slices: Sequence[EndpointSlice], port_name: str, protocol: str, node_name: str, *, node_hints: bool = True
) -> list[Candidate]:
    """The endpoints of one service port, without duplicates, sorted by address.

    A port of a slice counts where its name and protocol are those of the service port and it has a number.
    Of two endpoints with the same address the later one that is not terminating wins (a pod's address may be
    given to a new pod before the old one is gone); slices are taken by name, so the result is fixed. Raises
    ValueError for an endpoint without an IP address (loading refuses those in the API server's words).
    """
    found: dict[str, Candidate] = {}
    here = node_name or _NOWHERE
    for piece in slices:
        for port in piece.ports or ():
            if not port.port or port.name != port_name or (port.protocol or "TCP") != protocol:
                continue
            suffix = f":{port.port}"
            # One flat loop: it runs once for every endpoint of the cluster.
            for endpoint in piece.endpoints or ():
                if not endpoint.addresses:
                    continue
                ip = endpoint.addresses[0]
                try:
                    inet_pton(AF_INET, ip)  # refuses all but the canonical form
                    address = ip + suffix
                except (OSError, ValueError):
                    ip = _canonical(piece, ip)
                    address = f"[{ip}]{suffix}" if ":" in ip else ip + suffix
                ready = serving = True
                terminating = False
                conditions = endpoint.conditions
                if conditions is not None:
                    ready, serving = conditions.ready is not False, conditions.serving is not False
                    terminating = conditions.terminating is True
                zones = nodes = None
                hints = endpoint.hints
                if hints is not None:
                    if hints.for_zones:
                        zones = frozenset([zone.name for zone in hints.for_zones])
                    if hints.for_nodes and node_hints:
                        nodes = frozenset([node.name for node in hints.for_nodes])
                local = endpoint.node_name == here
                if not terminating or address not in found:
                    found[address] = Candidate(
                        address, ip, local, ready, serving, terminating, zones, nodes, endpoint
                    )
    return [found[address] for address in sorted(found)]


_NOWHERE = "\0"
"""A node's name that no endpoint has: not even one without a name is local to a node without a name."""


def _canonical(piece: EndpointSlice, text: str) -> str:
    ip = canonical(text)
    if ip is None:
        metadata = piece.metadata
        raise ValueError(f"EndpointSlice {metadata.namespace}/{metadata.name}: {text!r} is no IP address")
    return ip
