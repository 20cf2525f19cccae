"""Nodes that a real kube-proxy programmed say what is compiled for them."""

from __future__ import annotations

import pytest

from rulegen.iptables.parse import parse
from rulegen.iptables.save import as_dump, as_saved
from rulegen.ipvs import ipset, ipvsadm
from tests.ipvs.rulesets import addresses, bound, rulesets, saved_set_lines, set_lines
from tests.recorded import cases

NODES = {case["name"]: case for case in cases("dumps-ipvs-1.37")}
CANARY = "KUBE-PROXY-CANARY"
"""A chain by which kube-proxy sees that someone flushed its tables."""

LISTINGS = {"IPv4": "iptables-save", "IPv6": "ip6tables-save"}


@pytest.mark.parametrize("name", NODES)
def test_servers_are_those_that_ipvsadm_prints(name: str) -> None:
    compiled = "".join(map(ipvsadm, rulesets(NODES[name]["scenario"])))
    said = [line for line in NODES[name]["dumps"]["ipvsadm -Sn"].splitlines() if line]
    assert sorted(compiled.splitlines()) == sorted(said)


@pytest.mark.parametrize("name", NODES)
def test_sets_are_those_that_ipset_prints(name: str) -> None:
    compiled = map(ipset, rulesets(NODES[name]["scenario"]))
    said = NODES[name]["dumps"]["ipset save"].rstrip("\n")
    assert set_lines(compiled) == saved_set_lines(said)


@pytest.mark.parametrize("name", NODES)
def test_addresses_are_those_of_the_dummy_device(name: str) -> None:
    assert bound(rulesets(NODES[name]["scenario"])) == addresses(NODES[name]["dumps"]["ip -j addr"])


@pytest.mark.parametrize("name", NODES)
def test_rules_are_those_that_iptables_save_prints(name: str) -> None:
    for ruleset in rulesets(NODES[name]["scenario"]):
        said = parse(NODES[name]["dumps"][LISTINGS[ruleset.family]], ruleset.family)
        compiled = as_saved(as_dump(ruleset), "legacy")
        for table, chains in compiled.tables.items():
            assert said.tables[table].keys() - chains.keys() <= {CANARY}
            for chain in chains:
                expected, got = said.rules(table, chain), compiled.rules(table, chain)
                if chain == "KUBE-IPVS-OUT-FILTER":
                    expected, got = sorted(expected), sorted(got)  # in the order of a hash map
                assert got == expected
        assert said.tables.keys() - compiled.tables.keys() <= {"mangle"}
        assert not any(chain.rules for chain in said.tables.get("mangle", {}).values())
