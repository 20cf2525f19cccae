"""Is this node as it should be: findings, each with its Service and what it does to traffic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from rulegen.conformance import differences
from rulegen.model import ServicePort
from rulegen.nftables import Ruleset, listed
from rulegen.nftables.compare import compare, facts
from rulegen.nftables.table import Chain, Table, table
from tests.nftables.rulesets import THOROUGH, compiled
from tests.nftables.tables import compiled as compiled_here
from tests.nftables.tables import with_chain, with_container
from tests.nftables.tampering import Tampered, of_json, of_text
from tests.objects import cluster, service, slice_of
from tests.recorded import cases

NODES = [case for case in cases("dumps-1.37") if case["scenario"]["mode"] == "nftables"]
RECORDED = [case["scenario"] for case in cases("1.37-nftables")]
TEXT, JSON, HANDLES = "nft list ruleset", "nft -j list ruleset", "nft -a list ruleset"
EVERY = 1 if THOROUGH else 9


def a_cluster(affinity: int = 0) -> Ruleset:
    web = service(
        "web",
        type="LoadBalancer",
        vips=["203.0.113.1"],
        ports=[ServicePort(port=80, node_port=30080, name="http")],
        load_balancer_source_ranges=["10.0.0.0/8"],
        affinity=affinity,
    )
    idle = service("idle", ip="10.96.0.11")
    return compiled_here(cluster(web, slice_of(web, ["10.10.0.1", "10.10.0.2"], port_name="http"), idle))


def texts(node: Table, ruleset: Ruleset) -> list[str]:
    return [finding.text for finding in compare(node, ruleset).findings]


def named(node: Table, kind: str) -> str:
    return next(n for n in (*node.chains, *node.containers) if n.startswith(kind) and "/web/" in n)


@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_a_node_that_a_real_kube_proxy_programmed_is_as_it_should_be(case: dict[str, Any]) -> None:
    assert differences(case["scenario"], case["dumps"], case["variant"]) == []
    for listing in (TEXT, JSON, HANDLES):
        assert differences(case["scenario"], {listing: case["dumps"][listing]}, case["variant"]) == []
    assert differences(case["scenario"], {"ip -j addr": case["dumps"]["ip -j addr"]}, case["variant"]) == []


@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_service_cidrs_that_nobody_gave_are_taken_from_the_dump(case: dict[str, Any]) -> None:
    scenario = {what: told for what, told in case["scenario"].items() if what != "serviceCIDRs"}
    assert differences(scenario, case["dumps"], case["variant"]) == []


def found_in(scenario: dict[str, Any], listing: str, tampered: Tampered) -> None:
    text = tampered.listing if isinstance(tampered.listing, str) else json.dumps(tampered.listing)
    found = differences(scenario, {listing: text}, "nft")
    assert found, tampered.what
    assert any(f" {tampered.name}" in line for line in found), (tampered.what, found)


@pytest.mark.parametrize("listing", [TEXT, JSON, HANDLES])
@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_any_single_tampering_is_found_and_its_place_named(case: dict[str, Any], listing: str) -> None:
    dump = case["dumps"][listing]
    mutants = of_json(json.loads(dump)) if listing == JSON else of_text(dump)
    for number, tampered in enumerate(mutants):
        if number % EVERY == 0:
            found_in(case["scenario"], listing, tampered)


def with_affinity_and_counters() -> Iterator[dict[str, Any]]:
    """Recorded cases with what the nodes above have none of."""
    for part in ("affinity-", "localhost-nodeport-rejected", "fib daddr type local"):
        yield next(
            s
            for s in RECORDED
            if all(part in "".join(r.parts()) and len("".join(r.parts())) < 30_000 for r in compiled(s))
        )


@pytest.mark.parametrize("scenario", list(with_affinity_and_counters()), ids=lambda s: str(s["name"]))
def test_so_is_tampering_with_affinity_counters_and_node_ports(scenario: dict[str, Any]) -> None:
    text = listed.ruleset(map(table, compiled(scenario)))
    assert differences(scenario, {TEXT: text}, "nft") == []
    for number, tampered in enumerate(of_text(text)):
        if number % EVERY == 0:
            found_in(scenario, TEXT, tampered)


def test_remembered_clients_and_counts_are_no_difference() -> None:
    scenario = next(with_affinity_and_counters())
    text = listed.ruleset(map(table, compiled(scenario)))
    (first, _) = text.split("\t\ttimeout ", 1)
    rest = text[len(first) :]
    line, rest = rest.split("\n", 1)
    lived_in = f"{first}{line}\n\t\telements = {{ 10.9.9.9 expires 7s20ms }}\n{rest}"
    lived_in = lived_in.replace("packets 0 bytes 0", "packets 9 bytes 540")
    assert lived_in != text
    assert differences(scenario, {TEXT: lived_in}, "nft") == []


def test_another_size_of_affinity_sets_that_newer_versions_of_nft_print_is_the_same() -> None:
    scenario = next(with_affinity_and_counters())
    text = listed.ruleset(map(table, compiled(scenario)))
    for size in ("size 65535\t# count 2", ""):
        assert differences(scenario, {TEXT: text.replace("size 65535", size)}, "nft") == []


@pytest.mark.parametrize(
    ("rule", "effect"),
    [
        ("ip daddr & 255.0.0.255 == 10.0.0.1 drop", "it drops traffic that matches & 10.0.0.1"),
        ("meta mark set jhash ip saddr mod 4", "it does something that kube-proxy never does"),
        ('iifname { "eth0", "eth1" } drop', "it drops traffic coming in by eth0, eth1"),
    ],
)
def test_a_rule_in_words_that_kube_proxy_never_uses_is_a_finding(rule: str, effect: str) -> None:
    case = next(case for case in NODES if TEXT in case["dumps"])
    text = case["dumps"][TEXT].replace("\tchain services {\n", f"\tchain services {{\n\t\t{rule}\n", 1)
    (found,) = differences(case["scenario"], {TEXT: text}, "nft")
    assert "chain services rule 1: should not be there" in found
    assert found.endswith(f"({effect})")


def test_a_node_without_the_table_serves_nothing() -> None:
    case = NODES[0]
    assert differences(case["scenario"], {TEXT: "table inet mine {\n}\n"}, "nft") == [
        "kube-proxy: IPv4 table kube-proxy: missing: the table"
        " (no Service is served on this node (3 service ports))",
        "kube-proxy: IPv6 table kube-proxy: missing: the table"
        " (no Service is served on this node (1 service port))",
    ]


def test_either_of_two_services_that_ask_for_one_address_may_have_it() -> None:
    ips = ["198.51.100.9"]
    one, two = (
        service("one", ip="10.96.0.1", external_ips=ips),
        service("two", ip="10.96.0.2", external_ips=ips),
    )
    ends = [slice_of(owner, [f"10.10.0.{n}"]) for n, owner in enumerate((one, two), 1)]
    ruleset = compiled_here(cluster(one, ends[0], two, ends[1]))
    node = table(ruleset)
    key = "198.51.100.9 . tcp . 80"
    elements = dict(node.containers["service-ips"].elements)
    (other,) = [
        element
        for fragment in ruleset.fragments.values()
        for element in fragment.elements
        if element.key == key and element != elements[key]
    ]
    assert not compare(with_container(node, "service-ips", elements={**elements, key: other}), ruleset)
    stolen = msgspec.structs.replace(other, value="drop")
    assert compare(with_container(node, "service-ips", elements={**elements, key: stolen}), ruleset)


def test_what_a_lost_rule_does_is_said_in_the_words_of_its_service() -> None:
    ruleset = a_cluster(affinity=60)
    expected = {
        ("nat-prerouting", "services"): (
            "kube-proxy: IPv4 chain nat-prerouting rule 1: missing: jump services",
            "connections that come into the node are not sent to any Service",
        ),
        ("filter-input", "jump service-endpoints-check"): (
            "rule 2: missing:",
            "to Services without endpoints are not refused, they time out",
        ),
        ("masquerading", "mark set"): ("kube-proxy: ", "nothing is masqueraded"),
        ("masquerading", "@hairpin"): ("kube-proxy: ", "endpoints do not reach themselves through a Service"),
        ("services", "@service-ips"): ("kube-proxy: ", "no cluster IP and no outside address of a Service"),
        ("reject-chain", "reject"): ("kube-proxy: ", "connections time out"),
        ("firewall-", "saddr"): (
            "default/web:http: ",
            "clients outside loadBalancerSourceRanges are not dropped",
        ),
        ("external-", "mark set"): ("default/web:http: ", "all traffic keeps its source address"),
        ("external-", "goto service-"): (
            "default/web:http: ",
            "connections to outside addresses and node ports are not sent to endpoints",
        ),
        ("service-", "10.10.0.2/8080 goto"): (
            "default/web:http: ",
            "clients do not stay at endpoint 10.10.0.2:8080",
        ),
        ("service-", "numgen"): ("default/web:http: ", "connections that come here are sent to no endpoint"),
        ("endpoint-", "update"): (
            "default/web:http: ",
            "clients of endpoint 10.10.0.1:8080 are not remembered",
        ),
        ("endpoint-", "dnat"): (
            "default/web:http: ",
            "what is sent to endpoint 10.10.0.1:8080 does not arrive there",
        ),
    }  # fmt: skip
    for (kind, part), (start, effect) in expected.items():
        node = table(ruleset)
        name = next(
            n for n, c in node.chains.items() if n.startswith(kind) and any(part in rule for rule in c.rules)
        )
        rules = list(node.chains[name].rules)
        rules.remove(next(rule for rule in rules if part in rule))
        (text,) = texts(with_chain(node, name, rules=tuple(rules)), ruleset)
        assert start in text
        assert effect in text


def test_what_a_lost_element_does_is_said_in_the_words_of_its_service() -> None:
    ruleset = a_cluster()
    expected = {
        ("service-ips", "10.96.0.10 . tcp . 80"): (
            "default/web:http: IPv4 map service-ips: missing: 10.96.0.10 . tcp . 80 : goto service-",
            "connections to 10.96.0.10:80/tcp are not sent to its endpoints",
        ),
        ("service-nodeports", "tcp . 30080"): (
            "default/web:http: ",
            "connections to node port :30080/tcp are not sent to its endpoints",
        ),
        ("no-endpoint-services", "10.96.0.11 . tcp . 80"): (
            "default/idle: ",
            "connections to 10.96.0.11:80/tcp are not refused: they time out",
        ),
        ("firewall-ips", "203.0.113.1 . tcp . 80"): (
            "default/web:http: ",
            "clients outside loadBalancerSourceRanges are not dropped at 203.0.113.1:80/tcp",
        ),
        ("cluster-ips", "10.96.0.11"): ("default/idle: ", "ports of 10.96.0.11 that no Service has"),
    }
    for (name, key), (start, effect) in expected.items():
        node = table(ruleset)
        left = {k: e for k, e in node.containers[name].elements.items() if k != key}
        (text,) = texts(with_container(node, name, elements=left), ruleset)
        assert start in text
        assert effect in text


def test_an_edited_rule_says_which_endpoints_it_takes_and_misses() -> None:
    ruleset = a_cluster()
    node = table(ruleset)
    name = named(node, "service-")
    rules = tuple(rule.replace("10.10.0.2", "10.10.0.9") for rule in node.chains[name].rules)
    (finding,) = compare(with_chain(node, name, rules=rules), ruleset).findings
    assert (finding.what, finding.service) == ("changed", "default/web:http")
    assert finding.effect == (
        "endpoint 10.10.0.2:8080 gets no connections; 10.10.0.9:8080, which is no endpoint, gets connections"
    )
    rules = tuple(
        rule.replace("mod 2", "mod 3").replace(" }", " , 2 : 10.10.0.1 . 8080 }")
        for rule in node.chains[name].rules
    )
    (finding,) = compare(with_chain(node, name, rules=rules), ruleset).findings
    assert finding.effect == "the endpoints do not get even shares of the connections"


def test_rules_out_of_order_are_told_as_such() -> None:
    ruleset = a_cluster()
    node = table(ruleset)
    rules = node.chains["services"].rules
    found = compare(with_chain(node, "services", rules=(*rules[1:], rules[0])), ruleset).findings
    assert [(finding.what, finding.place) for finding in found] == [("moved", "chain services rule 3")]


def test_stale_chains_and_sets_are_told_with_whose_they_were_and_who_leads_there() -> None:
    ruleset = a_cluster(affinity=60)
    node = table(ruleset)
    end = named(node, "endpoint-").replace("10.10.0.1", "10.10.0.7")
    stale = with_chain(node, end, rules=("meta l4proto tcp dnat to 10.10.0.7:8080",))
    (finding,) = compare(stale, ruleset).findings
    assert (finding.what, finding.service) == ("stale", "default/web:http")
    assert finding.rule == "a chain of no Service, with 1 rule, for endpoint 10.10.0.7:8080"
    assert finding.effect == "nothing leads to it: no effect on traffic"
    led = with_chain(stale, "services", rules=(*stale.chains["services"].rules, f"goto {end}"))
    finding = next(f for f in compare(led, ruleset).findings if f.what == "stale")
    assert finding.effect == "services still leads to it"
    base = with_chain(node, "mine", hook="filter input 7", policy="drop", rules=("accept",))
    (finding,) = compare(base, ruleset).findings
    assert finding.effect == (
        "its hook is filter input 7: it lets all traffic pass without the rules after it;"
        " it drops all the rest"
    )
    name = named(node, "affinity-")
    kept = {**node.containers, f"{name}9": node.containers[name]}
    (finding,) = compare(msgspec.structs.replace(node, containers=kept), ruleset).findings
    assert (finding.what, finding.effect) == ("stale", "no rule asks it: no effect")


def test_a_chain_at_another_hook_or_asleep_says_what_it_misses() -> None:
    ruleset = a_cluster()
    node = table(ruleset)
    (text,) = texts(with_chain(node, "nat-output", hook="nat output 200"), ruleset)
    assert "is: nat output 200, should be: nat output -100" in text
    assert "come here before or after other rules than they should" in text
    (text,) = texts(with_chain(node, "filter-input", policy="drop"), ruleset)
    assert "new connections to the node itself that no rule of it decides about are dropped" in text
    (text,) = texts(msgspec.structs.replace(node, other=("flags dormant",)), ruleset)
    assert "no Service is served" in text
    (text,) = texts(with_container(node, "service-ips", comment="mine"), ruleset)
    assert "only the comment differs, traffic is the same" in text


def test_the_service_cidrs_of_a_node_show_in_its_rules() -> None:
    rule = 'ip daddr {} drop comment "Drop traffic to unallocated ClusterIPs"'
    for given, found in (
        ("10.96.0.0/12", ("10.96.0.0/12",)),
        ("{ 10.96.0.0/16 , 10.99.0.0/16 }", ("10.96.0.0/16", "10.99.0.0/16")),
    ):
        node = Table("IPv4", {"cluster-ips-check": Chain((rule.format(given),))})
        assert facts([node]).service_cidrs == {"IPv4": found}
    assert facts([Table("IPv4", absent=True)]).service_cidrs == {}
    assert facts([]).service_cidrs == {}


def test_service_cidrs_that_touch_each_other_are_taken_as_nft_joins_them() -> None:
    case = NODES[0]
    drop = "ip daddr 10.96.0.0/12 drop"
    text = case["dumps"][TEXT].replace(drop, "ip daddr 10.96.0.0-10.112.255.255 drop")
    assert text != case["dumps"][TEXT]
    scenario = {what: told for what, told in case["scenario"].items() if what != "serviceCIDRs"}
    assert differences(scenario, {TEXT: text}, "nft") == []
    scenario["serviceCIDRs"] = {"IPv4": ["10.112.0.0/16", "10.96.0.0/12"], "IPv6": ["fd00:10:96::/112"]}
    assert differences(scenario, {TEXT: text}, "nft") == []


def test_families_do_not_mix() -> None:
    with pytest.raises(ValueError, match="IPv6 and IPv4 tables cannot be compared"):
        compare(Table("IPv6"), a_cluster())


def test_a_listing_that_cannot_be_read_is_named() -> None:
    case = NODES[0]
    with pytest.raises(ValueError, match="nft -j list ruleset: no JSON of nft"):
        differences(case["scenario"], {JSON: "{}"}, case["variant"])
    with pytest.raises(ValueError, match="nft list ruleset: line 1: "):
        differences(case["scenario"], {TEXT: "*nat\n"}, case["variant"])
