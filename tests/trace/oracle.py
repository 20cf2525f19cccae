"""What Services promise, told from their objects alone: an oracle for traces.

It shares nothing with the compiler beyond the objects, and nothing with the tracer: endpoints, policies,
source ranges and masquerading are worked out here once more, in the words of the Service API (KEP-1669,
KEP-2086, KEP-2433, KEP-3015) and of kube-proxy's documented differences between its modes. Each of these has
a name (``Quirk``) and a section in docs/mode-differences.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from rulegen.load.scenario import Scenario
from rulegen.model import Endpoint, Family, Service

LOOPBACK = {"IPv4": "127.0.0.0/8", "IPv6": "::1/128"}


@dataclass(frozen=True)
class Probe:
    """A connection to try: from where (``pod``, ``elsewhere``, ``node``, ``outside``, ``endpoint``)."""

    origin: str
    device: str
    source: str
    protocol: str
    destination: str
    port: int


@dataclass
class Expected:
    """``endpoints`` (each gets the same share), ``refused``, ``dropped``, or ``untouched`` by any rule.

    ``masqueraded`` are the endpoints that do not see the client's address. ``quirks`` are the differences
    between modes that matter here.
    """

    kind: str
    endpoints: frozenset[str] = frozenset()
    masqueraded: frozenset[str] = frozenset()
    quirks: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Candidate:
    address: str
    ip: str
    here: bool
    ready: bool
    draining: bool
    zones: frozenset[str]
    nodes: frozenset[str]


@dataclass(frozen=True)
class Port:
    """A port of a Service: its addresses, by what they are, and its endpoints."""

    name: str
    protocol: str
    port: int
    node_port: int
    cluster_ip: str
    external_ips: tuple[str, ...]
    vips: tuple[str, ...]
    ranges: tuple[str, ...]
    internal_local: bool
    external_local: bool
    accessible: bool
    candidates: tuple[Candidate, ...]


class Oracle:
    def __init__(self, case: Scenario, family: Family, mode: str) -> None:
        self.case = case
        self.family = family
        self.mode = mode
        self.config = case.config
        self.six = family == "IPv6"
        self.zone = case.node.labels.get("topology.kubernetes.io/zone", "")
        self.node_ip = self._node_ip(family)
        self.own = [
            text.partition("/")[0]
            for addresses in case.node.interfaces.values()
            for text in addresses
            if self._mine(text.partition("/")[0])
        ]
        self.ports = [port for service in case.cluster.services for port in self._ports(service)]
        self.cluster_ips = {port.cluster_ip for port in self.ports}
        self.virtual = {ip for p in self.ports for ip in (p.cluster_ip, *p.external_ips, *p.vips)}

    # --- objects

    def _mine(self, ip: str) -> bool:
        return (":" in ip) == self.six

    def _ports(self, service: Service) -> Iterable[Port]:
        spec, metadata = service.spec, service.metadata
        labels = metadata.labels or {}
        if "service.kubernetes.io/service-proxy-name" in labels or spec.type == "ExternalName":
            return
        if spec.cluster_ip == "None":
            return
        ips = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
        own = [ip for ip in ips if self._mine(ip)]
        if not own:
            return
        gate = self.config.feature_gates.get("AllowServiceExternalIPs", True)
        external = tuple(ip for ip in spec.external_ips or () if self._mine(ip))
        ingress = (
            service.status.load_balancer.ingress if service.status and service.status.load_balancer else ()
        )
        vips = tuple(i.ip for i in ingress or () if i.ip and i.ip_mode in (None, "VIP") and self._mine(i.ip))
        nets = [ip_network(text.strip(), strict=False) for text in spec.load_balancer_source_ranges or ()]
        ranges = tuple(str(net) for net in nets if (net.version == 6) == self.six)
        if any(ip_network(net).prefixlen == 0 for net in ranges):
            ranges = ()
        outside = spec.type in ("NodePort", "LoadBalancer") or bool(spec.external_ips)
        for port in spec.ports or ():
            yield Port(
                name=f"{metadata.namespace}/{metadata.name}:{port.name}",
                protocol=port.protocol.lower(),
                port=port.port,
                node_port=port.node_port or 0,
                cluster_ip=own[0],
                external_ips=external if gate else (),
                vips=vips,
                ranges=ranges,
                internal_local=spec.internal_traffic_policy == "Local",
                external_local=outside and spec.external_traffic_policy == "Local",
                accessible=bool(port.node_port or vips or external),
                candidates=tuple(self._candidates(service, port.name, port.protocol)),
            )

    def _candidates(self, service: Service, name: str, protocol: str) -> Iterable[Candidate]:
        found: dict[str, Candidate] = {}
        terminating: set[str] = set()
        pieces = sorted(self.case.cluster.slices, key=lambda piece: piece.metadata.name)
        for piece in pieces:
            labels = piece.metadata.labels or {}
            if piece.metadata.namespace != service.metadata.namespace or piece.address_type != self.family:
                continue
            if labels.get("kubernetes.io/service-name") != service.metadata.name:
                continue
            if "service.kubernetes.io/headless" in labels:
                continue
            for port in piece.ports or ():
                if not port.port or (port.name or "") != (name or "") or (port.protocol or "TCP") != protocol:
                    continue
                for endpoint in piece.endpoints or ():
                    made = self._candidate(endpoint, port.port)
                    if made is None:
                        continue
                    is_terminating = bool(endpoint.conditions and endpoint.conditions.terminating)
                    # The later of two with one address counts, unless it is on its way out.
                    if made.address in found and is_terminating:
                        continue
                    found[made.address] = made
                    (terminating.add if is_terminating else terminating.discard)(made.address)
        return found.values()

    def _candidate(self, endpoint: Endpoint, port: int) -> Candidate | None:
        if not endpoint.addresses:
            return None
        ip = str(ip_address(endpoint.addresses[0]))
        conditions = endpoint.conditions
        ready = conditions is None or conditions.ready is not False
        serving = conditions is None or conditions.serving is not False
        terminating = conditions is not None and conditions.terminating is True
        hints = endpoint.hints
        return Candidate(
            address=f"[{ip}]:{port}" if self.six else f"{ip}:{port}",
            ip=ip,
            here=bool(self.case.node.name) and endpoint.node_name == self.case.node.name,
            ready=ready,
            draining=serving and terminating,
            zones=frozenset(zone.name for zone in (hints.for_zones or ()) if hints) if hints else frozenset(),
            nodes=frozenset(node.name for node in (hints.for_nodes or ()) if hints) if hints else frozenset(),
        )

    # --- the node

    def _node_ip(self, family: Family) -> str:
        bind = self.config.bind_address
        if bind and self._mine(bind) and not ip_address(bind).is_unspecified:
            return bind
        own = [ip for ip in self.case.node.ips if self._mine(ip)]
        return own[0] if own else ("::1" if self.six else "127.0.0.1")

    def _primary(self, wanted: str) -> list[str]:
        found = [self._node_ip(self.family)]
        return [ip for ip in found if not ip_address(ip).is_loopback]

    def node_port_nets(self) -> list[str]:
        given: Sequence[str] = self.config.node_port_addresses
        if self.mode == "nftables" and not given:
            given = ("primary",)
        nets: list[str] = []
        for text in given:
            if text == "primary":
                nets += [f"{ip}/{128 if self.six else 32}" for ip in self._primary(text)]
            elif text == "localhost":
                nets.append(LOOPBACK[self.family])
            elif text == "all":
                nets.append("::/0" if self.six else "0.0.0.0/0")
            elif self._mine(text):
                nets.append(text)
        return nets or ["::/0" if self.six else "0.0.0.0/0"]

    def serves_node_ports(self, ip: str) -> bool:
        """Whether node ports are open at an address of the node."""
        nets = [ip_network(net, strict=False) for net in self.node_port_nets()]
        if not any(ip_address(ip) in net for net in nets):
            return False
        if self.mode == "ipvs" and self.six and ip_address(ip).is_link_local:
            return all(net.prefixlen for net in nets)
        if not ip_address(ip).is_loopback:
            return True
        # Only iptables mode can, only for IPv4, and only with route_localnet.
        return self.mode == "iptables" and not self.six and self.config.localhost_node_ports

    def is_known_here(self, candidate: Candidate, protocol: str) -> bool:
        """Whether a Service says that the endpoint is on this node; in ipvs mode, uses it or not."""
        return candidate.here or any(
            other.here and other.address == candidate.address
            for port in self.ports
            if port.protocol == protocol
            for other in (
                port.candidates if self.mode == "ipvs" else [*self.cluster(port), *self.local(port)]
            )
        )

    def is_pod(self, probe: Probe) -> bool | None:
        """Whether kube-proxy takes the client for a pod; None where it cannot tell."""
        config = self.config
        match config.detect_local_mode:
            case "ClusterCIDR" | "":
                nets = [net for net in config.cluster_cidrs if self._mine(net)]
            case "NodeCIDR":
                nets = [net for net in self.case.node.pod_cidrs if self._mine(net)]
            case "BridgeInterface":
                return probe.device == config.bridge_interface
            case "InterfaceNamePrefix":
                return probe.device.startswith(config.interface_name_prefix)
            case _:
                return None
        if not nets:
            return None
        return ip_address(probe.source) in ip_network(nets[0], strict=False)

    # --- endpoints

    def cluster(self, port: Port) -> list[Candidate]:
        """Endpoints for traffic that may go anywhere."""
        if port.internal_local and not port.accessible:
            return []
        ready = [c for c in port.candidates if c.ready]
        hinted = self._hinted(ready)
        return hinted or [c for c in port.candidates if c.draining]

    def _hinted(self, ready: list[Candidate]) -> list[Candidate]:
        name, zone = self.case.node.name, self.zone
        if ready and all(c.nodes for c in ready):
            own = [c for c in ready if name in c.nodes]
            if own:
                return own
        if ready and all(c.zones for c in ready):
            own = [c for c in ready if zone in c.zones]
            if own:
                return own
        return ready

    def local(self, port: Port) -> list[Candidate]:
        """Endpoints of this node for traffic that must stay on it."""
        if not (port.internal_local or (port.external_local and port.accessible)):
            return []
        here = [c for c in port.candidates if c.here]
        return [c for c in here if c.ready] or [c for c in here if c.draining]

    def usable(self, port: Port) -> bool:
        """Whether any node has an endpoint for the port."""
        if self.cluster(port):
            return True
        uses_local = port.internal_local or (port.external_local and port.accessible)
        return uses_local and any(c.ready or c.draining for c in port.candidates)

    # --- connections

    def claims(self, destination: str, port: int, protocol: str) -> list[tuple[Port, str]]:
        """The Service ports that an address belongs to, and as what; none, or several, for some addresses."""
        found = []
        for each in self.ports:
            if each.protocol != protocol:
                continue
            if each.port == port:
                found += [(each, "cluster")] * (each.cluster_ip == destination)
                found += [(each, "external")] * (destination in each.external_ips)
                found += [(each, "balancer")] * (destination in each.vips)
            if each.node_port == port and destination in self.own and self.serves_node_ports(destination):
                found.append((each, "node"))
        return found

    def expect(self, probe: Probe) -> Expected | None:
        """What the connection meets; None where Services contradict each other."""
        claims = self.claims(probe.destination, probe.port, probe.protocol)
        if len(claims) > 1:
            return None
        if not claims:
            return self._unclaimed(probe)
        found = self._claimed(*claims[0], probe)
        ends = [_split(address) for address in found.endpoints]
        # An endpoint whose address is another Service's as well.
        if any(ip in self.virtual or self.claims(ip, number, probe.protocol) for ip, number in ends):
            return None
        return found

    def _claimed(self, port: Port, kind: str, probe: Probe) -> Expected:
        if self.mode == "ipvs":
            from tests.trace.oracle_ipvs import served_by_ipvs

            return served_by_ipvs(self, port, kind, probe)
        return self._internal(port, probe) if kind == "cluster" else self._external(port, kind, probe)

    def _unclaimed(self, probe: Probe) -> Expected:
        destination = probe.destination
        if destination in self.cluster_ips:
            found = Expected("untouched" if self.mode == "iptables" else "refused")
            found.quirks.add("closed-port-of-a-cluster-ip")
            return found
        if destination in self.virtual and destination not in self.own:
            found = Expected("refused" if self.mode == "ipvs" else "untouched")
            found.quirks.add("closed-port-of-an-external-address")
            return found
        if self.mode == "nftables" and destination not in self.own:
            nets = self.case.service_cidrs.get(self.family, ())
            if any(ip_address(destination) in ip_network(net) for net in nets):
                return Expected("dropped", quirks={"unallocated-cluster-ip"})
        ports = [p for p in self.ports if p.node_port == probe.port and p.protocol == probe.protocol]
        if ports and destination in self.own:
            return self._closed_node_port(ports[0], probe)
        return Expected("untouched")

    def _closed_node_port(self, port: Port, probe: Probe) -> Expected:
        """A node port at an address where it is not served."""
        found = Expected("untouched", quirks={"addresses-of-node-ports"})
        if self.mode == "iptables":
            # Refusals of iptables mode look at the port alone, whatever nodePortAddresses says.
            if not self.usable(port):
                found.kind = "refused"
            elif port.external_local and not self.local(port):
                found.kind = "dropped"
        elif self.mode == "nftables" and self._refused_on_localhost(probe):
            found.kind = "refused"
        return found

    def _refused_on_localhost(self, probe: Probe) -> bool:
        """KEP-6032: with the gate, node ports are refused on loopback, where nothing serves them.

        A proxy of kube-proxy's own does that for TCP, if loopback is among nodePortAddresses.
        """
        gates = self.config.feature_gates
        if not gates.get("KubeProxyNFTablesLocalhostNodePorts", gates.get("AllAlpha", False)):
            return False
        nets = [ip_network(net, strict=False) for net in self.node_port_nets()]
        served = any(net.network_address.is_loopback for net in nets)
        return ip_address(probe.destination).is_loopback and not (served and probe.protocol == "tcp")

    def _internal(self, port: Port, probe: Probe) -> Expected:
        chosen = self.local(port) if port.internal_local else self.cluster(port)
        if not chosen:
            return Expected("dropped" if self.usable(port) else "refused")
        pod = self.is_pod(probe)
        hidden = self.config.masquerade_all or pod is False
        return self._to(chosen, probe, hidden=hidden)

    def _external(self, port: Port, kind: str, probe: Probe) -> Expected:
        usable = self.usable(port)
        from_node = probe.origin == "node"
        let_in = kind != "balancer" or self.lets_in(port, probe)
        if not let_in and (usable or self.mode == "nftables"):
            return Expected("dropped", quirks=set() if usable else {"source-ranges-without-endpoints"})
        if not usable:
            reached = probe.destination in self.own
            if self.mode == "iptables" and from_node and not reached:
                return Expected("untouched", quirks={"external-address-from-the-node"})
            quirks = {"external-address-from-the-node"} if from_node and not reached else set()
            if kind == "balancer" and port.ranges and not let_in:
                quirks.add("source-ranges-without-endpoints")
            return Expected("refused", quirks=quirks)
        if not port.external_local:
            return self._to(self.cluster(port), probe, hidden=True)
        if self.is_pod(probe):
            return self._to(self.cluster(port), probe, hidden=False)
        if from_node:
            return self._to(self.cluster(port), probe, hidden=True)
        chosen = self.local(port)
        return self._to(chosen, probe, hidden=False) if chosen else Expected("dropped")

    def lets_in(self, port: Port, probe: Probe) -> bool:
        """loadBalancerSourceRanges; the node's own packets may have the address itself as their source."""
        if not port.ranges:
            return True
        nets = [ip_network(net) for net in port.ranges]
        if any(ip_address(probe.source) in net for net in nets):
            return True
        from_here = any(ip_address(self.node_ip) in net for net in nets)
        return from_here and probe.source in port.vips

    def _to(self, chosen: Sequence[Candidate], probe: Probe, *, hidden: bool) -> Expected:
        found = Expected("endpoints", frozenset(c.address for c in chosen))
        masqueraded = set(found.endpoints) if hidden else set()
        for candidate in chosen:
            if candidate.ip == probe.source:
                # A client that is sent to itself would throw its own packet away.
                if self.mode == "iptables" or self.is_known_here(candidate, probe.protocol):
                    masqueraded.add(candidate.address)
                if not candidate.here:
                    found.quirks.add("hairpin-of-an-endpoint-elsewhere")
        found.masqueraded = frozenset(masqueraded)
        return found


def _split(address: str) -> tuple[str, int]:
    ip, _, port = address.rpartition(":")
    return ip.strip("[]"), int(port)


def told(expected: Expected | None) -> Any:
    """For messages of failing tests."""
    if expected is None:
        return None
    return expected.kind, sorted(expected.endpoints), sorted(expected.masqueraded), sorted(expected.quirks)
