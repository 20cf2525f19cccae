"""Packets through rules of nftables: kube-proxy's words and those of others."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from rulegen.nftables.listing import ListingError
from rulegen.trace import nft_text
from tests.trace.nodes import NODE, OTHER_POD, OUTSIDE, POD, SERVICE, ask, effects, node, one


def table(*lines: str, family: str = "inet", name: str = "fw", hook: str = "forward") -> str:
    """A table with one chain of these rules, as nft lists it."""
    rules = "\n".join(f"\t\t{line}" for line in lines)
    start = f"type filter hook {hook} priority filter; policy accept;"
    return f"table {family} {name} {{\n\tchain c {{\n\t\t{start}\n{rules}\n\t}}\n}}\n"


@pytest.mark.parametrize(
    "rule",
    [
        "ip saddr 10.10.0.0/16 tcp dport 80 drop",
        "ip saddr != 192.168.0.0/16 drop",
        "ip saddr { 10.10.0.5, 10.10.0.6 } tcp dport { 22, 80-90 } drop",
        "ip saddr 10.10.0.1-10.10.0.9 counter packets 1 bytes 60 drop",
        'iifname "cni*" oifname "eth0" drop',
        'iifname { "cni0", "docker0" } drop',
        "meta l4proto { tcp, udp } th dport 80 drop",
        "ip protocol tcp ct state new drop",
        "ct state established,new drop",
        "ct state vmap { established : accept, new : drop }",
        "tcp flags syn / fin,syn,rst,ack drop",
        "tcp flags & (fin | syn | rst | ack) == syn drop",
        "fib daddr type unicast drop",
        "fib saddr . iif oif exists drop",
        "meta nfproto ipv4 meta mark & 0x000000ff == 0x00000000 drop",
        "meta mark set 0x00000011 meta mark and 0x11 == 0x11 drop",
        "ip daddr . tcp dport { 10.10.1.5 . 80, 10.10.1.6 . 81 } drop",
        "tcp dport vmap { 80 : drop, 22 : accept }",
        "ct original ip daddr 10.10.1.5 drop",
        "ct mark set meta mark ct mark 0x0 drop",
        'log prefix "a, b { c }: " level info drop',
        "tcp dport >= 80 tcp dport < 81 drop",
    ],
)
def test_a_rule_that_holds_for_the_packet_drops_it(rule: str) -> None:
    assert one(ask(node(nft=table(rule)), f"{OTHER_POD}:80")).kind == "dropped"


@pytest.mark.parametrize(
    "rule",
    [
        "ip6 saddr fd00::/8 drop",
        "ip saddr != 10.10.0.0/16 drop",
        "udp dport 80 drop",
        "tcp dport != 80 drop",
        'iifname != "cni0" drop',
        "ct state established,related drop",
        "ct status dnat drop",
        "fib saddr . iif oif missing drop",
        "fib daddr type local drop",
        "icmp type echo-request drop",
        "tcp flags & (fin | syn) == fin drop",
        "ip daddr . tcp dport { 10.10.1.5 . 81 } drop",
        "meta mark 0x00000001 drop",
        "tcp dport 80 continue",
    ],
)
def test_a_rule_that_does_not_hold_lets_it_pass(rule: str) -> None:
    assert one(ask(node(nft=table(rule)), f"{OTHER_POD}:80")).kind == "forwarded"


@pytest.mark.parametrize(
    "rule", ["limit rate 10/second drop", "socket transparent 1 drop", "ether saddr 2:0:0:0:0:1 drop"]
)
def test_what_is_not_known_parts_the_trace(rule: str) -> None:
    dropped, passed = ask(node(nft=table(rule)), f"{OTHER_POD}:80")
    assert (dropped.kind, passed.kind) == ("dropped", "forwarded")
    assert dropped.assumed and passed.assumed


def test_accept_ends_one_chain_and_drop_ends_all() -> None:
    first = table("accept", name="first").replace("priority filter", "priority -10")
    assert one(ask(node(nft=first + table("drop")), f"{OTHER_POD}:80")).kind == "dropped"
    dropping = table("drop", name="first").replace("priority filter", "priority -10")
    outcome = one(ask(node(nft=table("accept") + dropping), f"{OTHER_POD}:80"))
    assert effects(outcome) == ["inet first c #1: drop"]


def test_priorities_with_names_are_numbers() -> None:
    text = "".join(
        table("meta mark set 0x1", name=name, family="ip").replace("priority filter", f"priority {place}")
        for name, place in (("late", "filter + 5"), ("early", "mangle"), ("middle", "-10"))
    )
    outcome = one(ask(node(nft=text), f"{OTHER_POD}:80"))
    assert [step.table for step in outcome.steps] == ["ip early", "ip middle", "ip late"]


SETS = """\
table ip kp {
	set nets {
		type ipv4_addr
		flags interval
		elements = { 10.10.0.0/16, 192.0.2.1-192.0.2.9,
			198.51.100.0/24 }
	}

	map svc {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.10 . tcp . 80 comment "default/web" : goto web,
			10.96.0.10 . udp . 80 : drop }
	}

	set seen {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 3h
		elements = { 203.0.113.9 timeout 3h expires 2h59m }
	}

	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr . meta l4proto . th dport vmap @svc
	}

	chain web {
		ip saddr @seen goto one
		numgen random mod 3 vmap { 0 : goto one, 1-2 : goto two }
	}

	chain one {
		update @seen { ip saddr }
		meta l4proto tcp dnat to 10.10.1.1:8080
	}

	chain two {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.10.1.2 . 80, 1 : 10.10.1.3 . 80 }
	}

	chain post {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @nets masquerade fully-random
	}
}
"""


def test_maps_spread_connections_exactly_and_sets_remember_clients() -> None:
    where = node(nft=SETS)
    outcomes = ask(where, f"{SERVICE}:80")
    assert [(o.endpoint, o.chance) for o in outcomes] == [
        ("10.10.1.1:8080", Fraction(1, 3)),
        ("10.10.1.2:80", Fraction(1, 3)),
        ("10.10.1.3:80", Fraction(1, 3)),
    ]
    assert effects(outcomes[0]) == [
        "ip kp pre #1: go to web",
        "ip kp web #2: go to one",
        "ip kp one #1: remember 10.10.0.5 in seen",
        "ip kp one #2: DNAT to 10.10.1.1:8080",
        "ip kp post #1: masquerade: source becomes 192.168.10.1",
    ]
    known = one(ask(where, f"{SERVICE}:80", OUTSIDE))
    assert (known.endpoint, known.masqueraded) == ("10.10.1.1:8080", False)
    told = one(ask(node(nft=SETS, recent={"seen": [POD]}), f"{SERVICE}:80"))
    assert told.endpoint == "10.10.1.1:8080"
    assert one(ask(where, f"{SERVICE}:80", protocol="udp")).kind == "dropped"
    assert one(ask(where, f"{SERVICE}:81")).endpoint == ""


@pytest.mark.parametrize(
    ("match", "share"),
    [
        ("numgen random mod 10 0-2", Fraction(3, 10)),
        ("numgen random mod 10 != 0-2", Fraction(7, 10)),
        ("numgen random mod 10 < 4", Fraction(2, 5)),
        ("numgen random mod 4 offset 2 2", Fraction(1, 4)),
        ("numgen random mod 4 < 9", Fraction(1)),
    ],
)
def test_a_number_that_the_kernel_draws_drops_its_exact_share(match: str, share: Fraction) -> None:
    outcomes = ask(node(nft=table(f"{match} drop")), f"{OTHER_POD}:80")
    assert sum(outcome.chance for outcome in outcomes if outcome.kind == "dropped") == share
    assert sum(outcome.chance for outcome in outcomes) == 1


def test_commands_for_nft_are_read_like_a_listing() -> None:
    commands = """\
