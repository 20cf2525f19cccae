"""Recorded cases become objects that a compiler can take."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import msgspec
import pytest

from rulegen.load.duration import seconds
from rulegen.load.scenario import from_scenario

FIXTURES = Path(__file__).parents[2] / "fixtures" / "conformance"

CASE = {
    "name": "a-node-port",
    "version": "1.37",
    "mode": "nftables",
    "families": ["IPv4"],
    "config": {
        "mode": "nftables",
        "clusterCIDR": "10.180.0.0/16,fd00:10:180::/64",
        "iptables": {"masqueradeAll": True, "masqueradeBit": 7},
        "nftables": {"masqueradeBit": 0},
    },
    "node": {
        "name": "node-a",
        "ips": ["192.168.10.11"],
        "labels": None,
        "interfaces": {"eth0": ["192.168.10.11/24"]},
        "nfacct": True,
    },
    "services": [
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": "10.96.0.10",
                "sessionAffinity": "ClientIP",
                "ports": [{"port": 80, "nodePort": 30080}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "lb.example.com"}]}},
        }
    ],
    "slices": [
        {
            "metadata": {"name": "web-1", "namespace": "default"},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.180.0.5"]}],
            "ports": [{"port": 8080}],
        }
    ],
    "serviceCIDRs": {"IPv4": ["10.96.0.0/12"]},
}


def test_what_a_service_leaves_out_is_filled_in_as_the_api_server_does() -> None:
    case = from_scenario(CASE)
    service = case.cluster.services[0]
    assert service.spec.ports is not None
    assert (service.spec.ports[0].protocol, service.spec.ports[0].target_port) == ("TCP", 80)
    assert service.spec.external_traffic_policy == "Cluster"
    assert service.spec.internal_traffic_policy == "Cluster"
    assert service.spec.allocate_load_balancer_node_ports is True
    assert msgspec.to_builtins(service.spec.session_affinity_config) == {
        "clientIP": {"timeoutSeconds": 10800}
    }
    assert msgspec.to_builtins(service.status) == {
        "loadBalancer": {"ingress": [{"ip": "203.0.113.1", "ipMode": "VIP"}, {"hostname": "lb.example.com"}]}
    }


def test_a_slice_port_without_name_and_protocol_is_nameless_tcp() -> None:
    ports = from_scenario(CASE).cluster.slices[0].ports
    assert ports is not None
    assert (ports[0].name, ports[0].protocol, ports[0].port) == ("", "TCP", 8080)


def test_masquerading_is_that_of_the_mode_in_force() -> None:
    config = from_scenario(CASE).config
    assert (config.masquerade_all, config.masquerade_bit) == (False, 0)
    assert config.node_port_addresses == ("primary",)
    assert config.cluster_cidrs == ("10.180.0.0/16", "fd00:10:180::/64")
    in_iptables = from_scenario({**CASE, "mode": "iptables"}).config
    assert (in_iptables.masquerade_all, in_iptables.masquerade_bit) == (True, 7)
    assert in_iptables.node_port_addresses == ()


def test_facts_of_the_node_that_are_left_out_are_plain() -> None:
    node = from_scenario(CASE).node
    assert (node.labels, node.pod_cidrs, node.conntrack_tcp_be_liberal, node.nfacct) == ({}, (), False, True)
    assert node.interfaces == {"eth0": ("192.168.10.11/24",)}


def test_every_recorded_case_can_be_read() -> None:
    for file in sorted(FIXTURES.glob("1.*.jsonl.gz")):
        with gzip.open(file) as lines:
            for line in lines:
                scenario = json.loads(line)["scenario"]
                case = from_scenario(scenario)
                assert len(case.cluster.services) == len(scenario["services"])
                assert case.mode == scenario["mode"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("1h2m3.5s", 3723.5),
        ("-1.5h", -5400.0),
        (".5s", 0.5),
        ("100ms", 0.1),
        ("+2us", 2e-6),
    ],
)
def test_durations_of_go_are_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("-", 'time: invalid duration "-"'),
        ("30", 'time: missing unit in duration "30"'),
        ("30 s", 'time: unknown unit " s" in duration "30 s"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        (".s", 'time: invalid duration ".s"'),
        ("1h2", 'time: missing unit in duration "1h2"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_what_is_no_duration_is_refused_in_the_words_of_go(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refusal:
        seconds(text)
    assert str(refusal.value) == message
