"""A fast look at typed Services and EndpointSlices: is the object plainly right as it stands?

Clusters hold them by the ten thousand, nearly all of them right. ``*_is_plain`` says yes only to objects
that :func:`rulegen.load.api.admit` takes without an error or a warning and that ``default_*`` completes to
the same object; anything unusual, right or wrong, is a no, and goes the exact way.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from msgspec.structs import force_setattr

from rulegen.load.api.addresses import check_cidr, cidr_warnings, parse_cidr
from rulegen.load.api.admission import DEFAULT_SERVER
from rulegen.load.api.answers import Server
from rulegen.load.api.names import masked_prefix, port_name, qualified_name
from rulegen.load.defaults import fill_service, fill_slice
from rulegen.model.objects import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointSlice,
    LoadBalancerIngress,
    Metadata,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)

_label = re.compile("[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?").fullmatch
_subdomain = re.compile(
    r"(?!.{254})[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
).fullmatch
_label_value = re.compile("(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?").fullmatch
_time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII).fullmatch

_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP"})
_POLICIES = frozenset({"Cluster", "Local"})
_DISTRIBUTIONS = frozenset({"PreferSameZone", "PreferSameNode"})
_FAMILIES = (["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"])
_OWNER_TEXTS = ("apiVersion", "kind", "name", "uid")
_OWNER_FLAGS = frozenset({"controller", "blockOwnerDeletion"})
# Annotations that say something about the Service itself are the exact way's.
_TELLING = frozenset(
    {
        "service.kubernetes.io/topology-aware-hints",
        "service.kubernetes.io/topology-mode",
        "service.beta.kubernetes.io/load-balancer-source-ranges",
    }
)
_MOST_ENDPOINTS = 1000
_NO_CONDITIONS = EndpointConditions()


@lru_cache(4096)
def _key(text: str) -> bool:
    return not qualified_name(text)


@lru_cache(4096)
def _node_name(text: str) -> bool:
    return _subdomain(text) is not None


@lru_cache(4096)
def _port_name(text: str) -> bool:
    return not port_name(text)


@lru_cache(4096)
def _source_range(text: str) -> bool:
    return not check_cidr("", text, strict=True) and not cidr_warnings("", text)


@lru_cache(16)
def _networks(cidrs: tuple[str, ...]) -> tuple[tuple[int, bytes, bytes], ...]:
    """Length of an address, first and last address of each Service CIDR."""
    found = []
    for text in cidrs:
        cidr = parse_cidr(text)
        if cidr is not None and not cidr.ip.mapped:
            first = int.from_bytes(cidr.network, "big")
            last = first + (1 << (cidr.bits - cidr.length)) - 1
            size = cidr.bits // 8
            found.append((size, first.to_bytes(size, "big"), last.to_bytes(size, "big")))
    return tuple(found)


def _plain_ip(text: str) -> bytes:
    """The bytes of an address in canonical form that may be anyone's; none for any other text.

    Unspecified, loopback, link-local and multicast addresses, and all of 169.0.0.0/8, are left out.
    """
    try:
        if ":" not in text:
            packed = socket.inet_pton(socket.AF_INET, text)
            first = packed[0]
            return b"" if first in (0, 127, 169) or first >= 224 else packed
        packed = socket.inet_pton(socket.AF_INET6, text)
        # Below 1:: are mapped addresses, loopback and none at all; above fe00:: are link-local and multicast.
        if not b"\x00\x01" <= packed[:2] < b"\xfe\x00" or socket.inet_ntop(socket.AF_INET6, packed) != text:
            return b""
        return packed
    except (OSError, ValueError):
        return b""


def service_is_plain(service: Service, server: Server = DEFAULT_SERVER) -> bool:
    """Whether the Service is certainly right, be it new or stored (it has a uid or resourceVersion)."""
    metadata, spec = service.metadata, service.spec
    stored = bool(metadata.uid or metadata.resource_version)
    annotations = metadata.annotations
    return (
        _label(metadata.name) is not None
        and _metadata_is_plain(metadata, stored)
        and (stored or f"{metadata.namespace}/{metadata.name}" not in server.services)
        and (annotations is None or _TELLING.isdisjoint(annotations))
        and _ports_are_plain(spec, server)
        and (spec.selector is None or _labels_are_plain(spec.selector))
        and _addresses_are_plain(spec, server, stored)
        and _options_are_plain(spec, server)
        and _status_is_plain(service.status, spec.type)
    )


def default_service(service: Service, server: Server = DEFAULT_SERVER) -> Service:
    """The same Service with its defaults, for one that is plain; it must not be shared yet."""
    fill_service(service)
    spec = service.spec
    if spec.cluster_ip and spec.cluster_ips is None:
        force_setattr(spec, "cluster_ips", [spec.cluster_ip])
    if spec.ip_families is None:
        primary = _primary(server)
        families = [primary]
        if spec.cluster_ip == "None":
            if not spec.selector:
                families.append("IPv6" if primary == "IPv4" else "IPv4")
        elif spec.cluster_ip:
            families = ["IPv6" if ":" in spec.cluster_ip else "IPv4"]
        force_setattr(spec, "ip_families", families)
        force_setattr(spec, "ip_family_policy", "SingleStack" if len(families) == 1 else "RequireDualStack")
    return service


def _primary(server: Server) -> str:
    networks = _networks(server.service_cidrs)
    return "IPv6" if networks and networks[0][0] == 16 else "IPv4"


def _metadata_is_plain(metadata: Metadata, stored: bool) -> bool:
    """Everything but the name, whose form depends on the kind."""
    if not _label(metadata.namespace) or metadata.self_link or metadata.managed_fields is not None:
        return False
    if metadata.deletion_timestamp is not None or metadata.deletion_grace_period_seconds is not None:
        return False
    if metadata.generate_name and not _label(masked_prefix(metadata.generate_name)):
        return False
    labels = metadata.labels
    if labels is not None and not _labels_are_plain(labels):
        return False
    annotations = metadata.annotations
    if annotations is not None and not _annotations_are_plain(annotations):
        return False
    created, generation = metadata.creation_timestamp, metadata.generation
    if stored:
        if created is not None and not _time(created):
            return False
        if generation is not None and not 0 < generation < 2**63:
            return False
    elif created is not None or generation is not None:
        return False
    owners = metadata.owner_references
    if owners is not None and not (len(owners) == 1 and _owner_is_plain(owners[0])):
        return False
    finalizers = metadata.finalizers
    return finalizers is None or (bool(finalizers) and all("/" in each and _key(each) for each in finalizers))


def _labels_are_plain(labels: Mapping[str, str]) -> bool:
    return bool(labels) and all(map(_key, labels)) and all(map(_label_value, labels.values()))


def _annotations_are_plain(annotations: Mapping[str, str]) -> bool:
    # A character is four bytes at most; the limit is 256 KiB of keys and values.
    return (
        0 < len(annotations) < 64
        and sum(map(len, annotations.values())) < 32 * 1024
        and all(map(_key, annotations))
    )


def _owner_is_plain(owner: Mapping[str, Any]) -> bool:
    for field in _OWNER_TEXTS:
        text = owner.get(field)
        if not isinstance(text, str) or not text:
            return False
    if owner["apiVersion"].count("/") > 1 or owner["apiVersion"].endswith("/") or owner["kind"] == "Event":
        return False
    flags = owner.keys() - _OWNER_TEXTS
    return flags <= _OWNER_FLAGS and all(type(owner[flag]) is bool for flag in flags)


def _ports_are_plain(spec: ServiceSpec, server: Server) -> bool:
    ports = spec.ports
    if not ports:
        return ports is None and spec.type == "ClusterIP" and spec.cluster_ip == "None"
    first, last = server.node_ports
    may_have_node_port = spec.type != "ClusterIP"
    for port in ports:
        if not _port_is_plain(port):
            return False
        node_port = port.node_port
        if node_port and not (
            may_have_node_port and first <= node_port <= last and node_port not in server.used_node_ports
        ):
            return False
    if len(ports) == 1:
        return True
    names = {port.name for port in ports}
    # One number for two protocols is right, but the two share a node port where they have one.
    numbers = {port.port if may_have_node_port else (port.protocol, port.port) for port in ports}
    node_ports = [port.node_port for port in ports if port.node_port]
    return (
        len(names) == len(ports)
        and "" not in names
        and len(numbers) == len(ports)
        and len(set(node_ports)) == len(node_ports)
    )


def _port_is_plain(port: ServicePort) -> bool:
    target = port.target_port
    return (
        1 <= port.port <= 65535
        and port.protocol in _PROTOCOLS
        and (not port.name or _label(port.name) is not None)
        and (0 <= target <= 65535 if isinstance(target, int) else _port_name(target))
        and (port.app_protocol is None or _key(port.app_protocol))
    )


def _addresses_are_plain(spec: ServiceSpec, server: Server, stored: bool) -> bool:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy: all given, or so few that they follow."""
    ip, ips = spec.cluster_ip, spec.cluster_ips
    families, policy = spec.ip_families, spec.ip_family_policy
    if families is None:
        if policy is not None or (ips is not None and len(ips) != 1) or (stored and not ip):
            return False
    elif families not in _FAMILIES or not (stored or _are_served(families, server)):
        return False
    elif len(families) == 1:
        if policy != "SingleStack":
            return False
    elif policy not in ("RequireDualStack", "PreferDualStack"):
        return False
    if ip == "None":
        return spec.type == "ClusterIP" and ips in (None, ["None"])
    if ips is None:
        if not ip:
            return True
        ips = [ip]
    elif not ips or ips[0] != ip:
        return False
    if families is not None and len(families) != len(ips):
        return False
    for i, each in enumerate(ips):
        packed = _plain_ip(each)
        if not packed or (families is not None and (families[i] == "IPv4") != (len(packed) == 4)):
            return False
        if not stored and not _is_free(packed, each, server):
            return False
    return True


