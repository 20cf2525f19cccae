"""What is said about a Service's rules, and in which order: that of a packet."""

from __future__ import annotations

import msgspec
import pytest

from rulegen.backend import Branch
from rulegen.iptables import compile_rules
from rulegen.iptables.base import JUMPS
from rulegen.iptables.show import rules, tree
from rulegen.model import ProxyConfig, Service, ServicePort
from rulegen.plan import plan
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of

NODE_PORT = {"type": "NodePort", "ports": [ServicePort(port=80, node_port=30080)]}


def notes(web: Service, endpoints: list[str], config: ProxyConfig = CONFIG) -> dict[str, list[str]]:
    """Chain (``table CHAIN``, without the hash) -> what is said about its rules."""
    planned = plan(cluster(web, slice_of(web, endpoints)), NODE, config, "IPv4")
    said: dict[str, list[str]] = {}
    for rule in rules(compile_rules(planned), [p.port for p in planned.ports]):
        name = "-".join(rule.chain.split("-")[:2]) if len(rule.chain) == 25 else rule.chain
        said.setdefault(f"{rule.table} {name}", []).append(rule.note)
    return said


def drawn(web: Service, endpoints: list[str], config: ProxyConfig = CONFIG) -> list[str]:
    planned = plan(cluster(web, slice_of(web, endpoints)), NODE, config, "IPv4")
    lines: list[str] = []

    def draw(branch: Branch, depth: int) -> None:
        lines.append("  " * depth + branch.label + (f" | {branch.note}" if branch.note else ""))
        for child in branch.children:
            draw(child, depth + 1)

    for branch in tree(compile_rules(planned), [p.port for p in planned.ports]):
        draw(branch, 0)
    return lines


@pytest.mark.parametrize(
    ("addresses", "localhost", "place"),
    [
        ((), True, "any local address :30080/tcp"),
        ((), False, "any local address outside 127.0.0.0/8 :30080/tcp"),
        (("192.168.10.0/24",), True, "192.168.10.1:30080/tcp"),
        (("192.168.10.0/24", "127.0.0.0/8"), True, "127.0.0.1, 192.168.10.1 :30080/tcp"),
        (("10.99.0.0/16",), True, "no address leads here, :30080/tcp"),
    ],
)
def test_a_node_port_is_said_to_be_where_the_configuration_puts_it(
    addresses: tuple[str, ...], localhost: bool, place: str
) -> None:
    config = msgspec.structs.replace(CONFIG, node_port_addresses=addresses, localhost_node_ports=localhost)
    (note,) = notes(service(**NODE_PORT), ["10.10.0.1"], config)["nat KUBE-NODEPORTS"]  # type: ignore[arg-type]
    assert note.startswith(f"{place}: go to KUBE-EXT-")


def test_the_tree_says_which_addresses_lead_to_node_ports() -> None:
    config = msgspec.structs.replace(CONFIG, node_port_addresses=("192.168.10.0/24",))
    lines = drawn(service(**NODE_PORT), ["10.10.0.1"], config)  # type: ignore[arg-type]
    assert "    KUBE-NODEPORTS | 192.168.10.1" in lines
    assert "      port 30080/tcp | node port" in lines


def test_what_is_refused_or_dropped_is_said_once_below_the_chain_and_its_hooks() -> None:
    assert drawn(service(**NODE_PORT), []) == [  # type: ignore[arg-type]
        "filter FORWARD, OUTPUT",
        "  KUBE-SERVICES",
        "    10.96.0.10:80/tcp | refuse, no endpoints",
        "filter INPUT, FORWARD",
        "  KUBE-EXTERNAL-SERVICES",
        "    any local address :30080/tcp | refuse, no endpoints",
    ]


def test_shares_of_many_endpoints_are_not_rounded_away() -> None:
    few = [line.split()[0] for line in drawn(service(), ["10.10.0.1", "10.10.0.2", "10.10.0.3"])[-3:]]
    many = [line.split()[0] for line in drawn(service(), [f"10.10.0.{i}" for i in range(1, 251)])[-250:]]
    assert few == ["33%"] * 3
    assert set(many) == {"0.4%"}
    said = notes(service(), ["10.10.0.1", "10.10.0.2", "10.10.0.3"])["nat KUBE-SVC"]
    assert said[1:] == ["33.3333% of what comes this far", "50% of what comes this far", "all that is left"]


def test_filter_chains_stand_in_the_order_in_which_the_kernel_jumps_to_them() -> None:
    """Each jump is put first, so of two chains the one that was ensured later is met earlier."""
    ensured = [(jump.source, jump.target) for jump in JUMPS if jump.table == "filter"]
    met = {
        hook: [target for source, target in reversed(ensured) if source == hook]
        for hook in ("INPUT", "FORWARD", "OUTPUT")
    }
    web = service(
        type="LoadBalancer",
        vips=["198.51.100.1"],
        internal_traffic_policy="Local",
        external_traffic_policy="Local",
        health_check_node_port=32000,
        load_balancer_source_ranges=["203.0.113.0/24"],
    )
    shown = [chain.split()[1] for chain in notes(web, ["10.10.1.1"]) if chain.startswith("filter")]
    assert len(shown) == 4
    for hook, order in met.items():
        on_the_way = [chain for chain in shown if chain in order]
        assert on_the_way == sorted(on_the_way, key=order.index), hook


def test_with_a_policy_local_the_way_of_each_kind_of_traffic_is_told_apart() -> None:
    web = service(external_traffic_policy="Local", **NODE_PORT)  # type: ignore[arg-type]
    planned = plan(cluster(web, slice_of(web, [endpoint("10.10.0.1", "n1")])), NODE, CONFIG, "IPv4")
    said = [r.note for r in rules(compile_rules(planned), [planned.ports[0].port]) if "-EXT-" in r.chain]
    own = said[0].rpartition("-")[2]
    assert said == [
        f"source 10.10.0.0/16: go to KUBE-SVC-{own}",
        "from the node itself: masquerade",
        f"from the node itself: go to KUBE-SVC-{own}",
        f"what comes this far: go to KUBE-SVL-{own}",
    ]
