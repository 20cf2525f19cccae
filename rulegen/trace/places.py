"""Where a packet comes from and where it goes, in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from rulegen.model import FAMILIES, Cluster, Endpoint, Family, Pod, Service, ServicePort
from rulegen.model import Node as NodeFacts
from rulegen.plan.addresses import family_of
from rulegen.plan.ports import cluster_ip_of
from rulegen.trace.host import Host
from rulegen.trace.packet import number, shown

OUTSIDE: dict[Family, str] = {"IPv4": "203.0.113.113", "IPv6": "2001:db8:ffff::113"}
"""What ``external`` stands for: addresses that are for documentation only (RFC 5737, RFC 3849)."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends: an address by family, or the node itself, which picks one by where it sends to."""

    name: str
    addresses: Mapping[Family, str] = {}
    port: int | None = None
    is_node: bool = False

    def source(self, host: Host, destination: str) -> str | None:
        """The address that the packet has; None where the node has no way to send it."""
        if not self.is_node:
            return self.addresses[host.family]
        own = host.source_for(number(destination))
        return None if own is None else shown(own, host.family)

    def device(self, host: Host, source: str) -> str | None:
        """What the packet comes in by: the way back to its sender; ``""`` for the node's own."""
        if self.is_node or host.is_local(number(source)):
            return ""
        way = host.route(number(source))
        return None if way is None else way.device


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Who is meant: an address by family, a port (None for a ping), the protocol where a Service says it."""

    name: str
    addresses: Mapping[Family, str]
    port: int | None
    protocol: str = ""


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """Where names are looked up; ``listed`` are Services that only rules tell of (see :mod:`listed`)."""

    cluster: Cluster = Cluster()
    node: NodeFacts = NodeFacts()
    namespace: str = "default"
    listed: Mapping[str, Sequence[tuple[str, str, int]]] = {}

    def origin(self, text: str) -> Origin:
        """``pod/NAME``, ``node``, ``node/NAME``, ``external``, ``IP``, ``IP:PORT``. Raises ValueError."""
        if text in ("node", "host"):
            return Origin(name="node", is_node=True)
        if text in ("external", "outside", "world"):
            return Origin(name="external", addresses=OUTSIDE)
        kind, slash, name = text.partition("/")
        if slash and kind in ("pod", "pods", "po"):
            return self._pod(name)
        if slash and kind in ("node", "nodes", "no"):
            return self._node(name)
        ip, port = split_port(text)
        family = family_of(ip)
        if family is None:
            raise ValueError(f"--from {text}: must be pod/NAME, node, external, IP or IP:PORT")
        return Origin(name=text, addresses={family: ip}, port=port)

    def target(self, text: str) -> Target:
        """``svc/NAME[:PORT]``, ``IP:PORT``, ``NAME:PORT``, ``ping WHERE``. Raises ValueError."""
        ping = text.startswith(("ping ", "ping:"))
        where = text[5:].strip() if ping else text
        kind, slash, rest = where.partition("/")
        if slash:
            if kind not in ("svc", "service", "services"):
                raise ValueError(f"--to {text}: a Service is svc/NAME[:PORT]")
            return self._service(rest, ping=ping)
        ip, port = split_port(where)
        family = family_of(ip)
        if family is not None:
            if port is None and not ping:
                raise ValueError(f"--to {text}: needs a port, as in {where}:80; or use 'ping {where}'")
            return Target(name=text, addresses={family: ip}, port=None if ping else port)
        return self._domain_name(ip, port, ping=ping)

    def _pod(self, name: str) -> Origin:
        namespace, _, short = name.rpartition("/")
        namespace = namespace or self.namespace
        for pod in self.cluster.pods:
            if (pod.metadata.namespace, pod.metadata.name) == (namespace, short):
                addresses = _pod_addresses(pod)
                if not addresses:
                    raise ValueError(f"--from pod/{name}: the Pod has no address yet")
                if pod.spec.host_network and pod.spec.node_name == self.node.name:
                    return Origin(name=f"pod/{short}", is_node=True)
                return Origin(name=f"pod/{short}", addresses=addresses)
        found: dict[Family, str] = {}
        for endpoint in _endpoints(self.cluster, namespace):
            reference = endpoint.target_ref
            if reference is not None and reference.name == short and endpoint.addresses:
                family = family_of(endpoint.addresses[0])
                if family is not None:
                    found[family] = endpoint.addresses[0]
        if found:
            return Origin(name=f"pod/{short}", addresses=found)
        known = sorted(p.metadata.name for p in self.cluster.pods if p.metadata.namespace == namespace)
        raise ValueError(f'pods "{short}" not found in namespace {namespace}; found: {_listed(known)}')

    def _node(self, name: str) -> Origin:
        if name == self.node.name:
            return Origin(name="node", is_node=True)
        for node in self.cluster.nodes:
            if node.metadata.name == name:
                found: dict[Family, str] = {}
                for address in node.status.addresses or ():
                    family = family_of(address.address)
                    if address.type == "InternalIP" and family is not None:
                        found.setdefault(family, address.address)
                return Origin(name=f"node/{name}", addresses=found)
        known = sorted(node.metadata.name for node in self.cluster.nodes)
        raise ValueError(f'nodes "{name}" not found; found: {_listed(known)}')

    def _service(self, text: str, *, ping: bool) -> Target:
        whole, _, port = text.partition(":")
        given, _, name = whole.rpartition("/")
        namespace = given or self.namespace
        service = self._find(namespace, name)
        if service is None:
            told = self.listed.get(f"{namespace}/{name}")
            if told:
                return _of_rules(f"svc/{name}", told, port, ping=ping)
            known = sorted(f"{s.metadata.namespace}/{s.metadata.name}" for s in self.cluster.services)
            found = _listed(known or sorted(self.listed))
            raise ValueError(f'services "{name}" not found in namespace {namespace}; found: {found}')
        return self._to_service(f"svc/{name}", service, port, ping=ping)

    def _to_service(self, name: str, service: Service, port: str, *, ping: bool) -> Target:
        addresses = {family: ip for family in FAMILIES if (ip := cluster_ip_of(service, family))}
        if service.spec.type == "ExternalName":
            raise ValueError(f"{name} is an alias of {service.spec.external_name}: no address to send to")
        if not addresses:
            raise ValueError(f"{name} is headless: clients connect to its endpoints themselves")
        if ping:
            return Target(name=name, addresses=addresses, port=None)
        chosen = _port_of(name, service.spec.ports or (), port)
        return Target(name=name, addresses=addresses, port=chosen.port, protocol=chosen.protocol.lower())

    def _domain_name(self, host: str, port: int | None, *, ping: bool) -> Target:
        """A name as a pod looks it up: the cluster's DNS answers, nothing upstream."""
        from rulegen.dns.directory import Directory as Names
        from rulegen.dns.search import resolve
        from rulegen.dns.server import DnsServer

        if not re.fullmatch(r"[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9])?\.?", host):
            raise ValueError(f"--to {host}: must be svc/NAME[:PORT], IP:PORT, NAME:PORT, or 'ping WHERE'")
        if port is None and not ping:
            raise ValueError(f"--to {host}: needs a port, as in {host}:80")
        if re.fullmatch(r"[\d.]+", host):
            raise ValueError(f"--to {host}: must be svc/NAME[:PORT], IP:PORT, NAME:PORT: it is no IP address")
        found = resolve(DnsServer(Names(self.cluster)), host, self.namespace)
        if found.upstream:
            raise ValueError(f"{host} is no name of the cluster: name its address")
        if not found.addresses:
            raise ValueError(f"{host} has no address: {found.outcome}")
        addresses: dict[Family, str] = {}
        for ip in found.addresses:
            family = family_of(ip)
            if family in addresses:
                several = _listed(found.addresses)
                raise ValueError(f"{host} has several addresses, name the one that is meant: {several}")
            if family is not None:
                addresses[family] = ip
        return Target(name=host, addresses=addresses, port=None if ping else port)

    def _find(self, namespace: str, name: str) -> Service | None:
        for service in self.cluster.services:
            if (service.metadata.namespace, service.metadata.name) == (namespace, name):
                return service
        return None

    def local_pods(self) -> list[str]:
        """Addresses of pods that are known to be on this node, in their own network."""
        own = {ip.partition("/")[0] for addresses in self.node.interfaces.values() for ip in addresses}
        found: dict[str, None] = {}
        for pod in self.cluster.pods:
            if self.node.name and pod.spec.node_name == self.node.name and not pod.spec.host_network:
                found |= dict.fromkeys(_pod_addresses(pod).values())
        for piece in self.cluster.slices:
            for endpoint in piece.endpoints or ():
                if self.node.name and endpoint.node_name == self.node.name and piece.address_type != "FQDN":
                    found |= dict.fromkeys(endpoint.addresses[:1])
        return [ip for ip in found if ip not in own]


