"""What one service port adds: virtual servers, entries of sets, addresses, and rules.

A fragment depends on nothing but its own service port, endpoints, and the settings of the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from rulegen.ipvs.base import PERSISTENT, Settings
from rulegen.ipvs.sets import (
    CLUSTER_IP,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK,
    LOAD_BALANCER,
    LOAD_BALANCER_FW,
    LOAD_BALANCER_LOCAL,
    LOOP_BACK,
    NODE_PORT,
    NODE_PORT_LOCAL,
    SOURCE_CIDR,
    SOURCE_IP,
)
from rulegen.plan import PlannedPort, ServicePort
from rulegen.plan.addresses import Address, contains, join_host_port, network

ServerKey: TypeAlias = tuple[str, str]
"""Protocol and ``ip:port``: IPVS has at most one virtual server for each."""


class VirtualServer(msgspec.Struct, frozen=True, gc=False):
    """A virtual server, with all but the scheduler, which is the same for all.

    ``protocol`` is ``TCP``, ``UDP`` or ``SCTP``; ``address`` and ``servers`` (the real servers, in the order
    of their text) are ``ip:port``; ``flags`` those of IPVS; ``timeout`` the seconds that a client stays with
    its real server, 0 without session affinity; ``use`` says which address of the Service it is.
    """

    protocol: str
    address: str
    flags: int
    timeout: int
    servers: Sequence[str]
    use: str

    @property
    def key(self) -> ServerKey:
        return (self.protocol, self.address)


class Fragment(msgspec.Struct, frozen=True):
    """``entries`` are (set, entry), ``addresses`` those bound to the dummy device, ``drops`` whole rules."""

    servers: tuple[VirtualServer, ...] = ()
    entries: tuple[tuple[str, str], ...] = ()
    addresses: tuple[str, ...] = ()
    drops: str = ""


def fragment(planned: PlannedPort, settings: Settings, node_ip: Address) -> Fragment:
    """The part of one service port (pkg/proxy/ipvs/proxier.go, ``syncProxyRules``, 1.37)."""
    port, choice = planned.port, planned.choice
    protocol, end = port.protocol.lower(), f":{port.port}"
    cluster = [c.address for c in choice.cluster]
    # Without an endpoint here, what is meant for local ones goes to all (kubernetes pull request 97081).
    local = [c.address for c in choice.local] or cluster
    internal = local if port.internal_local else cluster
    external = local if port.external_local else cluster
    flags = settings.flags | (PERSISTENT if port.affinity_seconds else 0)

    def server(ip: str, number: int, reals: Sequence[str], use: str) -> VirtualServer:
        address = join_host_port(ip, number)
        return VirtualServer(port.protocol, address, flags, port.affinity_seconds, reals, use)

    # A pod that reaches itself through its Service: whether the endpoint is in use does not matter.
    entries: list[tuple[str, str]] = [
        (LOOP_BACK, f"{c.ip},{protocol}:{c.address.rpartition(':')[2]},{c.ip}")
        for c in planned.found
        if c.local
    ]
    entries.append((CLUSTER_IP, f"{port.cluster_ip},{protocol}{end}"))
    servers = [server(port.cluster_ip, port.port, internal, "cluster IP")]
    bound = [port.cluster_ip]
    drops: list[str] = []

    for ip in port.external_ips:
        entries.append((EXTERNAL_IP_LOCAL if port.external_local else EXTERNAL_IP, f"{ip},{protocol}{end}"))
        servers.append(server(ip, port.port, external, "external IP"))
    for ip in port.load_balancer_vips:
        entries += _balancer_entries(port, f"{ip},{protocol}{end}")
        if port.source_ranges and _any_contains(port.source_ranges, node_ip):
            # The node's own packets to the address have the address itself as their source.
            entries.append((SOURCE_IP, f"{ip},{protocol}{end},{ip}"))
        elif port.source_ranges:
            drops.append(
                f"-A KUBE-IPVS-OUT-FILTER -s {ip} -m ipvs --vaddr {ip} --vproto {protocol}"
                f" --vport {port.port} -j DROP\n"
            )
        servers.append(server(ip, port.port, external, "load balancer IP"))
    bound += [ip for ip in (*port.external_ips, *port.load_balancer_vips) if ip not in settings.node_ips]

    node_ips = settings.node_port_ips
    if port.node_port:
        entries += _node_port_entries(port, node_ips)
        servers += [server(ip, port.node_port, external, "node port") for ip in node_ips]
    # Where node ports are wanted and the node has no address for them, kube-proxy is done with the Service.
    if port.health_check_node_port and (node_ips or not port.node_port):
        entries.append((HEALTH_CHECK, str(port.health_check_node_port)))
    return Fragment(tuple(servers), tuple(entries), tuple(bound), "".join(drops))


def _balancer_entries(port: ServicePort, entry: str) -> Iterator[tuple[str, str]]:
    """Entries for an address of a load balancer; ``entry`` is that address with protocol and port."""
    yield LOAD_BALANCER, entry
    if port.external_local:
        yield LOAD_BALANCER_LOCAL, entry
    if port.source_ranges:
        yield LOAD_BALANCER_FW, entry
        for cidr in port.source_ranges:
            yield SOURCE_CIDR, f"{entry},{cidr}"


def _node_port_entries(port: ServicePort, node_ips: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Entries for a node port: of SCTP one for each address, as there is no bitmap of SCTP ports."""
    if port.protocol == "SCTP":
        entries = [f"{ip},sctp:{port.node_port}" for ip in node_ips]
    else:
        entries = [str(port.node_port)] if node_ips else []
    for entry in entries:
        yield NODE_PORT[port.protocol], entry
        if port.external_local:
            yield NODE_PORT_LOCAL[port.protocol], entry


def _any_contains(cidrs: Iterable[str], address: Address) -> bool:
    networks = (network(cidr) for cidr in cidrs)
    return any(net is not None and contains(net, address) for net in networks)
