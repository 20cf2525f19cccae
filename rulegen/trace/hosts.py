"""A node's own network, from what is known of it: its facts, or listings of ``ip`` and ``sysctl``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from rulegen.model import Family, Node, ProxyConfig
from rulegen.trace.host import LOOPBACK, Host, Route, route
from rulegen.trace.packet import number

DUMMY = "kube-ipvs0"
PODS = "pods"
"""What the device of a node's pods is called where nothing tells its name."""

ASSUMED: dict[Family, str] = {"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}
"""What a node is taken to have of which no address is known: one for documentation (RFC 5737, RFC 3849)."""

ANYWHERE: dict[Family, str] = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


def pod_device(node: Node, config: ProxyConfig) -> str:
    """The device that this node's pods are behind.

    That is the bridge that kube-proxy tells pods by, one with the prefix it tells them by, one with an
    address in the node's pod CIDRs, or ``pods``.
    """
    if config.detect_local_mode == "BridgeInterface" and config.bridge_interface:
        return config.bridge_interface
    prefix = config.interface_name_prefix
    if config.detect_local_mode == "InterfaceNamePrefix" and prefix:
        return next((name for name in node.interfaces if name.startswith(prefix)), f"{prefix}0")
    nets = [ip_network(net, strict=False) for net in node.pod_cidrs]
    for name, addresses in node.interfaces.items():
        for text in addresses:
            if any(ip_address(text.partition("/")[0]) in net for net in nets):
                return name
    return PODS


def of_node(
    node: Node,
    config: ProxyConfig,
    family: Family,
    *,
    pods: Iterable[str] = (),
    bound: Sequence[str] = (),
) -> Host:
    """A host from the facts about a node: its pod CIDRs and ``pods`` behind one device, the rest outside.

    ``bound`` are the addresses that the ipvs mode binds to kube-ipvs0. Where no device is known, the
    node has its IPs on eth0; where no address is known at all, one is assumed, and the host's note tells it.
    """
    six = family == "IPv6"
    interfaces: dict[str, Sequence[str]] = dict(node.interfaces)
    note = ""
    if not any(held for name, held in interfaces.items() if name != LOOPBACK):
        own = node.ips or ASSUMED.values()
        interfaces["eth0"] = [f"{ip}/{128 if ':' in ip else 32}" for ip in own]
        if not node.ips:
            note = f"Nothing says what addresses this node has: {ASSUMED[family]} on eth0 is assumed."
        node = msgspec.structs.replace(node, interfaces=interfaces)
    if bound:
        interfaces[DUMMY] = [f"{ip}/{128 if six else 32}" for ip in bound]
    device = pod_device(node, config)
    if config.mode == "userspace" and device not in interfaces:
        # REDIRECT needs an address of the device that packets come in by: bridges have the first one.
        interfaces[device] = [_first_of(net) for net in node.pod_cidrs if (":" in net) == six]
    routes = [route(net, device) for net in node.pod_cidrs if (":" in net) == six]
    bits = 128 if six else 32
    # What a route to all pods leads to needs none of its own.
    routes += [
        Route(address, bits, device)
        for address in [number(ip) for ip in pods if (":" in ip) == six]
        if not any(way.holds(address, bits) for way in routes)
    ]
    way_out = _way_out(node, family)
    if way_out:
        routes.append(route(ANYWHERE[family], way_out))
    # kube-proxy sets it for node ports on 127.0.0.1, which only its iptables mode has.
    localnet = config.mode == "iptables" and config.localhost_node_ports
    host = Host(family, interfaces, routes, route_localnet=localnet)
    host.note = note
    return host


def _first_of(cidr: str) -> str:
    net = ip_network(cidr, strict=False)
    return f"{net.network_address + 1}/{net.prefixlen}"


def _way_out(node: Node, family: Family) -> str:
    """The device with the node's address, or else any with an address."""
    six = family == "IPv6"
    for ip in node.ips:
        for name, addresses in node.interfaces.items():
            if (":" in ip) == six and any(
                ip_address(a.partition("/")[0]) == ip_address(ip) for a in addresses
            ):
                return name
    for name, addresses in node.interfaces.items():
        if name not in (LOOPBACK, DUMMY) and any((":" in a) == six for a in addresses):
            return name
    return ""


def of_listings(listings: Mapping[str, str], family: Family, otherwise: Host | None = None) -> Host | None:
    """A host from ``ip -j addr``, ``ip -j route`` (``ip -j -6 route``) and ``sysctl``.

    What is not listed is as in ``otherwise``; None where neither says what addresses the node has. Raises
    ValueError for listings that cannot be read.
    """
    text = listings.get("ip -j addr")
    if text is None:
        return otherwise
    links = _json("ip -j addr", text)
    interfaces = {link["ifname"]: _addresses(link, family) for link in links if "ifname" in link}
    ways = listings.get("ip -j route" if family == "IPv4" else "ip -j -6 route")
    if ways is not None:
        routes: Iterable[Route] = [
            found for item in _json("ip route", ways) for found in _routes(item, family)
        ]
    elif otherwise is not None:
        routes = otherwise.routes
    else:
        first = next(
            (name for name, held in interfaces.items() if held and name not in (LOOPBACK, DUMMY)), ""
        )
        routes = [route(ANYWHERE[family], first)] if first else []
    settings = listings.get("sysctl", "")
    localnet = _setting(settings, "net.ipv4.conf.all.route_localnet")
    if localnet is None:
        localnet = otherwise is not None and otherwise.route_localnet
    bridged = _setting(settings, "net.bridge.bridge-nf-call-iptables")
    bridges = {link["master"] for link in links if "master" in link} if bridged else ()
    return Host(family, interfaces, routes, route_localnet=localnet, bridges=bridges)


def _json(name: str, text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError as fault:
        raise ValueError(f"{name}: no JSON ({fault})") from None
    if not isinstance(found, list):
        raise ValueError(f"{name}: not a list")
    return [item for item in found if isinstance(item, dict)]


def _addresses(link: Mapping[str, Any], family: Family) -> list[str]:
    kind = "inet" if family == "IPv4" else "inet6"
    found = [
        f"{info['local']}/{info['prefixlen']}"
        for info in link.get("addr_info", ())
        if info.get("family") == kind and "local" in info
    ]
    # The kernel lists IPv6 addresses with the newest first; a Host is told them as they were added.
    return found[::-1] if family == "IPv6" else found


def _routes(item: Mapping[str, Any], family: Family) -> list[Route]:
    destination = item.get("dst", "default")
    net = ANYWHERE[family] if destination == "default" else destination
    hops = item.get("nexthops") or [item]
    kind = item.get("type", "unicast")
    if kind in ("local", "broadcast", "multicast", "anycast"):
        return []
    hop = hops[0]
    return [
        route(
            net,
            str(hop.get("dev", "")),
            _gateway(hop, family),
            item.get("prefsrc", ""),
            kind=kind,
            metric=item.get("metric", 0),
        )
    ]


def _gateway(hop: Mapping[str, Any], family: Family) -> str:
    via = hop.get("gateway") or (hop.get("via") or {}).get("host", "")
    return str(via) if (":" in via) == (family == "IPv6") else ""


def _setting(text: str, name: str) -> bool | None:
    match = re.search(rf"(?m)^{re.escape(name)}\s*=\s*(\d+)", text)
    return None if match is None else match[1] != "0"
