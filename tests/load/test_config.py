"""kube-proxy's configuration: what it says, what it leaves to defaults, which mode is in force."""

from __future__ import annotations

import io
import re

import pytest

from rulegen.load import LoadError, load, load_configuration, proxy_config
from rulegen.model import ProxyConfig

HEAD = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"


def test_nothing_said_is_iptables_with_its_defaults() -> None:
    assert proxy_config(None) == ProxyConfig()
    assert proxy_config({}, "nftables") == ProxyConfig(mode="nftables", node_port_addresses=("primary",))


def test_a_whole_configuration_is_taken_over() -> None:
    text = (
        HEAD
        + """\
mode: ipvs
bindAddress: 192.168.10.11
detectLocalMode: InterfaceNamePrefix
detectLocal: {interfaceNamePrefix: veth, bridgeInterface: cbr0}
clusterCIDR: 10.180.0.0/16,fd00:10:180::/64
nodePortAddresses: [primary, 10.0.0.0/8]
iptables: {masqueradeAll: true, masqueradeBit: 7, localhostNodePorts: false}
nftables: {masqueradeBit: 3}
ipvs: {scheduler: lc, strictARP: true, excludeCIDRs: [203.0.113.0/24], tcpTimeout: 15m, udpTimeout: 1m30s}
featureGates: {AllowServiceExternalIPs: false}
"""
    )
    configuration = load_configuration(io.StringIO(text)).cluster.proxy_configuration
    expected = ProxyConfig(
        mode="ipvs",
        bind_address="192.168.10.11",
        detect_local_mode="InterfaceNamePrefix",
        cluster_cidrs=("10.180.0.0/16", "fd00:10:180::/64"),
        bridge_interface="cbr0",
        interface_name_prefix="veth",
        masquerade_all=True,
        masquerade_bit=7,
        localhost_node_ports=False,
        node_port_addresses=("primary", "10.0.0.0/8"),
        feature_gates={"AllowServiceExternalIPs": False},
        ipvs_scheduler="lc",
        ipvs_exclude_cidrs=("203.0.113.0/24",),
        ipvs_strict_arp=True,
        ipvs_tcp_timeout=900.0,
        ipvs_udp_timeout=90.0,
    )
    assert proxy_config(configuration) == expected


def test_the_mode_of_the_command_line_wins_and_brings_its_own_settings() -> None:
    configuration = {"mode": "ipvs", "iptables": {"masqueradeAll": True}, "nftables": {"masqueradeBit": 3}}
    config = proxy_config(configuration, "nftables")
    assert (config.mode, config.masquerade_all, config.masquerade_bit) == ("nftables", False, 3)


def test_what_kube_proxy_checks_for_its_own_mode_only_is_checked_for_the_chosen_one() -> None:
    configuration = {"mode": "iptables", "nftables": {"masqueradeBit": 99}}
    assert proxy_config(configuration).masquerade_bit == 14
    message = "nftables.masqueradeBit: Invalid value: 99: must be within the range [0, 31]"
    with pytest.raises(ValueError, match=re.escape(message)):
        proxy_config(configuration, "nftables")


def test_a_mode_that_is_none_is_refused_with_what_there_is() -> None:
    message = 'mode "kernelspace": must be one of iptables, ipvs, nftables, userspace'
    with pytest.raises(ValueError, match=re.escape(message)):
        proxy_config({"mode": "kernelspace"})


def test_the_config_map_of_kubeadm_is_understood_as_kubectl_prints_it() -> None:
    inner = HEAD + "clusterCIDR: 10.180.0.0/16\nmode: nftables\n"
    listing = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "kube-proxy", "namespace": "kube-system"},
                "data": {"config.conf": inner, "kubeconfig.conf": "apiVersion: v1\nkind: Config\n"},
            },
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"a": "b"}},
        ],
    }
    loaded = load(listing)
    assert loaded.passed_over == {"ConfigMap": 1}
    assert proxy_config(loaded.cluster.proxy_configuration).cluster_cidrs == ("10.180.0.0/16",)


def test_a_fault_inside_of_a_folded_text_is_told_at_its_key() -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-proxy}
data:
  config.conf: "apiVersion: kubeproxy.config.k8s.io/v1alpha1\\nkind: KubeProxyConfiguration\\n\\
    mode: fast\\n"
"""
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(text))
    assert str(failure.value).startswith("<stream 1>:5: KubeProxyConfiguration.Mode.ProxyMode: Invalid value")


def test_a_file_without_a_configuration_is_no_configuration() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    with pytest.raises(LoadError) as failure:
        load_configuration(io.StringIO(text))
    message = "<stream 1>: holds no KubeProxyConfiguration, neither bare nor in a ConfigMap"
    assert str(failure.value) == message


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("nftables:\n  masqueradeBit: 32\nmode: nftables\n", 4),
        ("conntrack:\n  maxPerCore: 1\n  min: -1\n", 5),
        ("detectLocalMode: InterfaceNamePrefix\ndetectLocal:\n  interfaceNamePrefix: a b\n", 5),
        ("mode: ipvs\nipvs:\n  scheduler: rr\n  excludeCIDRs:\n  - 10.0.0.0/8\n  - x\n", 8),
        ("bindAddress: here\n", 3),
        ("oomScoreAdj: 2000\n", 3),
    ],
)
def test_a_field_that_kube_proxy_names_after_its_go_type_is_found(part: str, line: int) -> None:
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(HEAD + part))
    assert failure.value.problems[0].line == line
