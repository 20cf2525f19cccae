"""What rules cost, what they depend on, and that nothing can slip into them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.iptables import Ruleset, compile_rules, restore
from rulegen.load.scenario import Scenario, from_scenario
from rulegen.model import Cluster, EndpointSlice, Node, ProxyConfig, Service
from rulegen.plan import plan
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of
from tests.recorded import cases

SCENARIOS = [from_scenario(case["scenario"]) for case in cases("1.37-iptables")]


def compiled(objects: Cluster, node: Node = NODE, config: ProxyConfig = CONFIG) -> Ruleset:
    return compile_rules(plan(objects, node, config, "IPv4"))


def rule_count(rules: Ruleset, table: str) -> int:
    return sum(len(chain) for chain in rules.tables()[table].values())


@pytest.mark.parametrize(("services", "endpoints"), [(1, 1), (3, 2), (10, 5), (100, 15)])
def test_a_cluster_ip_service_costs_two_nat_rules_and_three_for_each_endpoint(
    services: int, endpoints: int
) -> None:
    empty = compiled(cluster())
    objects: list[Service | EndpointSlice] = []
    for number in range(services):
        web = service(f"web-{number}", ip=f"10.96.1.{number}")
        objects += [web, slice_of(web, [f"10.10.{number}.{i}" for i in range(endpoints)])]
    rules = compiled(cluster(*objects))
    assert rule_count(rules, "nat") - rule_count(empty, "nat") == services * (2 + 3 * endpoints)
    assert rule_count(rules, "filter") == rule_count(empty, "filter")


@pytest.mark.parametrize("services", [1, 7, 100])
def test_services_without_endpoints_cost_one_filter_rule_and_no_nat_rule(services: int) -> None:
    empty = compiled(cluster())
    rules = compiled(cluster(*[service(f"web-{n}", ip=f"10.96.1.{n}") for n in range(services)]))
    assert rule_count(rules, "nat") == rule_count(empty, "nat")
    assert rule_count(rules, "filter") - rule_count(empty, "filter") == services


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SCENARIOS), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(scenario: Scenario, chance: random.Random) -> None:
    services, slices = list(scenario.cluster.services), list(scenario.cluster.slices)
    chance.shuffle(services)
    chance.shuffle(slices)
    shuffled = Cluster(services=tuple(services), slices=tuple(slices))
    for family in scenario.families:
        expected = restore(compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family)))
        got = restore(compile_rules(plan(shuffled, scenario.node, scenario.config, family)))
        assert got == expected


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SCENARIOS), st.data())
def test_the_chains_of_a_service_do_not_depend_on_other_services(
    scenario: Scenario, data: st.DataObject
) -> None:
    family = data.draw(st.sampled_from(scenario.families))
    whole = compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family))
    if whole.large or not scenario.cluster.services:
        return
    one = data.draw(st.sampled_from(scenario.cluster.services))
    alone = Cluster(services=(one,), slices=scenario.cluster.slices)
    rules = compile_rules(plan(alone, scenario.node, scenario.config, family))
    assert rules.fragments.items() <= whole.fragments.items()


def test_above_a_thousand_endpoints_service_chains_lose_their_comments() -> None:
    web = service()
    small = compiled(cluster(web, slice_of(web, [f"10.10.{i // 250}.{i % 250}" for i in range(1000)])))
    large = compiled(cluster(web, slice_of(web, [f"10.10.{i // 250}.{i % 250}" for i in range(1001)])))
    assert not small.large and '--comment "default/web -> 10.10.0.0:8080"' in restore(small)
    assert large.large and " -> 10.10.0.0:8080" not in restore(large)
    assert '--comment "default/web cluster IP"' in restore(large)


def test_unready_endpoints_count_towards_a_large_cluster() -> None:
    web = service()
    ends = [endpoint(f"10.10.{i // 250}.{i % 250}", ready=i == 0) for i in range(1001)]
    assert compiled(cluster(web, slice_of(web, ends))).large


def test_the_same_input_gives_the_same_bytes() -> None:
    web = service(type="NodePort", vips=["198.51.100.1"])
    objects = cluster(web, slice_of(web, ["10.10.0.2", "10.10.0.1"]))
    assert restore(compiled(objects)) == restore(compiled(objects))


def test_chains_are_declared_before_they_are_used() -> None:
    for scenario in SCENARIOS:
        for family in scenario.families:
            text = restore(compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family)))
            for section in text.split("COMMIT\n"):
                declared: set[str] = set()
                for line in section.splitlines():
                    if line.startswith(":"):
                        declared.add(line[1:].split()[0])
                    elif line.startswith("-A"):
                        assert line.split()[1] in declared
                        target = line.rpartition(" -j ")[2].split()[0]
                        assert target in declared or not target.startswith("KUBE-")
