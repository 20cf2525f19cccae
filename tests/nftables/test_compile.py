"""What a Service costs in the table, what its objects depend on, and that nothing can slip into them."""

import random
from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.load.scenario import Scenario, from_scenario
from rulegen.model import Cluster, Family, Node, ProxyConfig, ServicePort
from rulegen.nftables import Ruleset, additions, compile_rules, script
from rulegen.nftables.base import LOCALHOST_GATE
from rulegen.plan import plan
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of
from tests.recorded import cases

SCENARIOS = [from_scenario(case["scenario"]) for case in cases("1.37-nftables")]
PRIMARY = msgspec.structs.replace(CONFIG, mode="nftables", node_port_addresses=("primary",))
LOCALHOST_REFUSED = msgspec.structs.replace(PRIMARY, feature_gates={LOCALHOST_GATE: True})


def compiled(
    objects: Cluster, node: Node = NODE, config: ProxyConfig = PRIMARY, family: Family = "IPv4"
) -> Ruleset:
    return compile_rules(plan(objects, node, config, family))


def of(scenario: Scenario, family: Family, objects: Cluster | None = None) -> Ruleset:
    cidrs = scenario.service_cidrs.get(family)
    objects = objects or scenario.cluster
    return compile_rules(plan(objects, scenario.node, scenario.config, family, service_cidrs=cidrs))


def cost(objects: Cluster) -> dict[str, int]:
    """How many objects of each kind there are more than in a table without Services."""
    counts = [
        Counter(line.split(" ", 2)[1] for line in additions(compiled(found)).splitlines())
        for found in (objects, cluster())
    ]
    return dict(counts[0] - counts[1])


@pytest.mark.parametrize("endpoints", [1, 2, 50, 999])
def test_a_service_costs_one_rule_whatever_the_number_of_its_endpoints(endpoints: int) -> None:
    web = service()
    ends = [f"10.10.{i // 250}.{i % 250}" for i in range(endpoints)]
    # Elements: the cluster IP, and its port.
    assert cost(cluster(web, slice_of(web, ends))) == {"chain": 1, "rule": 1, "element": 2}


def test_with_session_affinity_each_endpoint_costs_a_chain_a_set_and_three_rules() -> None:
    web = service(affinity=600)
    ends = [f"10.10.0.{i}" for i in range(7)]
    assert cost(cluster(web, slice_of(web, ends))) == {
        "chain": 1 + 7, "rule": 1 + 3 * 7, "set": 7, "element": 2,
    }  # fmt: skip


def test_a_service_without_endpoints_costs_elements_only() -> None:
    assert cost(cluster(service())) == {"element": 2}


def test_local_endpoints_can_reach_themselves_through_the_service() -> None:
    web = service()
    rules = compiled(cluster(web, slice_of(web, [endpoint("10.10.0.5", "n1"), endpoint("10.10.0.6", "n2")])))
    assert list(rules.elements()["hairpin-connections"]) == ["10.10.0.5 . 10.10.0.5 . tcp . 8080"]


def test_two_services_may_share_an_endpoint_and_its_element() -> None:
    first, second = service("a", ip="10.96.0.1"), service("b", ip="10.96.0.2")
    local = endpoint("10.10.0.5", "n1")
    rules = compiled(cluster(first, second, slice_of(first, [local]), slice_of(second, [local])))
    assert len(rules.elements()["hairpin-connections"]) == 1
    assert all(
        any(e.container == "hairpin-connections" for e in fragment.elements)
        for fragment in rules.fragments.values()
    )


def test_an_external_ip_that_two_services_claim_belongs_to_the_last_one() -> None:
    first = service("a", ip="10.96.0.1", external_ips=["203.0.113.5"])
    second = service("b", ip="10.96.0.2", external_ips=["203.0.113.5"])
    rules = compiled(cluster(first, second, slice_of(first, ["10.10.1.1"]), slice_of(second, ["10.10.1.2"])))
    claimed = rules.elements()["service-ips"]["203.0.113.5 . tcp . 80"]
    assert claimed.value.endswith("-default/b/tcp/")


def test_the_table_answers_node_ports_on_the_primary_address_unless_told_otherwise() -> None:
    two = msgspec.structs.replace(
        NODE, interfaces={"lo": ("127.0.0.1/8",), "eth0": ("192.168.10.1/24", "192.168.10.9/24")}
    )
    assert list(compiled(cluster(), two).elements()["nodeport-ips"]) == ["192.168.10.1"]
    everywhere = msgspec.structs.replace(PRIMARY, node_port_addresses=("all",))
    text = additions(compiled(cluster(), two, everywhere))
    assert "nodeport-ips" not in text
    assert "services fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap" in text


def test_loopback_is_never_a_node_port_address() -> None:
    wide = msgspec.structs.replace(PRIMARY, node_port_addresses=("127.0.0.0/8", "192.168.0.0/16"))
    assert list(compiled(cluster(), config=wide).elements()["nodeport-ips"]) == ["192.168.10.1"]


