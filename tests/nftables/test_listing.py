"""Reading what nft lists: nodes that a real kube-proxy programmed hold what is compiled for them."""

import json
from itertools import islice

import pytest

from rulegen.load.scenario import from_scenario
from rulegen.nftables import compile_rules
from rulegen.nftables.listing import ListingError, priority, read, seconds
from rulegen.nftables.table import equal, table
from rulegen.nftables.text import additions, script
from rulegen.plan import plan
from tests.recorded import cases

NODES = {
    case["name"]: case for case in cases("dumps-1.37") if case["scenario"]["config"]["mode"] == "nftables"
}

SMALL = """\
# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		oifname { "eth0", "eth1" } masquerade
	}
}
table ip kube-proxy { # handle 3
	comment "rules for kube-proxy"
	counter hits {
		packets 12 bytes 720
	}

	set affinity-X { # handle 9
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 3h
		elements = { 10.0.0.9 expires 2h59m1s, 10.0.0.8 timeout 3h expires 1h }
	}

	map no-endpoint-services {
		type ipv4_addr . inet_proto . inet_service : verdict
		comment "vmap"
		elements = { 10.96.0.9 . tcp . 80 comment "a, b : c" : drop,
WRAPPED10.96.0.8 . udp . 53 : goto reject-chain }
	}

	chain pre { # handle 1
		comment "of mine"
		type filter hook prerouting priority dstnat - 10; policy drop;
		ct state new jump firewall-check # handle 7
	}
}
""".replace("WRAPPED", "\t\t\t     ")


@pytest.mark.parametrize("how", ["nft list ruleset", "nft -j list ruleset", "nft -a list ruleset"])
@pytest.mark.parametrize("name", NODES)
def test_a_node_holds_what_is_compiled_for_it(name: str, how: str) -> None:
    scenario = from_scenario(NODES[name]["scenario"])
    dump = NODES[name]["dumps"][how]
    found = read(dump if isinstance(dump, str) else json.dumps(dump))
    assert list(found.tables) == list(scenario.families)
    for family in scenario.families:
        ruleset = compile_rules(
            plan(
                scenario.cluster,
                scenario.node,
                scenario.config,
                family,
                service_cidrs=scenario.service_cidrs.get(family),
            )
        )
        assert equal(found.tables[family], table(ruleset))


def test_other_tables_are_named_and_not_looked_into() -> None:
    assert read(SMALL).foreign == ("ip nat",)
    assert list(read(SMALL).tables) == ["IPv4"]


def test_what_the_kernel_adds_and_counts_is_left_out() -> None:
    kept = read(SMALL).tables["IPv4"]
    assert kept.counters == ("hits",)
    affinity = kept.containers["affinity-X"]
    assert (affinity.timeout, dict(affinity.elements)) == (10800, {})
    assert kept.chains["pre"].rules == ("ct state new jump firewall-check",)
    assert (kept.chains["pre"].hook, kept.chains["pre"].policy) == ("filter prerouting -110", "drop")


def test_elements_keep_their_comments_and_verdicts() -> None:
    elements = read(SMALL).tables["IPv4"].containers["no-endpoint-services"].elements
    assert [element.text for element in elements.values()] == [
        '10.96.0.9 . tcp . 80 comment "a, b : c" : drop',
        "10.96.0.8 . udp . 53 : goto reject-chain",
    ]


def test_a_rule_of_someone_else_in_the_table_is_kept_as_text() -> None:
    text = SMALL.replace("ct state new jump", "ip saddr 10.0.0.1 log jump")
    assert read(text).tables["IPv4"].chains["pre"].rules == ("ip saddr 10.0.0.1 log jump firewall-check",)


def test_nothing_listed_is_no_table() -> None:
    assert read("").tables == {}
    assert read('{"nftables": [{"metainfo": {"json_schema_version": 1}}]}').tables == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("*nat\nCOMMIT\n", 1),
        ("table ip kube-proxy {\n", 1),
        ("}\n", 1),
        ("add table ip kube-proxy\nadd chain ip kube-proxy\n", 2),
        ('{"items": []}', 0),
        ("{not json", 0),
    ],
)  # fmt: skip
def test_text_that_nft_does_not_print_is_an_error_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ListingError) as caught:
        read(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        "table ip kube-proxy {\n\tflowtable f {\n\t}\n}\n",
        '{"nftables": [{"table": {"family": "ip", "name": "kube-proxy"}}, {"flowtable": {"family": "ip", '
        '"table": "kube-proxy", "name": "f"}}]}',
    ],
)
def test_what_kube_proxy_has_none_of_is_kept_by_name(text: str) -> None:
    assert read(text).tables["IPv4"].other == ("flowtable f",)


def test_a_script_stands_for_what_it_makes() -> None:
    """What ``rulegen render`` wrote into a file can be compared like a node's own listing."""
    for recorded in islice(cases("1.37-nftables"), 20):
        case = from_scenario(recorded["scenario"])
        for family in case.families:
            rules = compile_rules(plan(case.cluster, case.node, case.config, family, case.version))
            for text in (script(rules), additions(rules)):
                assert equal(read(text).tables[family], table(rules))


@pytest.mark.parametrize(
    ("text", "number"), [("3h", 10800), ("23h59m59s", 86399), ("1d2h", 93600), ("10s", 10), ("", 0)]
)
def test_times_are_read_in_every_unit(text: str, number: int) -> None:
    assert seconds(text) == number


@pytest.mark.parametrize(
    ("text", "number"), [("-110", -110), ("dstnat - 10", -110), ("srcnat", 100), ("filter + 5", 5)]
)
def test_priorities_are_read_by_name_and_number(text: str, number: int) -> None:
    assert priority(text.split()) == number