def _are_served(families: list[str], server: Server) -> bool:
    sizes = {size for size, _, _ in _networks(server.service_cidrs)}
    return all((4 if family == "IPv4" else 16) in sizes for family in families)


def _is_free(packed: bytes, text: str, server: Server) -> bool:
    for size, first, last in _networks(server.service_cidrs):
        if size == len(packed) and first < packed < last:
            return text not in server.cluster_ips
    return False


def _options_are_plain(spec: ServiceSpec, server: Server) -> bool:
    kind = spec.type
    balanced = kind == "LoadBalancer"
    if not balanced and kind not in ("ClusterIP", "NodePort"):
        return False
    if spec.external_ips is not None or spec.external_name:
        return False
    if spec.load_balancer_ip and not _plain_ip(spec.load_balancer_ip):
        return False
    if spec.cluster_ip == "None" and (spec.load_balancer_ip or spec.session_affinity != "None"):
        return False
    external = spec.external_traffic_policy
    if external and (kind == "ClusterIP" or external not in _POLICIES):
        return False
    if spec.internal_traffic_policy is not None and spec.internal_traffic_policy not in _POLICIES:
        return False
    if spec.traffic_distribution is not None and spec.traffic_distribution not in _DISTRIBUTIONS:
        return False
    config = spec.session_affinity_config
    if spec.session_affinity == "ClientIP":
        client = config.client_ip if config is not None else None
        seconds = client.timeout_seconds if client is not None else None
        if (config is None) != (seconds is None) or (seconds is not None and not 0 < seconds <= 86400):
            return False
    elif spec.session_affinity != "None" or config is not None:
        return False
    health = spec.health_check_node_port
    if health:
        first, last = server.node_ports
        if not (balanced and external == "Local" and first <= health <= last):
            return False
        if health in server.used_node_ports or any(port.node_port == health for port in spec.ports or ()):
            return False
    ranges, name = spec.load_balancer_source_ranges, spec.load_balancer_class
    if not balanced:
        return ranges is None and name is None and spec.allocate_load_balancer_node_ports is None
    return (ranges is None or (bool(ranges) and all(map(_source_range, ranges)))) and (
        name is None or _key(name)
    )


