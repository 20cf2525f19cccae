"""Packets through rules of iptables, one habit of the kernel at a time."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rulegen.trace import TraceError
from rulegen.trace.conntrack import matching, read
from tests.trace.nodes import NODE, OTHER_POD, OUTSIDE, POD, SERVICE, ask, effects, filtering, nat, node, one

TO_POD = f"-A PREROUTING -d {SERVICE} -p tcp --dport 80 -j DNAT --to-destination {OTHER_POD}:8080"


def test_filter_sees_where_a_packet_goes_after_translation() -> None:
    rules = nat(TO_POD) + filtering(f"-A FORWARD -d {OTHER_POD} -p tcp --dport 8080 -j DROP")
    outcome = one(ask(node(rules), f"{SERVICE}:80"))
    assert outcome.kind == "dropped"
    assert effects(outcome) == ["nat PREROUTING #1: DNAT to 10.10.1.5:8080", "filter FORWARD #1: DROP"]
    assert str(outcome.before) == "tcp 10.10.0.5 -> 10.96.0.10:80"
    assert str(outcome.after) == "tcp 10.10.0.5 -> 10.10.1.5:8080"


def test_the_node_s_own_packets_meet_output_and_never_prerouting() -> None:
    rules = nat(TO_POD)
    assert one(ask(node(rules), f"{SERVICE}:80", NODE)).endpoint == ""
    outcome = one(ask(node(rules.replace("-A PREROUTING", "-A OUTPUT")), f"{SERVICE}:80", NODE))
    assert (outcome.endpoint, outcome.device, outcome.hop) == ("10.10.1.5:8080", "eth0", "192.168.10.254")


def test_raw_comes_before_mangle_before_nat_before_filter() -> None:
    rules = "".join(
        f"*{table}\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j MARK --set-mark {number}\nCOMMIT\n"
        for number, table in enumerate(("mangle", "nat", "raw"), 1)
    )
    outcome = one(ask(node(rules), f"{OTHER_POD}:80"))
    assert [step.table for step in outcome.steps] == ["raw", "mangle", "nat"]
    assert outcome.after.mark == 2, "what nat set last"


def test_return_leads_behind_the_jump_and_goto_past_it() -> None:
    rules = filtering(
        ":FIRST - [0:0]",
        ":SECOND - [0:0]",
        "-A FORWARD -j FIRST",
        "-A FORWARD -j REJECT",
        "-A FIRST -g SECOND",
        "-A FIRST -j DROP",
        "-A SECOND -j RETURN",
        "-A SECOND -j DROP",
    )
    outcome = one(ask(node(rules), f"{OTHER_POD}:80"))
    assert effects(outcome) == [
        "filter FORWARD #1: go to FIRST",
        "filter FIRST #1: go to SECOND",
        "filter SECOND #1: return",
        "filter FORWARD #2: REJECT with ICMP port unreachable",
    ]


def test_the_policy_decides_where_no_rule_does() -> None:
    rules = filtering(":FORWARD DROP [0:0]", f"-A FORWARD -s {POD} -j ACCEPT")
    assert one(ask(node(rules), f"{OTHER_POD}:80")).kind == "forwarded"
    outcome = one(ask(node(rules), f"{OTHER_POD}:80", OUTSIDE))
    assert (outcome.kind, outcome.why) == ("dropped", "the policy of filter FORWARD is DROP")


def test_three_endpoints_share_evenly_down_to_the_kernel_s_rounding() -> None:
    random = "-A PREROUTING -p tcp -m statistic --mode random --probability"
    rules = nat(
        f"{random} 0.3333333333 -j DNAT --to-destination 10.10.1.1:80",
        f"{random} 0.5000000000 -j DNAT --to-destination 10.10.1.2:80",
        "-A PREROUTING -p tcp -j DNAT --to-destination 10.10.1.3:80",
    )
    outcomes = ask(node(rules), f"{SERVICE}:80")
    assert [outcome.endpoint for outcome in outcomes] == ["10.10.1.1:80", "10.10.1.2:80", "10.10.1.3:80"]
    third = Fraction(round(Fraction("0.3333333333") * 2**31), 2**31)
    assert [outcome.chance for outcome in outcomes] == [third, (1 - third) / 2, (1 - third) / 2]
    assert sum(outcome.chance for outcome in outcomes) == 1


def test_session_affinity_keeps_a_client_that_is_known() -> None:
    rules = nat(
        ":SVC - [0:0]",
        ":SEP-1 - [0:0]",
        ":SEP-2 - [0:0]",
        f"-A PREROUTING -d {SERVICE} -j SVC",
        "-A SVC -m recent --name SEP-1 --rcheck --seconds 10800 --reap -j SEP-1",
        "-A SVC -m recent --name SEP-2 --rcheck --seconds 10800 --reap -j SEP-2",
        "-A SVC -m statistic --mode random --probability 0.5 -j SEP-1",
        "-A SVC -j SEP-2",
        "-A SEP-1 -p tcp -m recent --name SEP-1 --set -j DNAT --to-destination 10.10.1.1:80",
        "-A SEP-2 -p tcp -m recent --name SEP-2 --set -j DNAT --to-destination 10.10.1.2:80",
    )
    stranger = ask(node(rules), f"{SERVICE}:80")
    assert [(o.endpoint, o.chance) for o in stranger] == [
        ("10.10.1.1:80", Fraction(1, 2)),
        ("10.10.1.2:80", Fraction(1, 2)),
    ]
    known = one(ask(node(rules, recent={"SEP-2": [POD]}), f"{SERVICE}:80"))
    assert known.endpoint == "10.10.1.2:80"


def test_marks_are_matched_with_their_masks_and_masquerading_takes_the_device_s_address() -> None:
    rules = nat(
        ":POSTROUTING ACCEPT [0:0]",
        "-A PREROUTING -j MARK --or-mark 0x4000",
        "-A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A POSTROUTING -j MARK --xor-mark 0x4000",
        "-A POSTROUTING -j MASQUERADE --random-fully",
    )
    to_pod = one(ask(node(rules), f"{POD}:80", OUTSIDE))
    assert to_pod.after.from_text == "10.10.0.1", "the bridge's own"
    outside = one(ask(node(rules), f"{OUTSIDE}:80"))
    assert (outside.after.from_text, outside.after.mark) == ("192.168.10.1", 0)
    own = one(ask(node(rules), f"{OUTSIDE}:80", NODE))
    assert not own.masqueraded, "no mark was set for the node's own packet"


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("", "ICMP port unreachable"),
        (" --reject-with tcp-reset", "TCP reset"),
        (" --reject-with icmp-admin-prohibited", "ICMP administratively prohibited"),
    ],
)
def test_a_refusal_says_what_the_client_hears(option: str, answer: str) -> None:
    outcome = one(ask(node(filtering(f"-A FORWARD -p tcp -j REJECT{option}")), f"{OTHER_POD}:80"))
    assert (outcome.kind, outcome.answer) == ("rejected", answer)


def test_local_and_other_addresses_are_told_apart() -> None:
    rules = filtering(
        "-A INPUT -m addrtype --dst-type LOCAL -p tcp --dport 22 -j ACCEPT",
        "-A INPUT -j DROP",
        "-A FORWARD -m addrtype ! --src-type LOCAL -j REJECT",
    )
    assert one(ask(node(rules), f"{NODE}:22", OUTSIDE)).kind == "local"
    assert one(ask(node(rules), f"{NODE}:23", OUTSIDE)).kind == "dropped"
    assert one(ask(node(rules), f"{OTHER_POD}:80")).kind == "rejected"


def test_conntrack_knows_that_a_connection_was_translated() -> None:
    rules = nat(TO_POD) + filtering("-A FORWARD -m conntrack --ctstate DNAT -j REJECT", "-A FORWARD -j DROP")
    assert one(ask(node(rules), f"{SERVICE}:80")).kind == "rejected"
    assert one(ask(node(rules), f"{OTHER_POD}:80")).kind == "dropped"


def test_a_translation_to_the_same_address_is_none() -> None:
    rules = nat(f"-A PREROUTING -j DNAT --to-destination {OTHER_POD}:80") + filtering(
        "-A FORWARD -m conntrack --ctstate DNAT -j DROP"
    )
    assert one(ask(node(rules), f"{OTHER_POD}:80")).kind == "forwarded"


def test_an_established_connection_goes_where_its_first_packet_went() -> None:
    listing = (
        f"tcp      6 431999 ESTABLISHED src={POD} dst={SERVICE} sport=40000 dport=80"
        f" src=10.10.1.9 dst={POD} sport=8080 dport=40000 [ASSURED] mark=0 use=1\n"
    )
    where = node(
        nat(TO_POD)
        + filtering("-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT", "-A FORWARD -j DROP")
    )
    new = one(ask(where, f"{SERVICE}:80"))
    assert new.kind == "dropped"
    connection = matching(read(listing), new.before)
    later = one(where.trace(new.before, "cni0", connection=connection))
    assert (later.kind, later.endpoint) == ("forwarded", "10.10.1.9:8080")


def test_an_unknown_match_parts_the_trace_in_two() -> None:
    rules = filtering("-A FORWARD -m u32 --u32 0x6&0xFF=0x1 -j DROP", "-A FORWARD -j ACCEPT")
    dropped, passed = ask(node(rules), f"{OTHER_POD}:80")
    assert (dropped.kind, dropped.assumed) == (
        "dropped",
        ("FORWARD FORWARD #1: -m u32 --u32 0x6&0xFF=0x1 matches",),
    )
    assert (passed.kind, passed.assumed) == (
        "forwarded",
        ("FORWARD FORWARD #1: -m u32 --u32 0x6&0xFF=0x1 does not match",),
    )
    assert dropped.chance == passed.chance == 1, "each is certain under its assumption"


def test_an_unknown_match_in_front_of_a_log_line_changes_nothing() -> None:
    rules = filtering('-A FORWARD -m limit --limit 5/min -j LOG --log-prefix "denied: "')
    assert one(ask(node(rules), f"{OTHER_POD}:80")).assumed == ()


def test_an_unknown_target_may_end_the_way_or_not() -> None:
    outcomes = ask(node(filtering("-A FORWARD -j TARPIT")), f"{OTHER_POD}:80")
    assert [outcome.kind for outcome in outcomes] == ["unknown", "forwarded"]


def test_a_match_that_fails_for_sure_leaves_no_doubt() -> None:
    rules = filtering("-A FORWARD -m u32 --u32 0x6&0xFF=0x1 -p udp -j DROP")
    assert one(ask(node(rules), f"{OTHER_POD}:80")).kind == "forwarded"


SETS = """\
create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536
add KUBE-CLUSTER-IP 10.96.0.10,tcp:80
create NETS hash:net family inet hashsize 1024 maxelem 65536
add NETS 10.10.0.0/16
add NETS 10.10.1.0/24 nomatch
create PORTS bitmap:port range 0-65535
add PORTS 30000-30010
"""


@pytest.mark.parametrize(
    ("match", "to", "source", "holds"),
    [
        ("KUBE-CLUSTER-IP dst,dst", f"{SERVICE}:80", POD, True),
        ("KUBE-CLUSTER-IP dst,dst", f"{SERVICE}:81", POD, False),
        ("NETS src", f"{SERVICE}:80", POD, True),
        ("NETS src", f"{SERVICE}:80", OTHER_POD, False),
        ("NETS dst", f"{SERVICE}:80", POD, False),
        ("PORTS dst", f"{SERVICE}:30010", POD, True),
        ("PORTS dst", SERVICE, POD, False),
    ],
)
def test_sets_hold_addresses_ports_and_networks(match: str, to: str, source: str, holds: bool) -> None:
    rules = filtering(f"-A FORWARD -m set --match-set {match} -j DROP")
    assert (one(ask(node(rules, sets=SETS), to, source)).kind == "dropped") is holds


def test_a_set_that_no_listing_has_is_a_doubt_and_the_same_one_all_the_way() -> None:
    rules = filtering(
        "-A FORWARD -m set --match-set GONE dst -j MARK --set-mark 1",
        "-A FORWARD -m set ! --match-set GONE dst -j DROP",
    )
    assert [outcome.kind for outcome in ask(node(rules), f"{OTHER_POD}:80")] == ["forwarded", "dropped"]


def test_devices_with_a_plus_are_prefixes() -> None:
    rules = filtering("-A FORWARD -i cni+ -o eth0 -j DROP")
    assert one(ask(node(rules), f"{OUTSIDE}:80")).kind == "dropped"
    assert one(ask(node(rules), f"{POD}:80", OUTSIDE)).kind == "forwarded"
    outcomes = node(rules).trace(one(ask(node(), f"{OUTSIDE}:80")).before, None)
    assert [outcome.kind for outcome in outcomes] == ["dropped", "forwarded"], "a device that is not known"


def test_a_client_s_own_port_is_somewhere_in_the_ephemeral_range() -> None:
    def kinds(match: str) -> list[str]:
        where = node(filtering(f"-A FORWARD -p tcp -m tcp --sport {match} -j DROP"))
        return [outcome.kind for outcome in ask(where, f"{OUTSIDE}:80")]

    assert kinds("22") == ["forwarded"]
    assert kinds("1024:65535") == ["dropped"]
    assert kinds("40000:50000") == ["dropped", "forwarded"]


def test_bridged_packets_have_a_port_only_with_br_netfilter() -> None:
    rules = filtering("-A FORWARD -m physdev ! --physdev-is-in -j DROP")
    assert one(ask(node(rules), f"{OUTSIDE}:80")).kind == "dropped"
    assert one(ask(node(rules, bridges=["cni0"]), f"{OUTSIDE}:80")).kind == "forwarded"


def test_a_packet_that_no_route_takes_is_told_so() -> None:
    where = node(nat(TO_POD), interfaces={"eth0": ["192.168.10.1/24"]})
    where.host._routes.clear()
    outcome = one(where.trace(one(ask(node(), f"{OUTSIDE}:80")).before, "cni0"))
    assert (outcome.kind, outcome.answer) == ("unreachable", "ICMP network unreachable")


def test_strangers_with_the_node_s_own_address_are_martians() -> None:
    assert "martian" in one(ask(node(), f"{POD}:80", NODE, device="eth0")).why


def test_loopback_leaves_the_node_only_with_route_localnet() -> None:
    rules = nat(
        ":POSTROUTING ACCEPT [0:0]",
        f"-A OUTPUT -p tcp --dport 30000 -j DNAT --to-destination {POD}:80",
        "-A POSTROUTING -j MASQUERADE",
    )
    sealed = one(ask(node(rules), "127.0.0.1:30000", "127.0.0.1", device=""))
    assert (sealed.kind, "route_localnet" in sealed.why) == ("dropped", True)
    opened = one(ask(node(rules, route_localnet=True), "127.0.0.1:30000", "127.0.0.1", device=""))
    assert (opened.endpoint, opened.after.from_text) == ("10.10.0.5:80", "10.10.0.1")


def test_untracked_packets_are_not_translated() -> None:
    rules = f"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d {SERVICE} -j CT --notrack\nCOMMIT\n" + nat(
        TO_POD
    )
    assert one(ask(node(rules), f"{SERVICE}:80")).endpoint == ""


def test_redirect_sends_to_the_node_itself() -> None:
    rules = nat("-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 15001")
    outcome = one(ask(node(rules), f"{OUTSIDE}:80"))
    assert (outcome.kind, outcome.endpoint) == ("local", "10.10.0.1:15001")


def test_a_long_chain_is_searched_by_destination_and_keeps_its_order() -> None:
    many = [
        f'-A PREROUTING -d 10.96.1.{i}/32 -p tcp -m comment --comment "not -d 10.96.1.7"'
        f" -j DNAT --to-destination 10.10.9.{i}:80"
        for i in range(200)
    ]
    first = f"-A PREROUTING -s {OTHER_POD} -j ACCEPT"
    where = node(
        nat(*many[:100], first, *many[100:], "-A PREROUTING -p tcp -j DNAT --to-destination 10.10.8.8:1")
    )
    assert one(ask(where, "10.96.1.7:80")).endpoint == "10.10.9.7:80"
    outcome = one(ask(where, "10.96.1.150:80"))
    assert outcome.steps[0].number == 152, "as iptables -L --line-numbers counts"
    assert one(ask(where, "10.96.1.150:80", OTHER_POD)).endpoint == ""
    assert one(ask(where, "10.96.2.1:80")).endpoint == "10.10.8.8:1"


def test_rules_that_cannot_be_followed_are_refused() -> None:
    with pytest.raises(TraceError, match="without end"):
        ask(
            node(filtering(":A - [0:0]", ":B - [0:0]", "-A FORWARD -j A", "-A A -j B", "-A B -j A")),
            f"{OTHER_POD}:80",
        )
    with pytest.raises(TraceError, match="cannot be read"):
        ask(node(filtering("-A FORWARD -s")), f"{OTHER_POD}:80")


def test_ipv6_is_traced_alike() -> None:
    rules = nat(
        ":POSTROUTING ACCEPT [0:0]",
        "-A PREROUTING -d fd00:96::a/128 -p tcp --dport 80 -j DNAT --to-destination [fd00:10:1::5]:8080",
        "-A POSTROUTING -j MASQUERADE",
    ) + filtering("-A FORWARD -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j REJECT")
    where = node(rules, family="IPv6")
    outcome = one(ask(where, "[fd00:96::a]:80", "fd00:10::5"))
    assert (outcome.endpoint, outcome.after.from_text) == ("[fd00:10:1::5]:8080", "2001:db8:1::1")
    ping = one(ask(where, "fd00:10:1::5", "fd00:10::5", device="cni0"))
    assert (ping.kind, ping.answer) == ("rejected", "ICMPv6 port unreachable")


@pytest.mark.parametrize(
    ("rule", "hit"),
    [
        ("-d 10.96.0.10 -j DROP", True),
        ("-d 10.96.0.10/32 -p tcp -j DROP", True),
        ('-m comment --comment "not -d 1.2.3.4 at all" -d 10.96.0.10/32 -j DROP', True),
        ('-d 10.96.0.10/32 -m comment --comment "a \\"quoted\\" -d 1.2.3.4" -j DROP', True),
        ('-m comment --comment "-d 10.96.0.10 " -d 1.2.3.4 -j DROP', False),
        ("! -d 10.96.0.10/32 -j DROP", False),
        ("! -d 1.2.3.4 -j DROP", True),
        ("-d 10.96.0.0/16 -j DROP", True),
        ("-d 10.96.0.10,1.2.3.4 -j DROP", True),
        ("-s 1.2.3.4 -j DROP", False),
        ("-j DROP", True),
    ],
)
def test_in_a_chain_of_thousands_of_rules_none_is_overlooked(rule: str, hit: bool) -> None:
    """They are looked up by destination, however a rule is written."""
    others = [f"-A FORWARD -d 10.97.{number >> 8}.{number & 255} -j ACCEPT" for number in range(300)]
    rules = filtering(*others[:150], f"-A FORWARD {rule}", *others[150:])
    outcome = one(ask(node(rules), f"{SERVICE}:80"))
    assert (outcome.kind == "dropped") is hit
    assert [step.number for step in outcome.steps] == ([151] if hit else [])


def test_in_a_long_chain_a_short_prefix_of_ipv6_is_no_single_address() -> None:
    others = [f"-A FORWARD -d fd00:97::{number:x} -j ACCEPT" for number in range(1, 100)]
    rules = filtering(*others, "-A FORWARD -d fd00::/16 -j DROP", "-A FORWARD -d 2001::/32 -j DROP")
    where = node(rules, family="IPv6")
    assert one(ask(where, "[fd00:96::a]:80", "fd00:10::5")).kind == "dropped"
    assert one(ask(where, "[2001::7]:80", "fd00:10::5")).kind == "dropped"
