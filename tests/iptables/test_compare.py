"""Is this node as it should be: findings, notes, and what is left out."""

from __future__ import annotations

import random
import re

import pytest

from rulegen.conformance import differences
from rulegen.iptables import Ruleset, compile_rules
from rulegen.iptables.compare import compare, facts
from rulegen.iptables.dump import Chain, Dump
from rulegen.model import ServicePort
from rulegen.plan import plan
from tests.iptables.nodes import lived_in, programmed
from tests.iptables.rulesets import THOROUGH, rulesets
from tests.iptables.tampering import mutants
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of
from tests.recorded import cases

NODES = [case for case in cases("dumps-1.37") if case["scenario"]["mode"] == "iptables"]
LISTINGS = ("iptables-save", "ip6tables-save")
EVERY = 1 if THOROUGH else 12


def a_cluster(count: int = 2) -> Ruleset:
    web = service(
        "web",
        type="LoadBalancer",
        vips=["203.0.113.1"],
        ports=[ServicePort(port=80, node_port=30080, name="http")],
        load_balancer_source_ranges=["10.0.0.0/8"],
    )
    idle = service("idle", ip="10.96.0.11")
    ends = [endpoint(f"10.10.{n // 250}.{n % 250}") for n in range(1, count + 1)]
    return compile_rules(
        plan(cluster(web, slice_of(web, ends, port_name="http"), idle), NODE, CONFIG, "IPv4")
    )


def texts(node: Dump, ruleset: Ruleset) -> list[str]:
    return [finding.text for finding in compare(node, ruleset).findings]


@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_a_node_that_a_real_kube_proxy_programmed_is_as_it_should_be(case: dict) -> None:  # type: ignore[type-arg]
    assert differences(case["scenario"], case["dumps"], case["variant"]) == []
    for listing in ("iptables-save", "ip6tables-save", "iptables-save -c"):
        assert differences(case["scenario"], {listing: case["dumps"][listing]}, case["variant"]) == []


@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_facts_that_nobody_gave_are_taken_from_the_dump(case: dict) -> None:  # type: ignore[type-arg]
    node = {k: v for k, v in case["scenario"]["node"].items() if k not in ("nfacct", "conntrackTCPBeLiberal")}
    assert differences(case["scenario"] | {"node": node}, case["dumps"], case["variant"]) == []


def test_a_node_without_any_rule_of_kube_proxy_is_told_in_one_line() -> None:
    kubelet = Dump(tables={"filter": {"KUBE-FIREWALL": Chain(), "INPUT": Chain("ACCEPT")}})
    for node in (Dump(), kubelet):
        assert texts(node, a_cluster()) == [
            "kube-proxy: IPv4 every table: missing: all chains and rules of kube-proxy"
            " (no Service is served on this node (2 service ports))"
        ]


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("case", NODES, ids=lambda case: str(case["name"]))
def test_any_single_tampering_is_found_and_its_chain_named(case: dict, listing: str) -> None:  # type: ignore[type-arg]
    lines = case["dumps"][listing].split("\n")
    for number, (what, chain, tampered) in enumerate(mutants(lines)):
        if number % EVERY == 0:
            found = differences(case["scenario"], {listing: "\n".join(tampered)}, case["variant"])
            assert found, (what, chain)
            assert any(f" {chain}" in text for text in found), (what, chain, found)


def test_neighbours_counters_and_the_order_of_services_do_not_count() -> None:
    for ruleset in rulesets(every=10):
        node = lived_in(programmed(ruleset), random.Random(3))
        comparison = compare(node, ruleset)
        assert not comparison
        assert comparison.foreign
        assert all(actor in ("calico", "docker", "others") for actor in comparison.foreign)


def test_a_rule_of_somebody_else_ahead_of_a_jump_is_a_note() -> None:
    ruleset = a_cluster()
    node = programmed(ruleset)
    node.tables["nat"]["OUTPUT"].rules.insert(0, "-m addrtype --dst-type LOCAL -j DOCKER")
    comparison = compare(node, ruleset)
    assert comparison.findings == ()
    assert comparison.notes == (
        "IPv4 nat OUTPUT: DOCKER is ahead of KUBE-SERVICES (kube-proxy leaves that as it is)",
    )
    assert comparison.foreign == {"docker": 1}


