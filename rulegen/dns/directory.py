"""What a DNS server for a cluster looks things up in: namespaces, Services, endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from rulegen.dns.names import address_label
from rulegen.model import Cluster, EndpointSlice, Service

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that every cluster has (cmd/kube-apiserver and the node lease controller, Kubernetes 1.37)."""
NO_PORT = -1
"""Stands for the port of a Service or slice that lists none: it has addresses, but no SRV record."""

Key: TypeAlias = tuple[str, str]
"""Namespace and name of a Service."""


class Port(msgspec.Struct, frozen=True):
    """A port that a name can be asked for, as in ``_http._tcp``."""

    name: str
    protocol: str
    number: int


class Target(msgspec.Struct, frozen=True):
    """A ready endpoint: its address as the slice spells it, the label that names it, the slice's ports."""

    address: str
    label: str
    ports: tuple[Port, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A Service as far as names depend on it."""

    namespace: str
    name: str
    addresses: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    external_name: str | None = None

    @property
    def headless(self) -> bool:
        return self.addresses[:1] == ("None",)


class Directory:
    """The Services, ready endpoints and namespaces of a cluster, found by name and by address.

    The endpoints are those of the cluster's EndpointSlices; :func:`rulegen.controllers.complete` makes the
    slices that the input lacks. Endpoints that are not ready have no name (CoreDNS
    ``EndpointSliceToEndpoints``): a Service with ``publishNotReadyAddresses`` has them marked as ready.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.namespaces = frozenset(_namespaces(cluster))
        self.services: dict[Key, Entry] = {}
        self.by_cluster_ip: dict[str, Entry] = {}
        self._targets: dict[Key, list[Target]] = {}
        self._by_label: dict[Key, dict[str, list[Target]]] = {}
        self._by_address: dict[str, dict[tuple[Key, str], None]] = {}
        self._pieces: list[tuple[Key, tuple[Target, ...]]] = []
        for service in sorted(cluster.services, key=_key):
            entry = _entry(service)
            self.services[_key(service)] = entry
            for address in entry.addresses:
                self.by_cluster_ip.setdefault(address, entry)
        for piece in cluster.slices:
            self._take(piece)

    def targets(self, key: Key, label: str = "") -> Iterable[Target]:
        """The ready endpoints of a Service; with ``label`` (lower case) those that it names."""
        if not label:
            return self._targets.get(key, ())
        return self._by_label.get(key, {}).get(label, ())

    def owners(self, address: str) -> Iterable[tuple[Key, str]]:
        """The Services that an address is a ready endpoint of, each with the label of the endpoint."""
        return self._by_address.get(address, ())

    def pieces_with(self, address: str) -> list[tuple[Key, tuple[Target, ...]]]:
        """The slices that have an address as a ready endpoint: the Service of each, and all its endpoints.

        The name of the Service is empty where a slice says none. Looks at every slice.
        """
        return [piece for piece in self._pieces if any(target.address == address for target in piece[1])]

    @property
    def endpoint_addresses(self) -> Iterable[str]:
        return self._by_address

    def _take(self, piece: EndpointSlice) -> None:
        key = piece.metadata.namespace, (piece.metadata.labels or {}).get(SERVICE_NAME_LABEL, "")
        ports = tuple(
            Port(port.name or "", port.protocol or "", NO_PORT if port.port is None else port.port)
            for port in piece.ports or ()
        ) or (Port("", "", NO_PORT),)
        targets = tuple(
            Target(address, endpoint.hostname or address_label(address), ports)
            for endpoint in piece.endpoints or ()
            if endpoint.conditions is None or endpoint.conditions.ready is not False
            for address in endpoint.addresses
        )
        self._pieces.append((key, targets))
        if not key[1]:
            return
        self._targets.setdefault(key, []).extend(targets)
        for target in targets:
            self._by_label.setdefault(key, {}).setdefault(target.label.lower(), []).append(target)
            self._by_address.setdefault(target.address, {})[key, target.label] = None


def _namespaces(cluster: Cluster) -> Iterable[str]:
    yield from SYSTEM_NAMESPACES
    for objects in (cluster.services, cluster.slices, cluster.endpoints, cluster.pods):
        for each in objects:
            yield each.metadata.namespace
    for other in cluster.others:
        metadata = other.get("metadata") or {}
        yield metadata.get("name" if other.get("kind") == "Namespace" else "namespace") or "default"


def _entry(service: Service) -> Entry:
    spec = service.spec
    namespace, name = _key(service)
    if spec.type == "ExternalName":
        return Entry(namespace=namespace, name=name, external_name=spec.external_name)
    return Entry(
        namespace=namespace,
        name=name,
        # A Service that was never in a cluster may have no address yet: its name exists, without records.
        addresses=tuple(address for address in spec.cluster_ips or (spec.cluster_ip,) if address),
        ports=tuple(Port(port.name, port.protocol, port.port) for port in spec.ports or ())
        or (Port("", "", NO_PORT),),
    )


def _key(service: Service) -> Key:
    return service.metadata.namespace, service.metadata.name
