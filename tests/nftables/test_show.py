"""What a Service's part of the table is said to do."""

from rulegen.backend import Branch, backend, document
from rulegen.model import FAMILIES, Cluster
from rulegen.nftables import BACKEND, Ruleset
from rulegen.plan import ServicePort, plan
from tests.nftables.test_compile import PRIMARY, SCENARIOS, of
from tests.objects import NODE, cluster, endpoint, service, slice_of


def shown(objects: Cluster) -> tuple[Ruleset, list[ServicePort]]:
    planned = plan(objects, NODE, PRIMARY, "IPv4")
    return BACKEND.compile_rules(planned), [p.port for p in planned.ports]


def notes(objects: Cluster) -> list[tuple[str, int | None, str]]:
    rules, ports = shown(objects)
    return [(row.chain, row.number, row.note) for row in BACKEND.show(rules, ports)]


def drawn(branches: list[Branch], depth: int = 0) -> list[str]:
    lines = []
    for branch in branches:
        lines.append("  " * depth + branch.label + (f"  ({branch.note})" if branch.note else ""))
        lines += drawn(list(branch.children), depth + 1)
    return lines


def test_the_mode_has_the_doors_of_every_mode() -> None:
    assert backend("nftables") is BACKEND
    assert [form.name for form in BACKEND.forms] == ["nft", "nft-add"]


def test_rules_come_in_the_order_in_which_a_packet_meets_them() -> None:
    web = service(type="LoadBalancer", vips=["198.51.100.7"], load_balancer_source_ranges=["203.0.113.0/24"])
    ends = [endpoint("10.10.0.5", "n1"), endpoint("10.10.1.6", "n2")]
    assert notes(cluster(web, slice_of(web, ends))) == [
        (
            "@firewall-ips",
            None,
            "198.51.100.7:80/tcp, loadbalancer IP: go to firewall-PFISGYVC-default/web/tcp/",
        ),
        ("firewall-PFISGYVC-default/web/tcp/", 1, "source outside 203.0.113.0/24: drop"),
        ("@cluster-ips", None, "10.96.0.10, a cluster IP: ports that no Service has are refused"),
        (
            "@service-ips",
            None,
            "10.96.0.10:80/tcp, cluster IP: go to service-PFISGYVC-default/web/tcp/",
        ),
        (
            "@service-ips",
            None,
            "198.51.100.7:80/tcp, loadbalancer IP: go to external-PFISGYVC-default/web/tcp/",
        ),
        ("external-PFISGYVC-default/web/tcp/", 1, "all traffic: masquerade"),
        (
            "external-PFISGYVC-default/web/tcp/",
            2,
            "all the rest: go to service-PFISGYVC-default/web/tcp/",
        ),
        ("service-PFISGYVC-default/web/tcp/", 1, "1/2 each to 10.10.0.5:8080, 10.10.1.6:8080"),
        (
            "@hairpin-connections",
            None,
            "10.10.0.5 to itself on 8080/tcp: an endpoint reaches itself through a Service: masquerade, or"
            " it would answer itself",
        ),
    ]


def test_a_service_that_keeps_its_clients_says_for_how_long() -> None:
    web = service(affinity=600)
    found = [note for _, _, note in notes(cluster(web, slice_of(web, ["10.10.1.5", "10.10.1.6"])))]
    assert "a client seen here in the last 600s stays at 10.10.1.5:8080" in found
    assert "1/2 each to 10.10.1.5:8080, 10.10.1.6:8080" in found
    assert "remember the client for 600s" in found


def test_the_tree_of_a_service_with_endpoints_elsewhere_only() -> None:
    web = service(type="NodePort", external_traffic_policy="Local", vips=["198.51.100.7"])
    rules, ports = shown(cluster(web, slice_of(web, ["10.10.1.5"])))
    assert drawn(BACKEND.tree(rules, ports)) == [
        "nat-output, nat-prerouting",
        "  services",
        "    source outside 10.10.0.0/16 to cluster IPs: masquerade",
        "    10.96.0.10:80/tcp  (cluster IP)",
        "      service-PFISGYVC-default/web/tcp/",
        "         all  -> 10.10.1.5:8080",
        "    198.51.100.7:80/tcp  (loadbalancer IP)",
        "      external-PFISGYVC-default/web/tcp/",
        "        source 10.10.0.0/16: service-PFISGYVC-default/web/tcp/  (as above)",
        "        from the node itself: masquerade",
        "        from the node itself: service-PFISGYVC-default/web/tcp/  (as above)",
        "filter-input, filter-forward, filter-output",
        "  nodeport-endpoints-check, service-endpoints-check",
        "    198.51.100.7:80/tcp  (drop, no local endpoints)",
    ]


def test_a_service_without_endpoints_is_only_refused() -> None:
    rules, ports = shown(cluster(service()))
    assert drawn(BACKEND.tree(rules, ports)) == [
        "filter-input, filter-forward, filter-output",
        "  nodeport-endpoints-check, service-endpoints-check",
        "    10.96.0.10:80/tcp  (refuse, no endpoints)",
    ]


def test_every_endpoint_has_a_name_to_be_found_by() -> None:
    for scenario in SCENARIOS:
        for family in scenario.families:
            rules = of(scenario, family)
            for planned in plan(scenario.cluster, scenario.node, scenario.config, family).ports:
                found = BACKEND.chain_names(rules, planned.port)
                assert sorted(found) == sorted(c.address for c in planned.choice.reachable)


def test_every_rule_of_every_recorded_service_has_a_note_and_a_way_to_it() -> None:
    for scenario in SCENARIOS[::4]:
        for family in scenario.families:
            rules = of(scenario, family)
            for planned in plan(scenario.cluster, scenario.node, scenario.config, family).ports:
                fragment = rules.fragments[planned.port.key]
                rows = BACKEND.show(rules, [planned.port])
                assert len(rows) == fragment.rules.count("\n") + len(set(fragment.elements))
                assert all(row.note for row in rows)
                assert BACKEND.tree(rules, [planned.port])


def test_plain_data_is_one_document_of_nft_for_both_families() -> None:
    rules = {family: BACKEND.compile_rules(plan(cluster(), NODE, PRIMARY, family)) for family in FAMILIES}
    steps = document(BACKEND, rules, {"mode": "nftables"})["nftables"]
    assert steps[0] == {"metainfo": {"json_schema_version": 1}}
    assert [step["delete"]["table"]["family"] for step in steps if "delete" in step] == ["ip", "ip6"]
