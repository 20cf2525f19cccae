"""The node that rules are made for: named, described in a file, or left to be guessed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from rulegen.load import LoadError, load, node_facts
from rulegen.model import Cluster, Node

EMPTY = Cluster()


def node_object(name: str, *addresses: tuple[str, str], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "zone-a"}},
        "spec": spec,
        "status": {"addresses": [{"type": kind, "address": address} for kind, address in addresses]},
    }


def said(cluster: Cluster, **arguments: Any) -> str:
    with pytest.raises(LoadError) as failure:
        node_facts(cluster, **arguments)
    return str(failure.value)


def test_without_any_node_a_plain_one_is_used_and_said_so() -> None:
    facts = node_facts(EMPTY)
    assert facts.node == Node(name="node", interfaces={"lo": ("127.0.0.1/8", "::1/128")})
    assert facts.notes == (
        "no Node object and no node file: a plain default node is used"
        " (--node, --node-ip and --interface say what it is like)",
    )


def test_of_several_nodes_one_must_be_named() -> None:
    cluster = load([node_object("n2"), node_object("n1")]).cluster
    assert said(cluster) == "2 Node objects were given: choose one with --node: n1, n2"
    assert said(cluster, name="n3") == "Node n3: not found; the nodes are n1, n2"
    assert node_facts(cluster, name="n2").node.name == "n2"


def test_the_configuration_may_name_the_node_and_make_conntrack_liberal() -> None:
    cluster = load([node_object("n2"), node_object("n1")]).cluster
    configuration = {"hostnameOverride": " N2 ", "conntrack": {"tcpBeLiberal": True}}
    node = node_facts(cluster, configuration=configuration).node
    assert (node.name, node.conntrack_tcp_be_liberal) == ("n2", True)
    assert not node_facts(
        cluster, configuration=configuration, conntrack_liberal=False
    ).node.conntrack_tcp_be_liberal


def test_node_addresses_are_chosen_as_kube_proxy_does() -> None:
    object_ = node_object(
        "n1",
        ("Hostname", "n1"),
        ("ExternalIP", "203.0.113.1"),
        ("InternalIP", "192.168.10.11"),
        ("InternalIP", "192.168.10.12"),
        ("ExternalIP", "2001:db8::1"),
        podCIDR="10.180.0.0/24",
        podCIDRs=["10.180.0.0/24", "fd00:10:180::/80"],
    )
    node = node_facts(load(object_).cluster).node
    assert node.ips == ("192.168.10.11", "2001:db8::1")
    assert node.pod_cidrs == ("10.180.0.0/24", "fd00:10:180::/80")
    assert node.labels == {"topology.kubernetes.io/zone": "zone-a"}
    assert node.interfaces == {
        "lo": ("127.0.0.1/8", "::1/128"),
        "eth0": ("192.168.10.11/32", "2001:db8::1/128"),
    }


def test_a_node_file_wins_over_the_object_and_flags_win_over_both() -> None:
    cluster = load(node_object("n1", ("InternalIP", "192.168.10.11"))).cluster
    file = """\
name: n1
ips: [192.168.10.21, "2001:db8::b"]
interfaces:
  eth0: [192.168.10.21/24, 2001:db8::b/64]
nfacct: true
"""
    facts = node_facts(cluster, file=io.StringIO(file))
    assert facts.node.ips == ("192.168.10.21", "2001:db8::b")
    assert facts.node.labels == {"topology.kubernetes.io/zone": "zone-a"}
    assert facts.node.interfaces == {"eth0": ("192.168.10.21/24", "2001:db8::b/64")}
    assert (facts.node.nfacct, facts.notes, facts.interfaces_note) == (True, (), "")
    flags = node_facts(
        cluster,
        file=io.StringIO(file),
        ips=["192.168.10.31"],
        interfaces=["eth0=192.168.10.31/24, 2001:db8::c/64", "eth1=10.0.0.1/8"],
        nfacct=False,
    )
    assert flags.node.ips == ("192.168.10.31",)
    assert flags.node.interfaces == {
        "eth0": ("192.168.10.31/24", "2001:db8::c/64"),
        "eth1": ("10.0.0.1/8",),
        "lo": ("127.0.0.1/8", "::1/128"),
    }
    assert not flags.node.nfacct


def test_the_node_of_a_recorded_case_and_a_node_object_are_node_files_too() -> None:
    recorded = {
        "name": "node-a",
        "ips": ["192.168.10.11"],
        "labels": {"a": "b"},
        "podCIDRs": None,
        "interfaces": {"lo": ["127.0.0.1/8"], "dummy0": None},
        "conntrackTCPBeLiberal": False,
        "nfacct": True,
    }
    node = node_facts(EMPTY, file=io.StringIO(json.dumps(recorded))).node
    assert (node.name, node.interfaces) == ("node-a", {"lo": ("127.0.0.1/8",), "dummy0": ()})
    object_ = node_object("n7", ("InternalIP", "192.168.10.17"))
    assert node_facts(EMPTY, file=object_).node.ips == ("192.168.10.17",)


def test_every_fault_of_a_node_file_is_told_with_its_line() -> None:
    file = """\