@pytest.mark.parametrize(
    ("addresses", "protocols"),
    [(("primary",), ["tcp", "udp", "sctp"]), (("primary", "localhost"), ["udp", "sctp"])],
)
def test_node_ports_on_localhost_are_refused_where_no_proxy_serves_them(
    addresses: tuple[str, ...], protocols: list[str]
) -> None:
    ports = [
        ServicePort(name=protocol.lower(), protocol=protocol, port=80, node_port=30080)
        for protocol in ("TCP", "UDP", "SCTP")
    ]
    config = msgspec.structs.replace(LOCALHOST_REFUSED, node_port_addresses=addresses)
    rules = compiled(cluster(service(type="NodePort", ports=ports)), config=config)
    refused = rules.elements()["localhost-nodeport-reject-ports"]
    assert {key: element.value for key, element in refused.items()} == {
        f"{protocol} . 30080": f"goto localhost-nodeport-reject-{protocol}" for protocol in protocols
    }
    counters = [line for line in additions(rules).splitlines() if line.startswith("add counter ")]
    assert counters == [f"add counter ip kube-proxy localhost-nodeport-rejected-{p}" for p in protocols]


def test_without_the_feature_gate_localhost_has_no_say() -> None:
    assert "localhost" not in additions(compiled(cluster(service(type="NodePort"))))


def test_all_alpha_features_at_once_include_that_of_localhost() -> None:
    alpha = msgspec.structs.replace(PRIMARY, feature_gates={"AllAlpha": True})
    assert additions(compiled(cluster(), config=alpha)) == additions(
        compiled(cluster(), config=LOCALHOST_REFUSED)
    )
    off = msgspec.structs.replace(PRIMARY, feature_gates={"AllAlpha": True, LOCALHOST_GATE: False})
    assert additions(compiled(cluster(), config=off)) == additions(compiled(cluster()))


def test_a_name_too_long_for_nft_is_cut_and_stays_unique() -> None:
    web = service(
        "s" * 63, namespace="n" * 63, ip="fd00:10:96::1", affinity=60,
        ports=[ServicePort(name="p" * 63, port=80)],
    )  # fmt: skip
    ends = [f"fd00:1234:5678:9abc:def0:1234:5678:9ab{i}" for i in range(3)]
    slices = slice_of(web, ends, family="IPv6", port_name="p" * 63)
    rules = compiled(cluster(web, slices), family="IPv6")
    endpoints = [chain for chain in rules.rules() if chain.startswith("endpoint-")]
    assert len(set(endpoints)) == 3
    assert all(len(chain) == len("endpoint-") + 240 and chain.endswith("...") for chain in endpoints)


def test_a_comment_too_long_for_nft_is_cut() -> None:
    web = service("s" * 63, namespace="n" * 63, ports=[ServicePort(name="p" * 63, port=80)])
    element = compiled(cluster(web)).elements()["no-endpoint-services"]["10.96.0.10 . tcp . 80"]
    assert element.comment == ("n" * 63 + "/" + "s" * 63 + ":" + "p" * 63)[:128]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SCENARIOS), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(scenario: Scenario, chance: random.Random) -> None:
    services, slices = list(scenario.cluster.services), list(scenario.cluster.slices)
    chance.shuffle(services)
    chance.shuffle(slices)
    shuffled = Cluster(services=tuple(services), slices=tuple(slices))
    for family in scenario.families:
        assert additions(of(scenario, family, shuffled)) == additions(of(scenario, family))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SCENARIOS), st.data())
def test_what_a_service_adds_does_not_depend_on_other_services(
    scenario: Scenario, data: st.DataObject
) -> None:
    family = data.draw(st.sampled_from(scenario.families))
    if not scenario.cluster.services:
        return
    one = data.draw(st.sampled_from(scenario.cluster.services))
    alone = Cluster(services=(one,), slices=scenario.cluster.slices)
    assert of(scenario, family, alone).fragments.items() <= of(scenario, family).fragments.items()


def test_whatever_a_line_names_was_added_before() -> None:
    for scenario in SCENARIOS:
        for family in scenario.families:
            added: set[str] = set()
            for line in additions(of(scenario, family)).splitlines():
                words = line.split(" ")
                if words[1] in ("chain", "set", "map"):
                    added.add(words[4])
                elif words[1] in ("rule", "element"):
                    assert words[4] in added
                    named = [word[1:] for word in words[5:] if word.startswith("@") and '"' not in line]
                    gone_to = [to for how, to in pairwise(words) if how in ("goto", "jump")]
                    assert added.issuperset(named + gone_to)


def test_the_script_first_empties_the_place_of_the_table() -> None:
    rules = compiled(cluster())
    assert script(rules) == "add table ip kube-proxy\ndelete table ip kube-proxy\n" + additions(rules)


@pytest.mark.parametrize(
    "objects",
    [
        cluster(service('web"; flush ruleset; "')),
        cluster(service("web\nflush ruleset")),
        cluster(service(ip="10.96.0.1 }\nflush ruleset\n")),
        cluster(service(), slice_of(service(), ["10.10.0.1\nflush ruleset"])),
    ],
    ids=["quotation mark in a name", "line break in a name", "line break in a cluster IP", "in an endpoint"],
)
def test_text_that_could_end_its_line_is_refused(objects: Cluster) -> None:
    with pytest.raises(ValueError, match=r"is no (DNS name|IP address)"):
        compiled(objects)


def test_an_interface_name_that_could_be_more_is_refused() -> None:
    config = msgspec.structs.replace(
        PRIMARY, detect_local_mode="BridgeInterface", bridge_interface="cni0 accept;"
    )
    with pytest.raises(ValueError, match="'cni0 accept;' is no name of a network device"):
        compiled(cluster(), config=config)