def _status_is_plain(status: ServiceStatus | None, kind: str) -> bool:
    if status is None:
        return True
    balancer = status.load_balancer
    if balancer is None or status.conditions is not None:
        return False
    ingress = balancer.ingress
    if ingress is None:
        return True
    return bool(ingress) and kind == "LoadBalancer" and all(map(_ingress_is_plain, ingress))


def _ingress_is_plain(ingress: LoadBalancerIngress) -> bool:
    if ingress.ports is not None:
        return False
    name = ingress.hostname
    if not ingress.ip:
        # What ends with a letter is no address.
        return ingress.ip_mode is None and _subdomain(name) is not None and name[-1].isalpha()
    return not name and bool(_plain_ip(ingress.ip)) and ingress.ip_mode in (None, "VIP", "Proxy")


def slice_is_plain(endpoint_slice: EndpointSlice) -> bool:
    """Whether the EndpointSlice is certainly right, be it new or stored."""
    metadata = endpoint_slice.metadata
    stored = bool(metadata.uid or metadata.resource_version)
    size = {"IPv4": 4, "IPv6": 16}.get(endpoint_slice.address_type)
    if size is None or not _subdomain(metadata.name) or not _metadata_is_plain(metadata, stored):
        return False
    names = set()
    ports = endpoint_slice.ports
    if ports is not None:
        for port in ports:
            name = port.name or ""
            if name in names or (name and not _label(name)):
                return False
            names.add(name)
            if port.protocol is not None and port.protocol not in _PROTOCOLS:
                return False
            if port.port is not None and not 0 <= port.port <= 65535:
                return False
            if port.app_protocol is not None and not _key(port.app_protocol):
                return False
    endpoints = endpoint_slice.endpoints
    if not endpoints:
        return True
    return len(endpoints) <= _MOST_ENDPOINTS and _endpoints_are_plain(endpoints, size)


