"""The kernel's own tools take sets and rules as they stand, and say them back."""

from __future__ import annotations

import pytest

from rulegen.iptables import restore_with_jumps
from rulegen.iptables.dump import Variant
from rulegen.iptables.save import save
from rulegen.ipvs import ipset, restore
from tests.ipvs.rulesets import covering, rulesets, saved_set_lines, set_lines
from tests.kernel.netns import Namespace, need

SAMPLE = [case["scenario"] for case in covering("1.37-ipvs")]
TOOLS = {"IPv4": "iptables", "IPv6": "ip6tables"}

pytestmark = pytest.mark.kernel


def emptied(node: Namespace) -> None:
    """Take away the rules and the sets of the case before."""
    for tool in TOOLS.values():
        for variant in ("legacy", "nft"):
            for table in ("nat", "filter"):
                node.run(f"{tool}-{variant}", "-t", table, "-F")
                node.run(f"{tool}-{variant}", "-t", table, "-X")
    node.run("ipset", "destroy")


def test_restored_sets_are_saved_as_they_were(netns: Namespace) -> None:
    need("ipset")
    for scenario in SAMPLE:
        texts = [ipset(ruleset) for ruleset in rulesets(scenario)]
        netns.run("ipset", "restore", stdin="".join(texts))
        assert saved_set_lines(netns.run("ipset", "save")) == set_lines(texts)
        netns.run("ipset", "destroy")


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_every_iptables_takes_the_rules(netns: Namespace, variant: Variant) -> None:
    need("ipset", *(f"{tool}-{variant}-restore" for tool in TOOLS.values()))
    for scenario in SAMPLE:
        for ruleset in rulesets(scenario):
            netns.run("ipset", "restore", stdin=ipset(ruleset))
            program = f"{TOOLS[ruleset.family]}-{variant}-restore"
            netns.run(program, "--noflush", "--counters", "--test", stdin=restore(ruleset))
        netns.run("ipset", "destroy")


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_iptables_save_prints_the_rules_as_said(netns: Namespace, variant: Variant) -> None:
    need("ipset", *(f"{tool}-{variant}-{what}" for tool in TOOLS.values() for what in ("restore", "save")))
    for scenario in SAMPLE:
        for ruleset in rulesets(scenario):
            if "-m ipvs" in restore(ruleset):
                continue  # this kernel may lack IPVS; tests/ipvs/test_uml.py loads these rules
            netns.run("ipset", "restore", stdin=ipset(ruleset))
            tool = f"{TOOLS[ruleset.family]}-{variant}"
            netns.run(f"{tool}-restore", stdin=restore_with_jumps(ruleset))
            lines = netns.run(f"{tool}-save").splitlines(keepends=True)
            said = "".join(line for line in lines if not line.startswith("#"))
            assert said == save(ruleset, variant, with_jumps=True)
        emptied(netns)