add table ip kp
delete table ip kp
add table ip kp { comment "rules for kube-proxy" ; }
add chain ip kp pre { type nat hook prerouting priority -100 ; }
add chain ip kp web
add map ip kp svc { type ipv4_addr . inet_proto . inet_service : verdict ; comment "Services; all" ; }
add element ip kp svc { 10.96.0.10 . tcp . 80 comment "default/web" : goto web }
add rule ip kp pre ip daddr . meta l4proto . th dport vmap @svc
add rule ip kp web dnat ip addr . port to numgen random mod 2 map { 0 : 10.10.1.2 . 80 , 1 : 10.10.1.3 . 80 }
insert rule ip kp web ip saddr 203.0.113.9 drop
"""
    where = node(nft=commands)
    assert [outcome.endpoint for outcome in ask(where, f"{SERVICE}:80")] == ["10.10.1.2:80", "10.10.1.3:80"]
    assert one(ask(where, f"{SERVICE}:80", OUTSIDE)).kind == "dropped"


def test_json_is_read_like_text() -> None:
    listing = {
        "nftables": [
            {"metainfo": {"json_schema_version": 1}},
            {"table": {"family": "inet", "name": "fw"}},
            {
                "chain": {
                    "family": "inet", "table": "fw", "name": "c",
                    "type": "filter", "hook": "forward", "prio": 0, "policy": "drop",
                }
            },
            {
                "rule": {
                    "family": "inet", "table": "fw", "chain": "c",
                    "expr": [
                        {
                            "match": {
                                "op": "==",
                                "left": {"payload": {"protocol": "tcp", "field": "dport"}},
                                "right": {"set": [22, {"range": [80, 90]}]},
                            }
                        },
                        {"counter": {"packets": 0, "bytes": 0}},
                        {"accept": None},
                    ],
                }
            },
        ]
    }  # fmt: skip
    where = node(nft=json.dumps(listing))
    assert one(ask(where, f"{OTHER_POD}:85")).kind == "forwarded"
    assert one(ask(where, f"{OTHER_POD}:91")).why == "the policy of inet fw c is drop"


def test_tables_of_iptables_nft_are_left_to_iptables() -> None:
    from rulegen.trace.ground import of_listings
    from tests.trace.nodes import host

    saved = "# Generated by iptables-save v1.8.9 (nf_tables) on now\n*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"
    listed = table('xt match "u32" drop', family="ip", name="filter")
    where = of_listings({"iptables-save": saved, "nft list ruleset": listed}, host())
    assert one(ask(where, f"{OTHER_POD}:80")).why == "the policy of filter FORWARD is DROP"


def test_a_refusal_is_what_the_rule_says() -> None:
    assert one(ask(node(nft=table("reject")), f"{OTHER_POD}:80")).answer == "ICMP port unreachable"
    reset = node(nft=table("meta l4proto tcp reject with tcp reset"))
    assert one(ask(reset, f"{OTHER_POD}:80")).answer == "TCP reset"
    prohibited = node(nft=table("reject with icmpx admin-prohibited", hook="input"))
    assert one(ask(prohibited, f"{NODE}:22", OUTSIDE)).answer == "ICMP administratively prohibited"


def test_text_that_nft_does_not_know_is_refused() -> None:
    with pytest.raises(ListingError, match="line 1"):
        nft_text.read("frobnicate the table\n")
    with pytest.raises(ListingError):
        nft_text.read('{"nftables": 7}')
    with pytest.raises(ListingError, match="has no end"):
        nft_text.read("table ip x {\n")
