"""The rules of one service port: how its traffic gets to the port on which the proxy listens."""

from __future__ import annotations

import msgspec

from rulegen.plan import Machine, ServicePort
from rulegen.plan.addresses import parse

PORTALS_CONTAINER = "KUBE-PORTALS-CONTAINER"
PORTALS_HOST = "KUBE-PORTALS-HOST"
NODEPORT_CONTAINER = "KUBE-NODEPORT-CONTAINER"
NODEPORT_HOST = "KUBE-NODEPORT-HOST"
NODEPORT_NON_LOCAL = "KUBE-NODEPORT-NON-LOCAL"


class Rule(msgspec.Struct, frozen=True):
    """A rule without its ``-A CHAIN``, and what it does in a few words."""

    table: str
    chain: str
    text: str
    note: str


class Listener(msgspec.Struct, frozen=True):
    """Where the proxy listens: ``address`` is None for all addresses. ``host`` is the node's own address."""

    address: str | None
    host: str


class Fragment(msgspec.Struct, frozen=True):
    """All rules of one service port, in the order in which kube-proxy makes them."""

    port: ServicePort
    proxy_port: int
    rules: tuple[Rule, ...]


def listener(machine: Machine) -> Listener:
    """Where the proxy of a node listens. Raises ValueError for loopback, as kube-proxy refused it."""
    bind = parse(machine.config.bind_address)
    if bind is None or bind.is_unspecified:
        return Listener(None, str(machine.node_ip))
    if str(bind) in ("127.0.0.1", "::1"):
        raise ValueError(f"bindAddress {bind}: the userspace proxy cannot proxy on localhost")
    return Listener(str(bind), str(bind))


def fragment(port: ServicePort, proxy_port: int, where: Listener, *, node_port: bool) -> Fragment:
    """The rules of a service port (``openPortal``, pkg/proxy/userspace/proxier.go, Kubernetes 1.25).

    ``node_port`` is false where another service port has claimed its node port first.
    """
    host = f"-j DNAT --to-destination {_joined(where.host, proxy_port)}"
    # From outside, the packet goes to the address of the device it came in on, so that the answer leaves
    # there, too. That does not work for local packets, which are sent to an address of the node.
    outside = f"-j REDIRECT --to-ports {proxy_port}" if where.address is None else host
    rules: list[Rule] = []

    def add(chain: str, match: str, action: str, note: str, table: str = "nat") -> None:
        rules.append(Rule(table, chain, f"{match} {action}", f"{note}: to the proxy, port {proxy_port}"))

    def portal(address: str, what: str) -> None:
        match, label = _match(port, port.port, address), f"{what} {_joined(address, port.port)}"
        add(PORTALS_CONTAINER, match, outside, f"{label}, from pods and outside")
        add(PORTALS_HOST, match, host, f"{label}, from this node")

    portal(port.cluster_ip, "cluster IP")
    for address in port.external_ips:
        match, label = _match(port, port.port, address), f"external IP {_joined(address, port.port)}"
        local = f"{match} -m addrtype --dst-type LOCAL"
        add(
            PORTALS_CONTAINER, f"{match} -m physdev ! --physdev-is-in", outside, f"{label}, not from a bridge"
        )
        add(PORTALS_CONTAINER, local, outside, f"{label}, an address of this node, from pods and outside")
        add(PORTALS_HOST, local, host, f"{label}, an address of this node, from this node")
    for address in port.load_balancer_vips:
        portal(address, "load balancer")
    if port.node_port and node_port:
        match, label = _match(port, port.node_port), f"node port {port.node_port}"
        add(NODEPORT_CONTAINER, match, outside, f"{label}, from pods and outside")
        add(NODEPORT_HOST, match, host, f"{label}, from this node")
        rules.append(
            Rule(
                "filter",
                NODEPORT_NON_LOCAL,
                f"{_match(port, proxy_port)} -m state --state NEW -j ACCEPT",
                f"{label}: let new connections reach the proxy",
            )
        )
    return Fragment(port, proxy_port, tuple(dict.fromkeys(rules)))


def _match(port: ServicePort, number: int, address: str = "") -> str:
    protocol = port.protocol.lower()
    match = f"-m comment --comment {port.name} -p {protocol} -m {protocol} --dport {number}"
    return f"{match} -d {address}" if address else match


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
