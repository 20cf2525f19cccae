"""What only shows when all Services are seen together: addresses and ports that two of them want.

The API server gives each cluster IP and each node port number (whatever its protocol) to one Service only
(``pkg/registry/core/service/{ipallocator,portallocator}``, Kubernetes 1.37). Two objects of a cluster that
disagree with that are a remark, since kube-proxy takes them as they are; anything else is refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

import msgspec

from rulegen.load.api import FieldError
from rulegen.load.api.answers import invalid, invalid_json
from rulegen.model import Service

_PORTS = "provided port is already allocated"
_ADDRESSES = "provided IP is already allocated"


class Clash(msgspec.Struct, frozen=True):
    """A Service that wants what an earlier one has; ``both_stored`` says that both come from a cluster."""

    service: Service
    holder: Service
    fault: FieldError
    both_stored: bool


def clashes(services: Iterable[Service]) -> Iterator[Clash]:
    """Every address and node port that is wanted twice, in the order of the Services."""
    addresses: dict[str, Service] = {}
    ports: dict[int, Service] = {}
    for service in services:
        for fault, holder in _faults(service, addresses, ports):
            yield Clash(service, holder, fault, _stored(service) and _stored(holder))


def _faults(
    service: Service, addresses: dict[str, Service], ports: dict[int, Service]
) -> Iterator[tuple[FieldError, Service]]:
    spec = service.spec
    if spec.type != "ExternalName" and spec.cluster_ip != "None":
        wanted = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
        for ip in wanted:
            holder = addresses.setdefault(_canonical(ip), service)
            if holder is not service:
                detail = f"failed to allocate IP {ip}: {_ADDRESSES}"
                yield invalid_json("spec.clusterIPs", wanted, detail), holder
    if spec.type not in ("NodePort", "LoadBalancer"):
        return
    seen: set[int] = set()
    for index, port in enumerate(spec.ports or ()):
        number = port.node_port
        if not number or number in seen:
            continue
        seen.add(number)
        holder = ports.setdefault(number, service)
        if holder is not service:
            yield invalid(f"spec.ports[{index}].nodePort", number, _PORTS), holder
    check = spec.health_check_node_port
    if check and check not in seen:
        holder = ports.setdefault(check, service)
        if holder is not service:
            detail = f"failed to allocate requested HealthCheck NodePort {check}: {_PORTS}"
            yield FieldError("spec.healthCheckNodePort", detail), holder


def _canonical(ip: str) -> str:
    return str(ipaddress.ip_address(ip)) if ":" in ip else ip


def _stored(service: Service) -> bool:
    return bool(service.metadata.uid or service.metadata.resource_version)