name: Node_1
labels: [zone]
ips:
- 192.168.10.11
- 192.168.10.256
- ::ffff:10.0.0.1
podCIDRs: 10.180.0.0
interfaces:
  eth0: 192.168.10.11
  "eth0 -j ACCEPT":
  - 10.0.0.1/8
nfacct: 1
interface: {}
"""
    assert said(EMPTY, file=io.StringIO(file)).replace("<stream 1>", "n.yaml").splitlines() == [
        'n.yaml:1: Node: name: Invalid value: "Node_1": must be the name of a node, '
        "a lowercase DNS subdomain",
        "n.yaml:2: Node: labels: Invalid value: must be a mapping of strings",
        'n.yaml:5: Node: ips[1]: Invalid value: "192.168.10.256": must be a valid IP address, '
        "(e.g. 10.9.8.7 or 2001:db8::ffff)",
        'n.yaml:6: Node: ips[2]: Invalid value: "::ffff:10.0.0.1": must be an address without zone and '
        "not IPv4-mapped",
        'n.yaml:7: Node: podCIDRs[0]: Invalid value: "10.180.0.0": must be a valid CIDR value, '
        "(e.g. 10.9.8.0/24 or 2001:db8::/64)",
        'n.yaml:9: Node: interfaces.eth0[0]: Invalid value: "192.168.10.11": must be an address with its '
        "prefix length, as 192.168.10.11/24",
        'n.yaml:10: Node: interfaces.eth0 -j ACCEPT: Invalid value: "eth0 -j ACCEPT": must be the name of '
        "a network interface (at most 15 characters)",
        "n.yaml:12: Node: nfacct: Invalid value: must be true or false",
        'n.yaml:13: Node: unknown field "interface"; a node file has name, labels, ips, podCIDRs, '
        "interfaces, conntrackTCPBeLiberal, nfacct",
    ]


def test_a_file_that_is_no_node_file_is_said_so() -> None:
    assert said(EMPTY, file="gone.yaml") == "gone.yaml: the path does not exist"
    two = "name: a\n---\nname: b\n"
    assert said(EMPTY, file=io.StringIO(two)) == "<stream 1>: a node file holds one node, this one holds 2"
    endless = '{"name": "n1",\n "mtu": 1e999}'
    assert said(EMPTY, file=io.StringIO(endless)) == "<stream 1>:2: Node: number 1e999 is out of range"
    broken = {"kind": "Node", "metadata": {"name": 3}}
    assert said(EMPTY, file=broken).endswith("Node: is no Node object of Kubernetes")


def test_flags_are_checked_together() -> None:
    text = said(EMPTY, name="N", ips=["x"], interfaces=["eth0", "eth0=10.0.0.1", "a/b=10.0.0.1/8"])
    assert text.splitlines() == [
        'Node: name: Invalid value: "N": must be the name of a node, a lowercase DNS subdomain',
        'Node: ips[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'Node: interfaces: Invalid value: "eth0": must be DEVICE=ADDRESS/LENGTH,...',
        'Node: interfaces[eth0]: Invalid value: "10.0.0.1": must be an address with its prefix length, '
        "as 192.168.10.11/24",
        'Node: interfaces[a/b]: Invalid value: "a/b": must be the name of a network interface '
        "(at most 15 characters)",
    ]
