"""Endpoints of Services with a selector, as the endpoints controller makes them (Kubernetes 1.37)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import msgspec

from rulegen.controllers import address, subsets
from rulegen.controllers.pods import (
    addresses,
    find_port,
    is_finished,
    is_ready,
    is_terminating,
    published_hostname,
)
from rulegen.controllers.slices import HEADLESS_LABEL, TRIGGER_TIME_ANNOTATION, is_headless, trigger_time
from rulegen.model import Endpoints, Family, Pod, Service
from rulegen.model.objects import (
    EndpointAddress,
    EndpointSubset,
    Labels,
    Metadata,
    ObjectReference,
    SubsetPort,
)

MANAGER = "endpoint-controller"
MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY_ANNOTATION = "endpoints.kubernetes.io/over-capacity"

MAX_ADDRESSES = 1000
"""Addresses in one Endpoints object; those beyond are cut off, addresses that are not ready first."""


def is_own_work(endpoints: Endpoints) -> bool:
    """Whether the endpoints controller made ``endpoints`` (or wrote them last)."""
    labels, annotations = endpoints.metadata.labels or {}, endpoints.metadata.annotations or {}
    return labels.get(MANAGED_BY_LABEL) == MANAGER or TRIGGER_TIME_ANNOTATION in annotations


def endpoints_of(
    service: Service,
    pods: Iterable[Pod],
    current: Endpoints | None = None,
    *,
    require_nodes: bool = True,
) -> Endpoints | None:
    """The Endpoints of one Service; ``pods`` are those that its selector matches, ``current`` what there is.

    Only the Service's first family counts, and which Nodes exist does not. Pods that terminate are left out
    unless the Service publishes addresses that are not ready. None where the API server would refuse the
    object: an address is a loopback or link-local one, nothing is left of a subset that was cut, or a Pod is
    on no Node (that is overlooked unless ``require_nodes``).
    """
    packed = subsets.pack(_offers(service, pods), _identity)
    if current is not None and _is_up_to_date(current, service, packed):
        return current
    kept, truncated = truncate(packed)
    if not all(_is_acceptable(subset, require_nodes) for subset in kept):
        return None
    annotations = dict(current.metadata.annotations or {}) if current is not None else {}
    annotations.pop(TRIGGER_TIME_ANNOTATION, None)
    annotations.pop(OVER_CAPACITY_ANNOTATION, None)
    trigger = trigger_time(service)
    if trigger:
        annotations[TRIGGER_TIME_ANNOTATION] = trigger
    if truncated:
        annotations[OVER_CAPACITY_ANNOTATION] = "truncated"
    metadata = (
        current.metadata
        if current is not None
        else Metadata(name=service.metadata.name, namespace=service.metadata.namespace)
    )
    metadata = msgspec.structs.replace(metadata, labels=_labels(service), annotations=annotations or None)
    return Endpoints(metadata=metadata, subsets=kept or None)


def _is_acceptable(subset: EndpointSubset, require_nodes: bool) -> bool:
    listed = [*(subset.addresses or ()), *(subset.not_ready_addresses or ())]
    return bool(listed) and all(
        address.refusal(each.ip) is None and (each.node_name is not None or not require_nodes)
        for each in listed
    )


def _offers(service: Service, pods: Iterable[Pod]) -> Iterator[subsets.Offer]:
    publish_all = service.spec.publish_not_ready_addresses
    for pod in pods:
        if is_finished(pod) or (is_terminating(pod) and not publish_all):
            continue
        each = _address(service, pod)
        if each is None:
            continue
        ready = publish_all or is_ready(pod)
        if not service.spec.ports and service.spec.cluster_ip == "None":
            yield subsets.Offer(None, None, each, ready)
        for index, port in enumerate(service.spec.ports or ()):
            number = find_port(pod, port)
            if number is not None:
                served = SubsetPort(
                    name=port.name, port=number, protocol=port.protocol, app_protocol=port.app_protocol
                )
                yield subsets.Offer((index, number), served, each, ready)


def _address(service: Service, pod: Pod) -> EndpointAddress | None:
    own = addresses(pod)
    family = _family(service, own)
    found = next((each for each in own if each.family == family), None)
    if found is None:
        return None
    return EndpointAddress(
        ip=found.text,
        hostname=published_hostname(pod, service) or "",
        node_name=pod.spec.node_name or None,
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
    )


def _family(service: Service, own: tuple[address.Address, ...]) -> Family:
    """The Service's first family; of a headless Service without families, that of the Pod's first address."""
    families = service.spec.ip_families
    if families:
        return "IPv6" if families[0] == "IPv6" else "IPv4"
    cluster_ip = service.spec.cluster_ip
    if cluster_ip and cluster_ip != "None":
        found = address.parse(cluster_ip)
        return "IPv4" if found is None else found.family
    return own[0].family if own else "IPv4"


def _identity(each: EndpointAddress) -> str:
    """The UID of the Pod; where manifests have none, its name does the same service."""
    reference = each.target_ref
    if reference is None:
        return ""
    return reference.uid or f"{reference.namespace}/{reference.name}"


def _labels(service: Service) -> Labels:
    labels = dict(service.metadata.labels or {})
    labels.pop(HEADLESS_LABEL, None)
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    labels[MANAGED_BY_LABEL] = MANAGER
    return labels


def _is_up_to_date(current: Endpoints, service: Service, packed: list[EndpointSubset]) -> bool:
    present = current.subsets or []
    labels = {
        key: value
        for key, value in (current.metadata.labels or {}).items()
        if key not in (HEADLESS_LABEL, MANAGED_BY_LABEL)
    }
    count = sum(len(each.addresses or ()) + len(each.not_ready_addresses or ()) for each in present)
    return (
        (
            _comparable(present) == _comparable(packed)
            or _comparable(subsets.repack(present)) == _comparable(packed)
        )
        and (current.metadata.labels or {}).get(MANAGED_BY_LABEL) == MANAGER
        and labels == (service.metadata.labels or {})
        and count <= MAX_ADDRESSES
        and OVER_CAPACITY_ANNOTATION not in (current.metadata.annotations or {})
    )


def _comparable(items: list[EndpointSubset]) -> list[EndpointSubset]:
    """Subsets without what does not count in a comparison: versions of targets, empty lists or none."""
    return [
        EndpointSubset(
            addresses=[_without_version(each) for each in subset.addresses or ()],
            not_ready_addresses=[_without_version(each) for each in subset.not_ready_addresses or ()],
            ports=list(subset.ports or ()),
        )
        for subset in items
    ]


def _without_version(each: EndpointAddress) -> EndpointAddress:
    if each.target_ref is None or not each.target_ref.resource_version:
        return each
    reference = msgspec.structs.replace(each.target_ref, resource_version="")
    return msgspec.structs.replace(each, target_ref=reference)


def truncate(items: list[EndpointSubset]) -> tuple[list[EndpointSubset], bool]:
    """Subsets with at most 1,000 addresses together, and whether any were cut off.

    Each subset keeps its share of the room, rounded up, as long as there is room.
    """
    ready = sum(len(subset.addresses or ()) for subset in items)
    not_ready = sum(len(subset.not_ready_addresses or ()) for subset in items)
    if ready + not_ready <= MAX_ADDRESSES:
        return items, False
    cut_ready = ready > MAX_ADDRESSES
    room, total = (MAX_ADDRESSES, ready) if cut_ready else (MAX_ADDRESSES - ready, not_ready)
    left = room
    kept: list[EndpointSubset] = []
    for subset in items:
        own = (subset.addresses if cut_ready else subset.not_ready_addresses) or []
        share = own[: min(math.ceil(len(own) / total * room), left)]
        left -= len(share)
        if cut_ready:
            changed = msgspec.structs.replace(subset, addresses=share or None, not_ready_addresses=None)
        else:
            changed = msgspec.structs.replace(subset, not_ready_addresses=share or None)
        kept.append(changed)
    return kept, True
