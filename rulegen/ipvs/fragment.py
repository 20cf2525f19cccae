"""What one service port adds: virtual servers, entries of sets, addresses, and rules.

A fragment depends on nothing but its own service port, endpoints, and the settings of the node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from rulegen.plan import Candidate, PlannedPort
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
    protocol = port.protocol.lower()

    # A pod that reaches itself through its Service: whether the endpoint is in use does not matter.
    entries: list[tuple[str, str]] = [
        (LOOP_BACK, f"{c.ip},{protocol}:{c.address.rpartition(':')[2]},{c.ip}")
        for c in planned.found
        if c.local
    ]

    flags = settings.flags | (PERSISTENT if port.affinity_seconds else 0)
    cluster = _addresses(choice.cluster)
    # Without an endpoint here, what is meant for local ones goes to all (kubernetes pull request 97081).
    local = _addresses(choice.local) or cluster
    internal = local if port.internal_local else cluster
    external = local if port.external_local else cluster

    servers: list[VirtualServer] = []
    bound: list[str] = []
    drops: list[str] = []
    end = f":{port.port}"

    def serve(ip: str, number: int, reals: Sequence[str], use: str) -> None:
        address = join_host_port(ip, number)
        servers.append(VirtualServer(port.protocol, address, flags, port.affinity_seconds, reals, use))

    entries.append((CLUSTER_IP, f"{port.cluster_ip},{protocol}{end}"))
    serve(port.cluster_ip, port.port, internal, "cluster IP")
    bound.append(port.cluster_ip)

    for ip in port.external_ips:
        entries.append((EXTERNAL_IP_LOCAL if port.external_local else EXTERNAL_IP, f"{ip},{protocol}{end}"))
        serve(ip, port.port, external, "external IP")
        if ip not in settings.node_ips:
            bound.append(ip)

    for ip in port.load_balancer_vips:
        entry = f"{ip},{protocol}{end}"
        entries.append((LOAD_BALANCER, entry))
        if port.external_local:
            entries.append((LOAD_BALANCER_LOCAL, entry))
        if port.source_ranges:
            entries.append((LOAD_BALANCER_FW, entry))
            entries += [(SOURCE_CIDR, f"{entry},{cidr}") for cidr in port.source_ranges]
            if any_contains(port.source_ranges, node_ip):
                # The node's own packets to the address have the address itself as their source.
                entries.append((SOURCE_IP, f"{entry},{ip}"))
            else:
                drops.append(
                    f"-A KUBE-IPVS-OUT-FILTER -s {ip} -m ipvs --vaddr {ip} --vproto {protocol}"
                    f" --vport {port.port} -j DROP\n"
                )
        serve(ip, port.port, external, "load balancer IP")
        if ip not in settings.node_ips:
            bound.append(ip)

    node_ips = settings.node_port_ips
    if port.node_port:
        if protocol == "sctp":
            node_entries = [f"{ip},sctp:{port.node_port}" for ip in node_ips]
        else:
            node_entries = [str(port.node_port)] if node_ips else []
        entries += [(NODE_PORT[port.protocol], entry) for entry in node_entries]
        if port.external_local:
            entries += [(NODE_PORT_LOCAL[port.protocol], entry) for entry in node_entries]
        for ip in node_ips:
            serve(ip, port.node_port, external, "node port")

    # Where node ports are wanted and the node has no address for them, kube-proxy is done with the Service.
    if port.health_check_node_port and (node_ips or not port.node_port):
        entries.append((HEALTH_CHECK, str(port.health_check_node_port)))
    return Fragment(tuple(servers), tuple(entries), tuple(bound), "".join(drops))


def _addresses(chosen: Sequence[Candidate]) -> list[str]:
    return [c.address for c in chosen]


def any_contains(cidrs: Iterable[str], address: Address) -> bool:
    networks = (network(cidr) for cidr in cidrs)
    return any(net is not None and contains(net, address) for net in networks)
