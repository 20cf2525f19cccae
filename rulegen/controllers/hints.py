"""Topology hints: for which zones and nodes an endpoint is meant.

``spec.trafficDistribution`` (KEP-4444, KEP-3015) gives every ready endpoint a hint for its own zone, and
for its own node with PreferSameNode. The annotation ``service.kubernetes.io/topology-mode: Auto``
(KEP-2433), which wins over the field, spreads endpoints over zones by their share of CPU. As in Kubernetes
1.37.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import msgspec

from rulegen.controllers import quantity
from rulegen.controllers.pods import ZONE_LABEL
from rulegen.model import Endpoint, KubeNode, Service
from rulegen.model.objects import EndpointHints, ForNode, ForZone

TRAFFIC_DISTRIBUTIONS = frozenset({"PreferClose", "PreferSameZone", "PreferSameNode"})
MODE_ANNOTATION = "service.kubernetes.io/topology-mode"
OLD_MODE_ANNOTATION = "service.kubernetes.io/topology-aware-hints"
OVERLOAD = 0.2
"""How much more than its share an endpoint may get before Auto mode gives up hints."""
_UNCOUNTED = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


class Hinted(msgspec.Struct, frozen=True):
    """Endpoints with their hints, in the order given; ``why_not`` says why Auto mode gave none."""

    endpoints: list[Endpoint]
    why_not: str = ""


def is_auto(service: Service) -> bool:
    """Whether the Service asks for topology mode Auto; the older of the two annotations has precedence."""
    annotations = service.metadata.annotations or {}
    value = annotations.get(OLD_MODE_ANNOTATION, annotations.get(MODE_ANNOTATION))
    return value in ("Auto", "auto")


def wanted(service: Service) -> bool:
    """Whether the Service asks for hints in any way."""
    return is_auto(service) or service.spec.traffic_distribution in TRAFFIC_DISTRIBUTIONS


def hint(service: Service, endpoints: Sequence[Endpoint], shares: Mapping[str, float] | None) -> Hinted:
    """Hints for all endpoints of a Service in one address family; ``shares`` as from :func:`cpu_shares`."""
    if is_auto(service):
        return spread(endpoints, shares)
    wish = service.spec.traffic_distribution
    if wish in TRAFFIC_DISTRIBUTIONS:
        same_node = wish == "PreferSameNode"
        return Hinted([_own_place(endpoint, same_node) for endpoint in endpoints])
    return Hinted(list(endpoints))


def _is_ready(endpoint: Endpoint) -> bool:
    return endpoint.conditions is not None and endpoint.conditions.ready is True


def _own_place(endpoint: Endpoint, same_node: bool) -> Endpoint:
    if not _is_ready(endpoint):
        return endpoint
    zones = [ForZone(endpoint.zone)] if endpoint.zone is not None else None
    nodes = [ForNode(endpoint.node_name)] if same_node and endpoint.node_name is not None else None
    if zones is None and nodes is None:
        return endpoint
    return msgspec.structs.replace(endpoint, hints=EndpointHints(for_zones=zones, for_nodes=nodes))


def cpu_shares(nodes: Iterable[KubeNode]) -> dict[str, float] | None:
    """The part of the cluster's allocatable CPU that each zone has (0 to 1, together 1), sorted by zone.

    Only ready Nodes count that are no control plane. None where they span fewer than two zones, or one of
    them has no zone or no CPU: Auto mode then gives no hints.
    """
    milli: dict[str, Fraction] = {}
    for node in nodes:
        labels = node.metadata.labels or {}
        if any(label in labels for label in _UNCOUNTED) or not _is_node_ready(node):
            continue
        zone = labels.get(ZONE_LABEL)
        cpu = quantity.parse((node.status.allocatable or {}).get("cpu"))
        if not zone or not cpu:
            return None
        milli[zone] = milli.get(zone, Fraction(0)) + cpu
    if len(milli) < 2:
        return None
    total = math.ceil(sum(milli.values()) * 1000)
    return {zone: math.ceil(cpu * 1000) / total for zone, cpu in sorted(milli.items())}


def _is_node_ready(node: KubeNode) -> bool:
    return next((c.status == "True" for c in node.status.conditions or () if c.type == "Ready"), False)


class _Allocation(msgspec.Struct, frozen=True):
    minimum: int
    desired: float


def _allocate(shares: Mapping[str, float], ready: int) -> dict[str, _Allocation] | str:
    """How many of ``ready`` endpoints each zone should get, or why that cannot be done."""
    if len(shares) > ready:
        return f"too few ready endpoints for the zones ({ready} endpoints, {len(shares)} zones)"
    allocations: dict[str, _Allocation] = {}
    remaining = ready
    for zone, share in shares.items():
        desired = share * ready
        minimum = math.ceil(desired * (1 / (1 + OVERLOAD)))
        allocations[zone] = _Allocation(minimum, max(desired, float(minimum)))
        remaining -= minimum
        if remaining < 0:
            return (
                "not every zone can have its least number of endpoints without overload"
                f" ({ready} endpoints, {len(shares)} zones)"
            )
    return allocations


def spread(endpoints: Sequence[Endpoint], shares: Mapping[str, float] | None) -> Hinted:
    """Hints of Auto mode: each ready endpoint for its own zone, some given to zones that have too few.

    Which endpoints are given away is a matter of chance upstream; here the first in order are, to the zone
    that comes first by name.
    """
    plain = list(endpoints)
    if shares is None:
        return Hinted(
            plain, "a Node that counts has no zone or no allocatable CPU, or fewer than two zones have any"
        )
    allocations = _allocate(shares, sum(map(_is_ready, endpoints)))
    if isinstance(allocations, str):
        return Hinted(plain, allocations)
    zones: list[str | None] = []
    allocated: dict[str, int] = {}
    for endpoint in endpoints:
        if not _is_ready(endpoint):
            zones.append(None)
            continue
        if not endpoint.zone:
            return Hinted(plain, "a ready endpoint has no zone")
        zones.append(endpoint.zone)
        allocated[endpoint.zone] = allocated.get(endpoint.zone, 0) + 1
    _redistribute(zones, *_givers_and_receivers(allocations, allocated))
    return Hinted(
        [
            endpoint
            if zone is None
            else msgspec.structs.replace(endpoint, hints=EndpointHints(for_zones=[ForZone(zone)]))
            for endpoint, zone in zip(endpoints, zones, strict=True)
        ]
    )


def _givers_and_receivers(
    allocations: Mapping[str, _Allocation], allocated: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    surplus: dict[str, float] = {}
    lack: dict[str, float] = {}
    for zone, allocation in allocations.items():
        difference = allocated.get(zone, 0) - allocation.desired
        if difference > 0:
            surplus[zone] = difference
        elif difference < 0:
            lack[zone] = -difference
    giving: dict[str, int] = {}
    receiving: dict[str, int] = {}
    while True:
        giver, gives = _most(surplus)
        receiver, receives = _most(lack)
        # Less than half an endpoint is not worth moving, nor is less than one on both sides.
        if giver is None or receiver is None or min(gives, receives) < 0.5 or max(gives, receives) < 1.0:
            return giving, receiving
        giving[giver] = giving.get(giver, 0) + 1
        surplus[giver] -= 1
        receiving[receiver] = receiving.get(receiver, 0) + 1
        lack[receiver] -= 1


def _most(zones: Mapping[str, float]) -> tuple[str | None, float]:
    best, most = None, 0.0
    for zone, number in zones.items():
        if number > most:
            best, most = zone, number
    return best, most


def _redistribute(zones: list[str | None], giving: dict[str, int], receiving: dict[str, int]) -> None:
    for index, zone in enumerate(zones):
        if zone is None or not giving.get(zone):
            continue
        receiver = next((name for name, number in receiving.items() if number), None)
        if receiver is None:
            return
        zones[index] = receiver
        giving[zone] -= 1
        receiving[receiver] -= 1
