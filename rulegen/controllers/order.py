"""The order of ports and subsets in what the controllers write: by a hash of their Go values.

The endpointslice and endpoints controllers sort ports and subsets by the FNV-1a hash (128 bits) of a dump of
the value (k8s.io/utils/dump ForHash), so the order looks arbitrary but is fixed; `kubectl get` shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from rulegen.model.objects import (
    EndpointAddress,
    EndpointPort,
    EndpointSubset,
    ObjectReference,
    SubsetPort,
)

_FNV_OFFSET = 0x6C62272E07BB014262B821756295C58D
_FNV_PRIME = 0x0000000001000000000000000000013B
_MASK = (1 << 128) - 1


def fnv1a_128(data: bytes) -> int:
    """The 128-bit FNV-1a hash of ``data`` as a number (big-endian order of its bytes)."""
    value = _FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & _MASK
    return value


def slice_ports(ports: Iterable[EndpointPort]) -> list[EndpointPort]:
    """The ports of an EndpointSlice in the order in which the controllers write them."""
    return sorted(ports, key=_slice_port_hash)


def subset_ports(ports: Iterable[SubsetPort]) -> list[SubsetPort]:
    """The ports of a subset of Endpoints in the order in which the endpoints controller writes them."""
    return sorted(ports, key=_subset_port_hash)


def subsets(items: Sequence[EndpointSubset]) -> list[EndpointSubset]:
    """Subsets, whose addresses and ports are in order, in the order of the endpoints controller.

    The hash covers the UIDs of target references: without them the order is another one, but still fixed.
    """
    if len(items) < 2:
        return list(items)
    return sorted(items, key=lambda subset: fnv1a_128(_dump_subset(subset).encode()))


@lru_cache(maxsize=8192)
def _slice_port_hash(port: EndpointPort) -> int:
    fields = (
        f"Name:(*string){_text(port.name)}",
        f"Protocol:(*v1.Protocol){_text(port.protocol)}",
        f"Port:(*int32){_text(port.port)}",
        f"AppProtocol:(*string){_text(port.app_protocol)}",
    )
    return fnv1a_128(f"(v1.EndpointPort){{{' '.join(fields)}}}".encode())


@lru_cache(maxsize=8192)
def _subset_port_hash(port: SubsetPort) -> int:
    return fnv1a_128(f"(v1.EndpointPort){_dump_port(port)}".encode())


def _text(value: str | int | None) -> str:
    return "<nil>" if value is None else str(value)


def _dump_port(port: SubsetPort) -> str:
    return (
        f"{{Name:(string){port.name} Port:(int32){port.port} Protocol:(v1.Protocol){port.protocol}"
        f" AppProtocol:(*string){_text(port.app_protocol)}}}"
    )


def _dump_subset(subset: EndpointSubset) -> str:
    ports = " ".join(map(_dump_port, subset.ports)) if subset.ports else None
    return (
        f"(v1.EndpointSubset){{Addresses:([]v1.EndpointAddress){_dump_addresses(subset.addresses)}"
        f" NotReadyAddresses:([]v1.EndpointAddress){_dump_addresses(subset.not_ready_addresses)}"
        f" Ports:([]v1.EndpointPort){f'[{ports}]' if ports is not None else '<nil>'}}}"
    )


def _dump_addresses(addresses: Sequence[EndpointAddress] | None) -> str:
    if not addresses:
        return "<nil>"
    return f"[{' '.join(map(_dump_address, addresses))}]"


def _dump_address(address: EndpointAddress) -> str:
    return (
        f"{{IP:(string){address.ip} Hostname:(string){address.hostname}"
        f" NodeName:(*string){_text(address.node_name)}"
        f" TargetRef:(*v1.ObjectReference){_dump_reference(address.target_ref)}}}"
    )


def _dump_reference(reference: ObjectReference | None) -> str:
    if reference is None:
        return "<nil>"
    return (
        f"{{Kind:(string){reference.kind} Namespace:(string){reference.namespace}"
        f" Name:(string){reference.name} UID:(types.UID){reference.uid}"
        f" APIVersion:(string){reference.api_version} ResourceVersion:(string){reference.resource_version}"
        f" FieldPath:(string){reference.field_path}}}"
    )