def _endpoints_are_plain(endpoints: Iterable[Endpoint], size: int) -> bool:
    for endpoint in endpoints:
        addresses = endpoint.addresses
        if not 0 < len(addresses) <= 100:
            return False
        for address in addresses:
            if len(_plain_ip(address)) != size:
                return False
        if endpoint.node_name is not None and not _node_name(endpoint.node_name):
            return False
        if endpoint.hostname is not None and not _label(endpoint.hostname):
            return False
        if endpoint.hints is not None and not _hints_are_plain(endpoint.hints):
            return False
        if endpoint.deprecated_topology is not None:
            return False
    return True


def _hints_are_plain(hints: EndpointHints) -> bool:
    zones, nodes = hints.for_zones, hints.for_nodes
    if zones is not None:
        names = {each.name for each in zones}
        if not 0 < len(zones) <= 8 or len(names) != len(zones) or not all(map(_label_value, names)):
            return False
    if nodes is not None:
        names = {each.name for each in nodes}
        if not 0 < len(nodes) <= 8 or len(names) != len(nodes) or not all(map(_node_name, names)):
            return False
    return True


def default_slice(endpoint_slice: EndpointSlice) -> EndpointSlice:
    """The same EndpointSlice with its defaults, for one that is plain; it must not be shared yet."""
    fill_slice(endpoint_slice)
    if not endpoint_slice.ports:
        force_setattr(endpoint_slice, "ports", None)
    if not endpoint_slice.endpoints:
        force_setattr(endpoint_slice, "endpoints", None)
    for endpoint in endpoint_slice.endpoints or ():
        if endpoint.conditions is None:
            force_setattr(endpoint, "conditions", _NO_CONDITIONS)
    return endpoint_slice
