"""Real connections, made under recorded rules in network namespaces, meet what the trace says."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import pytest

from rulegen import conformance
from tests.recorded import cases

CONNECTIONS = list(cases("connections-1.37"))


@cache
def recorded(mode: str) -> dict[str, Any]:
    return {case["scenario"]["name"]: case["expected"] for case in cases(f"1.37-{mode}")}


def kind(fate: str) -> str:
    return fate if fate in ("refused", "timeout", "denied") else "answered"


@pytest.mark.parametrize(
    "case", CONNECTIONS, ids=lambda c: f"{c['name']}-{c['family']}-{c.get('variant', '')}"
)
def test_every_real_connection_met_what_was_predicted(case: dict[str, Any]) -> None:
    rules = recorded(case["mode"])[case["name"]][case["family"]]
    tell = conformance.fates(case["mode"], case["family"], rules, case["node"])
    for probe in case["probes"]:
        met = [(fate, masqueraded) for fate, masqueraded, _ in probe["fates"]]
        connection = {key: value for key, value in probe.items() if key != "fates"}
        told = [(fate, masqueraded) for fate, masqueraded in tell(connection)]
        if {fate for fate, _ in met} == {"denied"}:
            # The kernel tells the node's own UDP sender of drops and refusals alike.
            assert {kind(fate) for fate, _ in told} <= {"refused", "timeout"}, connection
            continue
        assert {kind(fate) for fate, _ in told} == {kind(fate) for fate, _ in met}, connection
        assert set(told) >= set(met), connection


NODES: dict[str, dict[str, Any]] = {
    "of nothing": {},
    "without addresses": {"interfaces": {"lo": [], "eth0": None}, "routes": None},
    "of one family": {"interfaces": {"eth0": ["192.168.10.11/24"]}, "routes": [["0.0.0.0/0", "eth0"]]},
    "of the other family": {"interfaces": {"eth0": ["2001:db8::b/64"]}, "routes": [["::/0", "eth0"]]},
    "with link-local addresses": {
        "interfaces": {"eth0": ["fe80::10/64", "169.254.3.4/16"], "eth1": ["fe80::10%eth1/64"]},
        "routes": [["::/0", "eth0"]],
    },
    "whose routes lead nowhere": {
        "interfaces": {"eth0": ["192.168.10.11"]},
        "routes": [["0.0.0.0/0", "gone"]],
    },
}
NO_RULES: dict[str, list[dict[str, Any]]] = {
    "iptables": [{"restore": ""}, {"restore": "*nat\nCOMMIT\n", "jumps": []}],
    "nftables": [{"nft": ""}, {"nft": "add table ip kube-proxy\n"}],
    "ipvs": [{"restore": ""}, {"restore": "", "virtual": [], "ipsets": {"KUBE-CLUSTER-IP": []}, "dummy": []}],
}
FROM = ["", "203.0.113.9", "127.0.0.1", "2001:db8::9", "fe80::1"]
TO = ["10.96.0.1", "127.0.0.1", "192.168.10.11", "224.0.0.1", "255.255.255.255", "0.0.0.0"]
TO += ["fd00:10:96::1", "::1", "fe80::10", "ff02::1", "::"]


@pytest.mark.parametrize("mode", NO_RULES)
@pytest.mark.parametrize("node", NODES)
def test_a_node_may_be_odd(mode: str, node: str) -> None:
    recorded_rules = [next(iter(recorded(mode).values()))]
    for family in ("IPv4", "IPv6"):
        here = [rules[family] for rules in recorded_rules if family in rules]
        for rules in [*NO_RULES[mode], *here]:
            tell = conformance.fates(mode, family, rules, NODES[node])
            for source, destination in product(FROM, TO):
                six = ":" in destination
                if six is not (family == "IPv6") or (source and (":" in source) is not six):
                    continue
                for interface in ("", "eth0", "veth0"):
                    found = tell({
                        "from": "node", "interface": interface, "source": source, "protocol": "tcp",
                        "destination": destination, "port": 30001,
                    })  # fmt: skip
                    assert found, (source, destination, interface)


def test_an_endpoint_answers_its_own_protocol_only() -> None:
    rules = {
        "restore": "*nat\n:PREROUTING - [0:0]\n"
        "-A PREROUTING -p udp -d 10.96.0.10 --dport 53 -j DNAT --to-destination 192.168.10.11:53\nCOMMIT\n"
    }
    node = {"interfaces": {"eth0": ["192.168.10.11/24"]}, "routes": [["0.0.0.0/0", "eth0"]]}
    tell = conformance.fates("iptables", "IPv4", rules, node)
    to_node = {"interface": "eth0", "source": "203.0.113.9", "destination": "192.168.10.11", "port": 53}
    assert tell({**to_node, "protocol": "udp"}) == [["192.168.10.11:53", False]]
    assert tell({**to_node, "protocol": "tcp"}) == [["refused", None]]
