"""What a Service's part of the ipvs mode is said to do, as a list, a tree, and a table."""

from __future__ import annotations

from typing import Any

from rulegen.backend import Branch
from rulegen.ipvs import BACKEND, Ruleset
from rulegen.ipvs.sets import MAX_ELEMENTS
from rulegen.ipvs.table import table
from rulegen.model import Cluster
from rulegen.model.objects import ServicePort
from rulegen.plan import ServicePort as PlannedServicePort
from rulegen.plan import plan
from tests.ipvs.test_compile import SCENARIOS, compiled
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of


def ports_of(objects: Cluster) -> list[PlannedServicePort]:
    return [planned.port for planned in plan(objects, NODE, CONFIG, "IPv4").ports]


def drawn(branches: list[Branch] | tuple[Branch, ...], depth: int = 0) -> list[str]:
    lines = []
    for branch in branches:
        lines.append("  " * depth + branch.label + (f"  ({branch.note})" if branch.note else ""))
        lines += drawn(branch.children, depth + 1)
    return lines


def balanced(**spec: Any) -> Cluster:
    """A load balancer's Service with a node port, an endpoint here and one elsewhere."""
    ports = [ServicePort(port=80, node_port=30080)]
    web = service(type="LoadBalancer", ports=ports, vips=["198.51.100.7"], **spec)
    return cluster(web, slice_of(web, [endpoint("10.10.0.5", "n1"), endpoint("10.10.1.6")]))


def test_a_packet_meets_the_address_then_rules_then_its_server_then_masquerading() -> None:
    objects = balanced()
    shown = BACKEND.show(compiled(objects), ports_of(objects))
    places = list(dict.fromkeys((row.table, row.chain) for row in shown if row.table != "ipset"))
    assert places == [
        ("address", "kube-ipvs0"),
        ("nat", "KUBE-SERVICES"),
        ("nat", "KUBE-LOAD-BALANCER"),
        ("nat", "KUBE-NODE-PORT"),
        ("filter", "KUBE-IPVS-FILTER"),
        ("ipvs", "TCP 10.96.0.10:80"),
        ("ipvs", "TCP 198.51.100.7:80"),
        ("ipvs", "TCP 192.168.10.1:30080"),
        ("nat", "KUBE-POSTROUTING"),
    ]
    assert ("10.10.0.5,tcp:8080,10.10.0.5") in shown[-4].rule


def test_entries_follow_the_first_rule_that_looks_into_their_set() -> None:
    objects = balanced()
    shown = BACKEND.show(compiled(objects), ports_of(objects))
    entry = next(
        index for index, row in enumerate(shown) if row.rule == "add KUBE-CLUSTER-IP 10.96.0.10,tcp:80"
    )
    assert "--match-set KUBE-CLUSTER-IP" in shown[entry - 1].rule
    assert shown[entry - 1].note == "to a cluster IP from outside 10.10.0.0/16: masquerade"
    rules = [row.rule for row in shown if row.table == "ipset"]
    assert len(rules) == len(set(rules))


def test_numbers_are_those_of_the_compiled_chains() -> None:
    for scenario in SCENARIOS[::10]:
        for family in scenario.families:
            planned = plan(scenario.cluster, scenario.node, scenario.config, family)
            ruleset = BACKEND.compile_rules(planned)
            tables = ruleset.tables()
            for row in BACKEND.show(ruleset, [item.port for item in planned.ports]):
                if row.number is not None:
                    assert tables[row.table][row.chain][row.number - 1] == row.rule


def test_every_entry_and_server_belongs_to_some_service() -> None:
    for scenario in SCENARIOS[::10]:
        for family in scenario.families:
            planned = plan(scenario.cluster, scenario.node, scenario.config, family)
            ruleset = BACKEND.compile_rules(planned)
            shown = {row.rule for row in BACKEND.show(ruleset, [item.port for item in planned.ports])}
            for form in ("ipvsadm", "ipset"):
                text = next(each for each in BACKEND.forms if each.name == form).write(ruleset)
                assert {line for line in text.splitlines() if not line.startswith("create ")} <= shown


