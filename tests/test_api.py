"""The Python API takes plain data, and is as careful with it as the command line is with files."""

from __future__ import annotations

import pytest

import rulegen
from tests.cli.running import FIXTURES

NODE = {"name": "n1", "ips": ["192.168.10.1"]}


@pytest.fixture(scope="module")
def cluster() -> rulegen.Cluster:
    return rulegen.load(str(FIXTURES / "ngx"))


def test_a_configuration_may_leave_out_what_it_is(cluster: rulegen.Cluster) -> None:
    rules = rulegen.compile(cluster, NODE, {"iptables": {"masqueradeAll": True}})
    assert "--dport 80 -j KUBE-MARK-MASQ" in rulegen.text(rules["IPv4"])


def test_a_node_may_be_an_object_of_the_cluster(cluster: rulegen.Cluster) -> None:
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1"},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.168.10.1"}]},
    }
    assert rulegen.text(rulegen.compile(cluster, node)["IPv4"]) == rulegen.text(
        rulegen.compile(cluster, NODE)["IPv4"]
    )


@pytest.mark.parametrize(
    ("node", "config", "message"),
    [
        ({"nam": "n1"}, None, 'Node: unknown field "nam"'),
        ({"ips": ["10.0.0.300"]}, None, 'ips[0]: Invalid value: "10.0.0.300"'),
        (NODE, {"clustercidr": "10.0.0.0/8"}, 'unknown field "clustercidr"'),
        (NODE, {"clusterCIDR": "hello"}, 'Invalid value: "hello"'),
    ],
)
def test_a_slip_is_named_and_never_passed_over(
    cluster: rulegen.Cluster, node: dict[str, object], config: dict[str, object] | None, message: str
) -> None:
    with pytest.raises(rulegen.LoadError) as refused:
        rulegen.compile(cluster, node, config)
    assert message in str(refused.value)
