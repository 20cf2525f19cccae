"""The machine that rules are for, and kube-proxy's configuration on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Family: TypeAlias = Literal["IPv4", "IPv6"]
Mode: TypeAlias = str
"""``iptables``, ``ipvs``, ``nftables``: the name of the room that compiles it (``rulegen.backend.modes``)."""

FAMILIES: tuple[Family, Family] = ("IPv4", "IPv6")


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one node.

    ``ips`` are its InternalIPs as text, at most one a family counts. ``interfaces`` maps a device to its
    addresses with prefix length (``192.168.10.11/24``), as the machine has them. ``conntrack_tcp_be_liberal``
    is the sysctl ``net.netfilter.nf_conntrack_tcp_be_liberal``; ``nfacct`` says whether nfacct counters can
    be created (kernel module nfnetlink_acct).
    """

    name: str = ""
    labels: Mapping[str, str] = {}
    ips: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    interfaces: Mapping[str, tuple[str, ...]] = {}
    conntrack_tcp_be_liberal: bool = False
    nfacct: bool = False


class ProxyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What kube-proxy is told, with the defaults of its KubeProxyConfiguration (v1alpha1) applied.

    ``masquerade_all`` is that of the mode in force. Durations are in seconds; ``node_port_addresses`` may
    hold the keywords ``primary``, ``localhost`` and ``all`` (Kubernetes 1.37, KEP-4964) beside CIDRs.
    """

    mode: Mode = "iptables"
    bind_address: str = "0.0.0.0"
    detect_local_mode: str = "ClusterCIDR"
    cluster_cidrs: tuple[str, ...] = ()
    bridge_interface: str = ""
    interface_name_prefix: str = ""
    masquerade_all: bool = False
    masquerade_bit: int | None = 14
    localhost_node_ports: bool = True
    node_port_addresses: tuple[str, ...] = ()
    feature_gates: Mapping[str, bool] = {}
    ipvs_scheduler: str = ""
    ipvs_exclude_cidrs: tuple[str, ...] = ()
    ipvs_strict_arp: bool = False
    ipvs_tcp_timeout: float = 0.0
    ipvs_tcp_fin_timeout: float = 0.0
    ipvs_udp_timeout: float = 0.0
