"""The kernel takes the table as it stands, and lists back what was compiled."""

import json

import pytest

from rulegen.backend import document
from rulegen.load.scenario import Scenario, from_scenario
from rulegen.model import Family
from rulegen.nftables import BACKEND, Ruleset, compile_rules, script
from rulegen.nftables.listing import read
from rulegen.nftables.table import Table, equal, table
from rulegen.plan import plan
from tests.kernel.netns import Namespace, need
from tests.objects import CONFIG, NODE, cluster, service, slice_of
from tests.recorded import cases

CASES = list(cases("1.37-nftables"))
SAMPLE = [from_scenario(case["scenario"]) for case in CASES[::8]]
LISTINGS = (("nft", "list", "ruleset"), ("nft", "-a", "list", "ruleset"), ("nft", "-j", "list", "ruleset"))

pytestmark = pytest.mark.kernel


def tables(scenario: Scenario) -> dict[Family, Ruleset]:
    return {
        family: compile_rules(
            plan(
                scenario.cluster,
                scenario.node,
                scenario.config,
                family,
                service_cidrs=scenario.service_cidrs.get(family),
            )
        )
        for family in scenario.families
    }


def listed(namespace: Namespace) -> list[dict[Family, Table]]:
    """What the kernel holds, in every way that nft tells it."""
    return [dict(read(namespace.run(*command)).tables) for command in LISTINGS]


def test_the_sample_holds_every_feature_of_the_mode() -> None:
    text = "".join(script(rules) for scenario in SAMPLE for rules in tables(scenario).values())
    for feature in (
        "ip6 kube-proxy", "update @affinity-", "numgen random mod", "dnat to ", "@nodeport-ips", "iifname",
        "saddr != {", "counter name", "Drop traffic to unallocated", "masquerade all", ": drop }",
    ):  # fmt: skip
        assert feature in text


@pytest.mark.parametrize("scenario", SAMPLE, ids=[scenario.name for scenario in SAMPLE])
def test_the_script_makes_in_the_kernel_what_was_compiled(netns: Namespace, scenario: Scenario) -> None:
    need("nft")
    compiled = tables(scenario)
    for rules in compiled.values():
        netns.run("nft", "-c", "-f", "-", stdin=script(rules))
        netns.run("nft", "-f", "-", stdin=script(rules))
    expected = {family: table(rules) for family, rules in compiled.items()}
    for found in listed(netns):
        assert found.keys() == expected.keys()
        assert all(equal(found[family], expected[family]) for family in expected)


@pytest.mark.parametrize("scenario", SAMPLE, ids=[scenario.name for scenario in SAMPLE])
def test_json_makes_in_the_kernel_what_was_compiled(netns: Namespace, scenario: Scenario) -> None:
    need("nft")
    compiled = tables(scenario)
    text = json.dumps(document(BACKEND, compiled, {}))
    netns.run("nft", "-j", "-c", "-f", "-", stdin=text)
    netns.run("nft", "-j", "-f", "-", stdin=text)
    for found in listed(netns):
        for family, rules in compiled.items():
            expected = table(rules)
            assert found[family].chains.keys() == expected.chains.keys()
            for name, chain in expected.chains.items():
                assert found[family].chains[name].rules == chain.rules
                assert found[family].chains[name].hook == chain.hook
            assert found[family].counters == expected.counters
            assert found[family].containers.keys() == expected.containers.keys()
            for name, container in expected.containers.items():
                assert found[family].containers[name].elements == container.elements


def test_a_table_of_other_services_is_replaced_and_foreign_tables_are_left_alone(netns: Namespace) -> None:
    need("nft")
    foreign = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy accept;\n"
    netns.run("nft", "-f", "-", stdin=foreign + "\t\ttcp dport 22 accept\n\t}\n}\n")
    before = netns.run("nft", "list", "table", "inet", "filter")
    old = service("old", type="NodePort", affinity=60, vips=["198.51.100.1"])
    new = service("new", ip="10.96.0.99")
    for objects in (cluster(old, slice_of(old, ["10.10.1.1", "10.10.1.2"])), cluster(new)):
        rules = compile_rules(plan(objects, NODE, CONFIG, "IPv4"))
        for _ in range(2):
            netns.run("nft", "-f", "-", stdin=script(rules))
            found = read(netns.run("nft", "list", "ruleset"))
            assert found.tables == {"IPv4": table(rules)}
            assert found.foreign == ("inet filter",)
    assert netns.run("nft", "list", "table", "inet", "filter") == before


def test_a_script_with_a_fault_changes_nothing(netns: Namespace) -> None:
    need("nft")
    rules = compile_rules(plan(cluster(service()), NODE, CONFIG, "IPv4"))
    netns.run("nft", "-f", "-", stdin=script(rules))
    before = netns.run("nft", "-a", "list", "ruleset")
    broken = script(rules) + "add rule ip kube-proxy services goto nowhere\n"
    with pytest.raises(AssertionError, match="nowhere"):
        netns.run("nft", "-f", "-", stdin=broken)
    assert netns.run("nft", "-a", "list", "ruleset") == before


def test_source_ranges_that_touch_are_compared_as_nft_joins_them(netns: Namespace) -> None:
    need("nft")
    ranges = ["10.0.0.0/8", "11.0.0.0/9", "10.5.0.0/16", "203.0.113.7/32", "198.51.100.0/24"]
    web = service(type="LoadBalancer", vips=["198.51.100.7"], load_balancer_source_ranges=ranges)
    rules = compile_rules(
        plan(cluster(web), NODE, CONFIG, "IPv4", service_cidrs=("10.96.0.0/16", "10.97.0.0/16"))
    )
    netns.run("nft", "-f", "-", stdin=script(rules))
    for found in listed(netns):
        assert equal(found["IPv4"], table(rules))
    assert any("10.0.0.0-11.127.255.255" in r for chain in table(rules).chains.values() for r in chain.rules)
