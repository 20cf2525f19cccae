"""What kube-proxy runs with, and which configurations it does not start with."""

from __future__ import annotations

from typing import Any

import pytest

from rulegen.load.api.proxy import go_duration
from tests.load.api.objects import configuration, faults, remarks, taken

ROOT = "KubeProxyConfiguration"


def test_an_empty_configuration_gets_the_defaults_of_the_release() -> None:
    config = taken(configuration())
    assert config["bindAddress"] == "0.0.0.0"
    assert (config["healthzBindAddress"], config["metricsBindAddress"]) == (
        "0.0.0.0:10256",
        "127.0.0.1:10249",
    )
    assert config["iptables"] == {
        "localhostNodePorts": True,
        "masqueradeAll": False,
        "masqueradeBit": 14,
        "minSyncPeriod": "1s",
        "syncPeriod": "30s",
    }


def test_an_ipv6_node_listens_on_ipv6_addresses() -> None:
    config = taken(configuration(bindAddress="::", metricsBindAddress="::1", healthzBindAddress="10.0.0.1:1"))
    assert (config["healthzBindAddress"], config["metricsBindAddress"]) == ("10.0.0.1:1", "[::1]:10249")


def test_the_masquerade_bit_zero_is_a_choice() -> None:
    assert taken(configuration(iptables={"masqueradeBit": 0}))["iptables"]["masqueradeBit"] == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"mode": "userspace"},
            'Mode.ProxyMode: Invalid value: "userspace": must be iptables, ipvs, nftables or blank '
            "(blank means the best-available proxy [currently iptables])",
        ),
        (
            {"mode": "ipvs", "featureGates": {"KubeProxyIPVS": False}},
            'Mode.ProxyMode: Invalid value: "ipvs": must be iptables, nftables or blank '
            "(blank means the best-available proxy [currently iptables])",
        ),
        (
            {"iptables": {"masqueradeBit": 32}},
            "KubeProxyIPTablesConfiguration.MasqueradeBit: Invalid value: 32: "
            "must be within the range [0, 31]",
        ),
        (
            {"bindAddress": "node-1"},
            'BindAddress: Invalid value: "node-1": not a valid textual representation of an IP address',
        ),
        (
            {"nodePortAddresses": ["primary", "eth0"]},
            'NodePortAddresses[1]: Invalid value: "eth0": must be a valid CIDR or one of the keywords '
            "'primary', 'localhost', 'all'",
        ),
        ({"nodePortAddresses": ["all", "all"]}, 'NodePortAddresses[1]: Duplicate value: "all"'),
        (
            {"detectLocalMode": "Bridge"},
            'DetectLocalMode: Unsupported value: "Bridge": supported values: "ClusterCIDR", "NodeCIDR", '
            '"BridgeInterface", "InterfaceNamePrefix", ""',
        ),
        (
            {"detectLocalMode": "BridgeInterface"},
            'DetectLocalConfiguration.InterfaceName: Invalid value: "": must not be empty',
        ),
        (
            {"detectLocalMode": "ClusterCIDR", "clusterCIDR": "10.0.0.0/8,10.1.0.0/16"},
            'DetectLocalConfiguration.ClusterCIDRs: Invalid value: ["10.0.0.0/8","10.1.0.0/16"]: must be a '
            "either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]",
        ),
        (
            {"mode": "nftables", "nftables": {"syncPeriod": "1s", "minSyncPeriod": "1m"}},
            'SyncPeriod: Invalid value: "1m0s": must be greater than or equal to '
            "KubeProxyConfiguration.MinSyncPeriod",
        ),
        (
            {"mode": "ipvs", "ipvs": {"excludeCIDRs": ["10.0.0.0"]}},
            'KubeProxyIPVSConfiguration.ExcludeCidrs[0]: Invalid value: "10.0.0.0": must be a valid CIDR',
        ),
    ],
)
def test_configurations_that_kube_proxy_refuses(fields: dict[str, Any], said: str) -> None:
    assert faults(configuration(**fields)) == [f"{ROOT}.{said}"]


@pytest.mark.parametrize("name", ["eth0\n-A INPUT", 'eth0"', "a/b", "an-interface-of-17", "br 0", "ü"])
def test_no_name_of_a_device_can_leave_its_place_in_a_rule(name: str) -> None:
    for mode, field in (
        ("BridgeInterface", "bridgeInterface"),
        ("InterfaceNamePrefix", "interfaceNamePrefix"),
    ):
        [fault] = faults(configuration(detectLocalMode=mode, detectLocal={field: name}))
        assert "must be the name of a network device" in fault


def test_no_scheduler_can_leave_its_place() -> None:
    wrong = configuration(mode="ipvs", ipvs={"scheduler": "rr -t 10.0.0.1"})
    assert faults(wrong) == [
        f'{ROOT}.KubeProxyIPVSConfiguration.Scheduler: Invalid value: "rr -t 10.0.0.1": '
        "must be the name of a scheduler"
    ]


def test_kube_proxy_goes_on_with_fields_that_it_does_not_know() -> None:
    assert remarks(configuration(clusterCidr="10.0.0.0/8"), strict=False) == [
        'clusterCidr: unknown field "clusterCidr"'
    ]


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        *(
            ("90s", "1m30s"),
            ("1.5h", "1h30m0s"),
            ("1500ms", "1.5s"),
            ("-1m", "-1m0s"),
            ("0", "0s"),
            (None, "0s"),
        ),
        *(("2ms", "2ms"), ("1.5us", "1.5µs"), ("3ns", "3ns"), ("1h0.25s", "1h0m0.25s")),
    ],
)
def test_durations_are_printed_as_go_prints_them(written: str | None, printed: str) -> None:
    assert go_duration(written) == printed
