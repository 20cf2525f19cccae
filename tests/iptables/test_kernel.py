"""The kernel's own tools take the rules as they stand."""

import pytest

from rulegen.iptables import compile_rules, restore, restore_with_jumps
from rulegen.iptables.base import INVALID_COUNTER, LOCALHOST_COUNTER
from rulegen.load.scenario import from_scenario
from rulegen.plan import plan
from tests.kernel.netns import Namespace, need
from tests.recorded import cases

SAMPLE = [case["scenario"] for case in list(cases("1.37-iptables"))[::8]]
COMMANDS = {"IPv4": "iptables", "IPv6": "ip6tables"}

pytestmark = pytest.mark.kernel


def with_counters(namespace: Namespace) -> None:
    """Make the nfacct counters that rules name, as kube-proxy does before it restores."""
    need("nfacct")
    for counter in (INVALID_COUNTER, LOCALHOST_COUNTER):
        namespace.run("nfacct", "add", counter)


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_restore_text_is_accepted_as_it_stands(netns: Namespace, variant: str) -> None:
    need(f"iptables-{variant}-restore", f"ip6tables-{variant}-restore")
    with_counters(netns)
    for case in SAMPLE:
        scenario = from_scenario(case)
        for family in scenario.families:
            rules = compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family))
            program = f"{COMMANDS[family]}-{variant}-restore"
            netns.run(program, "--noflush", "--counters", "--test", stdin=restore(rules))
            netns.run(program, "--noflush", stdin=restore(rules))


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_with_jumps_one_text_sets_up_a_fresh_namespace(netns: Namespace, variant: str) -> None:
    need(f"iptables-{variant}-restore", f"iptables-{variant}-save")
    scenario = from_scenario(SAMPLE[0])
    family = scenario.families[0]
    rules = compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family))
    with_counters(netns)
    tool = COMMANDS[family]
    netns.run(f"{tool}-{variant}-restore", "--noflush", stdin=restore_with_jumps(rules))
    saved = netns.run(f"{tool}-{variant}-save")
    input_chain = [line for line in saved.splitlines() if line.startswith("-A INPUT ")]
    # kube-proxy puts each jump first, so the one that it ensures last is met first.
    assert [line.rpartition(" -j ")[2] for line in input_chain] == [
        "KUBE-FIREWALL",
        "KUBE-PROXY-FIREWALL",
        "KUBE-NODEPORTS",
        "KUBE-EXTERNAL-SERVICES",
    ]
    assert any(line.startswith("-A PREROUTING ") and "KUBE-SERVICES" in line for line in saved.splitlines())


def test_restored_twice_the_rules_are_the_same(netns: Namespace) -> None:
    need("iptables-nft-restore", "iptables-nft-save")
    with_counters(netns)
    scenario = next(s for s in map(from_scenario, SAMPLE) if "IPv4" in s.families)
    text = restore(compile_rules(plan(scenario.cluster, scenario.node, scenario.config, "IPv4")))
    saved = []
    for _ in range(2):
        netns.run("iptables-nft-restore", "--noflush", stdin=text)
        saved.append([x for x in netns.run("iptables-nft-save").splitlines() if not x.startswith("#")])
    assert saved[0] == saved[1]