def test_the_tree_says_of_each_address_what_its_packets_meet() -> None:
    objects = balanced(external_traffic_policy="Local", load_balancer_source_ranges=["203.0.113.0/24"])
    assert drawn(BACKEND.tree(compiled(objects), ports_of(objects))) == [
        "10.96.0.10:80/tcp  (cluster IP: 2 real servers, connections go in turn)",
        "  to a cluster IP from outside 10.10.0.0/16: masquerade  (nat KUBE-SERVICES #3)",
        "  -> 10.10.0.5:8080",
        "  -> 10.10.1.6:8080",
        "198.51.100.7:80/tcp  (load balancer IP: one real server)",
        "  externalTrafficPolicy is Local: keep the client's address  (nat KUBE-LOAD-BALANCER #1)",
        "  from 203.0.113.0/24: let it through  (filter KUBE-SOURCE-RANGES-FIREWALL #1)",
        "  everything else: drop, no source range lets it through  (filter KUBE-SOURCE-RANGES-FIREWALL #2)",
        "  -> 10.10.0.5:8080",
        "  from the node itself: drop, no source range lets the node in  (filter KUBE-IPVS-OUT-FILTER #1)",
        "192.168.10.1:30080/tcp  (node port: one real server)",
        "  externalTrafficPolicy is Local: keep the client's address  (nat KUBE-NODE-PORT #1)",
        "  -> 10.10.0.5:8080",
    ]


def test_leaves_name_their_endpoints() -> None:
    objects = balanced()
    (first, *_) = BACKEND.tree(compiled(objects), ports_of(objects))
    assert [leaf.endpoint for leaf in first.children] == ["", "10.10.0.5:8080", "10.10.1.6:8080"]


def test_a_sticky_service_without_endpoints_says_both() -> None:
    web = service(affinity=90)
    assert drawn(BACKEND.tree(compiled(cluster(web)), ports_of(cluster(web))))[0] == (
        "10.96.0.10:80/tcp  (cluster IP: no real server, connections are refused)"
    )
    objects = cluster(web, slice_of(web, ["10.10.1.1"]))
    assert drawn(BACKEND.tree(compiled(objects), ports_of(objects)))[0].endswith(
        "one real server; a client stays at its real server for 90 s)"
    )


def test_an_endpoint_stands_in_the_first_server_that_sends_to_it() -> None:
    objects = balanced()
    (port,) = ports_of(objects)
    assert BACKEND.chain_names(compiled(objects), port) == {
        "10.10.0.5:8080": "TCP 10.96.0.10:80 -> 10.10.0.5:8080",
        "10.10.1.6:8080": "TCP 10.96.0.10:80 -> 10.10.1.6:8080",
    }


def test_a_server_that_another_service_has_taken_is_not_shown_twice() -> None:
    first = service("a", ip="10.96.0.1", external_ips=["198.51.100.1"])
    second = service("b", ip="10.96.0.2", external_ips=["198.51.100.1"])
    objects = cluster(first, second)
    rules = compiled(objects)
    mine, other = ports_of(objects)
    assert "TCP 198.51.100.1:80" not in {row.chain for row in BACKEND.show(rules, [mine])}
    assert "TCP 198.51.100.1:80" in {row.chain for row in BACKEND.show(rules, [other])}
    assert table(rules).count("TCP 198.51.100.1:80") == 1


def lines_of(rules: Ruleset) -> list[str]:
    return table(rules).splitlines()


def test_the_table_tells_each_server_on_a_line() -> None:
    lines = lines_of(compiled(balanced(affinity=60)))
    assert lines[:4] == [
        "IPv4, scheduler rr",
        "",
        "SERVICE       ADDRESS            VIRTUAL SERVER           STICKY   REAL SERVERS",
        "default/web   cluster IP         TCP 10.96.0.10:80        60s      10.10.0.5:8080, 10.10.1.6:8080",
    ]
    assert "addresses for node ports: 192.168.10.1" in lines
    assert "net.ipv4.vs.conn_reuse_mode = 0 (kernels from 4.1 and before 5.9)" in lines


def test_the_table_warns_of_a_set_that_is_too_large_for_the_kernel() -> None:
    web = service()
    ends = [
        endpoint(f"10.{11 + i // 65536}.{i // 256 % 256}.{i % 256}", "n1") for i in range(MAX_ELEMENTS + 1)
    ]
    lines = lines_of(compiled(cluster(web, slice_of(web, ends))))
    assert "note: KUBE-LOOP-BACK holds 65536 entries; the kernel refuses the others" in lines


def test_the_table_warns_of_a_scheduler_that_linux_does_not_have() -> None:
    note = "note: Linux has no scheduler wrrr; without it kube-proxy ends at its start"
    assert note in lines_of(compiled(balanced(), ipvs_scheduler="wrrr"))
    assert "note: " not in table(compiled(balanced(), ipvs_scheduler="wrr"))
