"""From a KubeProxyConfiguration (``kubeproxy.config.k8s.io/v1alpha1``) to what the rules depend on.

The defaults are those of kube-proxy 1.37 on Linux: the API defaults of v1alpha1, what its conversion to the
internal form picks by mode, and what the server fills in before it builds a proxier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.backend import modes
from rulegen.load.duration import seconds
from rulegen.model import ProxyConfig

_WRITTEN = (
    ("KubeProxyConfiguration.", ""),
    ("KubeProxyLinuxConfiguration.", ""),
    ("KubeProxyIPTablesConfiguration", "iptables"),
    ("KubeProxyIPVSConfiguration", "ipvs"),
    ("KubeProxyNFTablesConfiguration", "nftables"),
    ("KubeProxyConntrackConfiguration", "conntrack"),
    ("DetectLocalConfiguration.InterfaceName", "detectLocal.bridgeInterface"),
    ("DetectLocalConfiguration.InterfacePrefix", "detectLocal.interfaceNamePrefix"),
    ("DetectLocalConfiguration.ClusterCIDRs", "clusterCIDR"),
    ("Mode.ProxyMode", "mode"),
)


def written_path(field: str) -> str:
    """Where a user finds a field that kube-proxy names after its Go types; other fields are as they are."""
    if field.startswith("KubeProxyConfiguration"):
        for go_name, name in _WRITTEN:
            field = field.replace(go_name, name, 1)
    return field


def proxy_config(configuration: Mapping[str, Any] | None, mode: str | None = None) -> ProxyConfig:
    """What kube-proxy is told by a valid ``configuration`` (plain data as written; None: nothing).

    ``mode`` wins over the configuration's own, which wins over kube-proxy's default, iptables.
    ``masquerade_all`` and ``masquerade_bit`` are those of the mode in force (ipvs shares those of iptables);
    in nftables mode an empty ``nodePortAddresses`` is ``primary``, as kube-proxy 1.31 and later have it.

    Raises ValueError for a mode that rules cannot be made for, for a malformed duration, and for a
    ``masqueradeBit`` out of range, which kube-proxy checks for the configuration's own mode only.
    """
    given: Mapping[str, Any] = configuration or {}
    chosen = mode or given.get("mode") or "iptables"
    if chosen not in modes():
        raise ValueError(f'mode "{chosen}": must be one of {", ".join(modes())}')
    iptables = given.get("iptables") or {}
    ipvs = given.get("ipvs") or {}
    nftables = given.get("nftables") or {}
    of_mode = nftables if chosen == "nftables" else iptables
    detect = given.get("detectLocal") or {}
    masquerade_bit = of_mode.get("masqueradeBit")
    if masquerade_bit is not None and not 0 <= masquerade_bit <= 31:
        part = "nftables" if chosen == "nftables" else "iptables"
        detail = f"Invalid value: {masquerade_bit}: must be within the range [0, 31]"
        raise ValueError(f"{part}.masqueradeBit: {detail}")
    localhost = iptables.get("localhostNodePorts")
    addresses = tuple(given.get("nodePortAddresses") or ())
    if chosen == "nftables" and not addresses:
        addresses = ("primary",)
    cluster_cidr = given.get("clusterCIDR") or ""
    return ProxyConfig(
        mode=chosen,
        bind_address=given.get("bindAddress") or "0.0.0.0",
        detect_local_mode=given.get("detectLocalMode") or "ClusterCIDR",
        cluster_cidrs=tuple(cluster_cidr.split(",")) if cluster_cidr else (),
        bridge_interface=detect.get("bridgeInterface") or "",
        interface_name_prefix=detect.get("interfaceNamePrefix") or "",
        masquerade_all=bool(of_mode.get("masqueradeAll")),
        masquerade_bit=14 if masquerade_bit is None else masquerade_bit,
        localhost_node_ports=True if localhost is None else localhost,
        node_port_addresses=addresses,
        feature_gates=dict(given.get("featureGates") or {}),
        ipvs_scheduler=ipvs.get("scheduler") or "",
        ipvs_exclude_cidrs=tuple(ipvs.get("excludeCIDRs") or ()),
        ipvs_strict_arp=bool(ipvs.get("strictARP")),
        ipvs_tcp_timeout=seconds(ipvs.get("tcpTimeout") or "0"),
        ipvs_tcp_fin_timeout=seconds(ipvs.get("tcpFinTimeout") or "0"),
        ipvs_udp_timeout=seconds(ipvs.get("udpTimeout") or "0"),
    )