def split_port(text: str) -> tuple[str, int | None]:
    """``10.0.0.1:80``, ``[fd00::1]:80``, ``name:80``; the port is None where there is none."""
    if text.startswith("["):
        ip, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        ip, _, port = text.partition(":")
    else:
        ip, port = text, ""
    if not port:
        return ip, None
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text}: {port!r} is no port number")
    return ip, int(port)


def _pod_addresses(pod: Pod) -> dict[Family, str]:
    found: dict[Family, str] = {}
    for ip in [entry.ip for entry in pod.status.pod_ips or ()] or [pod.status.pod_ip]:
        family = family_of(ip) if ip else None
        if family is not None:
            found.setdefault(family, ip)
    return found


def _endpoints(cluster: Cluster, namespace: str, service: str | None = None) -> Iterable[Endpoint]:
    for piece in cluster.slices:
        labels = piece.metadata.labels or {}
        if piece.metadata.namespace == namespace and (
            service is None or labels.get("kubernetes.io/service-name") == service
        ):
            yield from piece.endpoints or ()


def _port_of(name: str, ports: Sequence[ServicePort], wanted: str) -> ServicePort:
    if not wanted and len(ports) == 1:
        return ports[0]
    offered = _listed([f"{p.name or p.port} ({p.port}/{p.protocol})" for p in ports])
    if not wanted:
        raise ValueError(f"{name} has several ports, name one as {name}:PORT: {offered}")
    for port in ports:
        if wanted in (port.name, str(port.port)):
            return port
    if wanted.isdecimal() and 0 < int(wanted) < 65536:
        # A port that the Service does not have may be asked for: what becomes of the packet, then?
        return ServicePort(port=int(wanted), protocol=ports[0].protocol if ports else "TCP")
    raise ValueError(f"{name} has no port {wanted!r}; it has {offered}")


def _of_rules(name: str, told: Sequence[tuple[str, str, int]], port: str, *, ping: bool) -> Target:
    """A Service as rules tell of it: (address, protocol, port)."""
    addresses: dict[Family, str] = {}
    for ip, _, _ in told:
        family = family_of(ip)
        if family is not None:
            addresses.setdefault(family, ip)
    if ping:
        return Target(name=name, addresses=addresses, port=None)
    ports = sorted({(number_of, protocol) for _, protocol, number_of in told})
    chosen = [each for each in ports if not port or str(each[0]) == port]
    if not chosen and port.isdecimal() and 0 < int(port) < 65536:
        chosen = [(int(port), ports[0][1])]  # a port that the Service does not have, as in manifests
    if len(chosen) != 1:
        offered = _listed([f"{number_of}/{protocol}" for number_of, protocol in ports])
        raise ValueError(f"{name}: name one of its ports as {name}:PORT: {offered}")
    return Target(name=name, addresses=addresses, port=chosen[0][0], protocol=chosen[0][1])


def _listed(names: Sequence[str]) -> str:
    shown_names = ", ".join(names[:10])
    return f"{shown_names} and {len(names) - 10} more" if len(names) > 10 else shown_names or "none"
