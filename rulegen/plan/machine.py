"""What the node and kube-proxy's configuration mean for the rules of one family.

This is what kube-proxy's server works out before a proxier is made (cmd/kube-proxy/app, 1.37).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import msgspec

from rulegen.model import Family, Node, ProxyConfig
from rulegen.plan.addresses import Address, Network, canonical, contains, networks_of, parse

ZONE_LABEL = "topology.kubernetes.io/zone"
_DEVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@=+~-]{0,14}")
_LOOPBACK_START = IPv4Address("127.0.0.0")
_LOOPBACK: dict[Family, Address] = {"IPv4": IPv4Address("127.0.0.1"), "IPv6": IPv6Address("::1")}
ANYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


class Detector(msgspec.Struct, frozen=True):
    """How traffic from this node's (or the cluster's) pods is told from other traffic.

    ``kind`` is ``cidr``, ``interface`` or ``prefix``; ``value`` the CIDR, the device, or its name's prefix.
    """

    kind: str
    value: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one node that the rules of one family depend on.

    ``node_ip`` is the node's address of the family (loopback where none is known). ``primary`` is the family
    of the node's first address. ``node_port_networks`` restrict node ports; ``node_port_all`` says that they
    do not. ``interfaces`` are the node's devices with their addresses of the family, ``interface_ips`` these
    addresses without their devices, ``node_port_ips`` those for node ports, all in the order given.
    ``localhost_node_ports`` is already false where it cannot work. ``masquerade_mark`` is the bit as a
    number.
    """

    family: Family
    node_name: str
    zone: str
    node_ip: Address
    primary: Family
    detector: Detector | None
    node_port_all: bool
    node_port_networks: tuple[Network, ...]
    node_port_ips: tuple[str, ...]
    interfaces: Mapping[str, tuple[str, ...]]
    interface_ips: tuple[str, ...]
    localhost_node_ports: bool
    masquerade_all: bool
    masquerade_mark: int
    conntrack_liberal: bool
    nfacct: bool
    config: ProxyConfig


def machine(node: Node, config: ProxyConfig, family: Family) -> Machine:
    """Work out the facts for one family."""
    primary, node_ips = detect_node_ips(node, config)
    cidrs = expand_keywords(config, node_ips)
    networks = networks_of(cidrs, family) or networks_of([ANYWHERE[family]], family)
    match_all = any(net.prefixlen == 0 for net in networks)
    interfaces = _interfaces(node, family)
    interface_ips = tuple(dict.fromkeys(ip for ips in interfaces.values() for ip in ips))
    addresses = [(ip, parse(ip)) for ip in interface_ips]
    node_port_ips = tuple(
        ip
        for ip, address in addresses
        if address is not None and any(contains(net, address) for net in networks)
    )
    loopback_included = family == "IPv4" and any(
        net.network_address.is_loopback or contains(net, _LOOPBACK_START) for net in networks
    )
    return Machine(
        family=family,
        node_name=node.name,
        zone=node.labels.get(ZONE_LABEL, ""),
        node_ip=node_ips[family],
        primary=primary,
        detector=_detector(node, config, family),
        node_port_all=match_all,
        node_port_networks=tuple(networks),
        node_port_ips=node_port_ips,
        interfaces=interfaces,
        interface_ips=interface_ips,
        localhost_node_ports=config.localhost_node_ports and loopback_included,
        masquerade_all=config.masquerade_all,
        masquerade_mark=1 << (14 if config.masquerade_bit is None else config.masquerade_bit),
        conntrack_liberal=node.conntrack_tcp_be_liberal,
        nfacct=node.nfacct,
        config=config,
    )


def detect_node_ips(node: Node, config: ProxyConfig) -> tuple[Family, dict[Family, Address]]:
    """The primary family and the node's address of each family.

    A bind address that is not the unspecified one wins, then the Node's addresses, then loopback.
    """
    primary: Family = "IPv4"
    found: dict[Family, Address] = {}
    for index, text in enumerate(node.ips):
        address = parse(text)
        if address is None:
            continue
        family: Family = "IPv4" if address.version == 4 else "IPv6"
        if index == 0:
            primary = family
        found.setdefault(family, address)
    bind = parse(config.bind_address) if config.bind_address else None
    if bind is not None and not bind.is_unspecified:
        primary = "IPv4" if bind.version == 4 else "IPv6"
        found[primary] = bind
    return primary, _LOOPBACK | found


def expand_keywords(config: ProxyConfig, node_ips: dict[Family, Address]) -> list[str]:
    """nodePortAddresses, keywords replaced (``primary`` is the default of the nftables mode, KEP-3866)."""
    given = config.node_port_addresses
    if config.mode == "nftables" and not given:
        given = ("primary",)
    cidrs: list[str] = []
    for text in given:
        if text == "primary":
            ips = (node_ips["IPv4"], node_ips["IPv6"])
            cidrs += [f"{ip}/{ip.max_prefixlen}" for ip in ips if not ip.is_loopback]
        elif text == "localhost":
            cidrs += ["127.0.0.0/8", "::1/128"]
        elif text == "all":
            cidrs += ["0.0.0.0/0", "::/0"]
        else:
            cidrs.append(text)
    return cidrs


def _detector(node: Node, config: ProxyConfig, family: Family) -> Detector | None:
    match config.detect_local_mode:
        case "ClusterCIDR" | "":
            nets = networks_of(config.cluster_cidrs, family)
            return Detector("cidr", str(nets[0])) if nets else None
        case "NodeCIDR":
            nets = networks_of(node.pod_cidrs, family)
            return Detector("cidr", str(nets[0])) if nets else None
        case "BridgeInterface":
            return Detector("interface", _device(config.bridge_interface))
        case "InterfaceNamePrefix":
            return Detector("prefix", _device(config.interface_name_prefix))
    return None


def _device(name: str) -> str:
    """A name that the kernel takes for a device, of letters that no rule could take for anything else."""
    if not _DEVICE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a network device")
    return name


def _interfaces(node: Node, family: Family) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for device, addresses in node.interfaces.items():
        plain = (canonical(text.partition("/")[0]) for text in addresses)
        found[device] = tuple(ip for ip in plain if ip is not None and (":" in ip) == (family == "IPv6"))
    return found