def test_what_a_lost_rule_does_is_said_in_the_words_of_its_service() -> None:
    ruleset = a_cluster()
    expected = {
        ("nat", "KUBE-SERVICES", "cluster IP"): (
            "default/web:http: IPv4 nat KUBE-SERVICES: missing:",
            "connections to 10.96.0.10:80/tcp are not sent to its endpoints",
        ),
        ("nat", "KUBE-NODEPORTS", "30080"): (
            "default/web:http: IPv4 nat KUBE-NODEPORTS: missing:",
            "connections to node port :30080/tcp are not sent to its endpoints",
        ),
        ("filter", "KUBE-SERVICES", "REJECT"): (
            "default/idle: IPv4 filter KUBE-SERVICES: missing:",
            "traffic to 10.96.0.11:80/tcp is not refused: connections time out",
        ),
        ("filter", "KUBE-PROXY-FIREWALL", "DROP"): (
            "default/web:http: IPv4 filter KUBE-PROXY-FIREWALL: missing:",
            "clients outside loadBalancerSourceRanges are not dropped at 203.0.113.1:80/tcp",
        ),
        ("nat", "KUBE-FW-", "10.0.0.0/8"): ("default/web:http: ", "traffic from 10.0.0.0/8 is dropped"),
        ("nat", "KUBE-SVC-", "probability"): (
            "rule 2: missing:",
            "endpoint 10.10.0.1:8080 gets no new connections, the others get its share",
        ),
        ("nat", "KUBE-SVC-", "0.2:8080"): (
            "rule 3: missing:",
            "connections that were meant for endpoint 10.10.0.2:8080 are sent nowhere",
        ),
        ("nat", "KUBE-SEP-", "DNAT --to-destination 10.10.0.2"): (
            "rule 2: missing:",
            "what is sent to endpoint 10.10.0.2:8080 does not arrive there",
        ),
        ("nat", "KUBE-SEP-", "-s 10.10.0.2/32"): (
            "rule 1: missing:",
            "endpoint 10.10.0.2:8080 does not reach itself through the Service",
        ),
        ("nat", "KUBE-POSTROUTING", "MASQUERADE"): ("kube-proxy: IPv4 nat", "nothing is masqueraded"),
        ("nat", "PREROUTING", "KUBE-SERVICES"): (
            "kube-proxy: IPv4 nat PREROUTING rule 1: missing:",
            "connections that come into the node are not sent to any Service",
        ),
    }
    for (table, chain, part), (start, effect) in expected.items():
        node = programmed(ruleset)
        rules = next(
            c.rules
            for name, c in node.tables[table].items()
            if name.startswith(chain) and any(part in rule for rule in c.rules)
        )
        rules.remove(next(rule for rule in rules if part in rule))
        (text,) = texts(node, ruleset)
        assert start in text
        assert effect in text


def test_an_edited_rule_says_what_it_does_and_what_it_should_do() -> None:
    ruleset = a_cluster()
    node = programmed(ruleset)
    for chain in node.tables["nat"].values():
        chain.rules = [rule.replace("10.10.0.2:8080", "10.10.0.9:8080") for rule in chain.rules]
    comments = [f for f in compare(node, ruleset).findings if f.place.startswith("nat KUBE-SVC-")]
    (sent,) = [f for f in compare(node, ruleset).findings if f.place.startswith("nat KUBE-SEP-")]
    assert sent.what == "changed"
    assert sent.service == "default/web:http"
    assert sent.effect == (
        "it sends traffic of tcp to 10.10.0.9:8080,"
        " instead of one that sends traffic of tcp to 10.10.0.2:8080"
    )
    assert all(f.what == "changed" for f in comments)


def test_stale_chains_are_told_with_whose_they_were_and_who_leads_there() -> None:
    before, after = a_cluster(3), a_cluster(2)
    node = programmed(before)
    stale = [f for f in compare(node, after).findings if f.what == "stale"]
    (finding,) = stale
    assert finding.service == "default/web:http"
    assert finding.rule == "a chain of no Service, with 2 rules, for endpoint 10.10.0.3:8080"
    assert re.fullmatch(r"KUBE-SVC-[A-Z2-7]{16} still leads to it", finding.effect)
    node = programmed(after)
    node.tables["nat"]["KUBE-SVC-AAAAAAAAAAAAAAAA"] = Chain()
    (finding,) = compare(node, after).findings
    assert finding.effect == "nothing leads to it: no effect on traffic"


def test_above_1000_endpoints_old_comments_and_unused_chains_are_notes() -> None:
    large = a_cluster(1001)
    assert large.large
    node = programmed(large)
    nat = node.tables["nat"]
    name = next(chain for chain in nat if chain.startswith("KUBE-SEP-"))
    nat[name].rules = [f'-m comment --comment "default/web:http" {rule}' for rule in nat[name].rules]
    nat["KUBE-SEP-AAAAAAAAAAAAAAAA"] = Chain(rules=["-j KUBE-MARK-MASQ"])
    comparison = compare(node, large)
    assert comparison.findings == ()
    assert comparison.notes == (
        "IPv4: old comments in 1 chain (above 1,000 endpoints kube-proxy writes none, and leaves those)",
        "IPv4: 1 chain of no Service that nothing leads to (above 1,000 endpoints kube-proxy deletes such"
        " chains now and then only)",
    )
    nat[next(chain for chain in nat if chain.startswith("KUBE-SVC-"))].rules.append(
        "-j KUBE-SEP-AAAAAAAAAAAAAAAA"
    )
    assert {finding.what for finding in compare(node, large).findings} == {"extra", "stale"}


def test_the_facts_of_a_node_show_in_its_rules() -> None:
    node = programmed(a_cluster())
    assert (facts([node]).nfacct, facts([node]).conntrack_tcp_be_liberal) == (False, False)
    node.tables["filter"]["KUBE-FORWARD"].rules[0] = (
        "-m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP"
    )
    assert (facts([node]).nfacct, facts([node]).conntrack_tcp_be_liberal) == (True, False)
    del node.tables["filter"]["KUBE-FORWARD"].rules[0]
    assert (facts([node]).nfacct, facts([node]).conntrack_tcp_be_liberal) == (False, True)
    assert (facts([]).nfacct, facts([]).conntrack_tcp_be_liberal) == (None, None)


def test_a_listing_that_cannot_be_read_is_named() -> None:
    case = NODES[0]
    with pytest.raises(ValueError, match="ip6tables-save: line 2: the end, but a table has no COMMIT"):
        differences(case["scenario"], {"ip6tables-save": "*nat\n"}, case["variant"])
