"""Rules that mean the same are the same text in normal form, and only those."""

from __future__ import annotations

import pytest

from rulegen.iptables.normal import normal, saved
from rulegen.iptables.rule import read, write
from tests.iptables.rulesets import rulesets

# Written -> as iptables-save 1.8.9 prints it, in both variants; test_save_kernel.py asks the kernel itself.
FOUR = [
    (
        '-m comment --comment "a b" -m tcp -p tcp -d 10.0.0.1 --dport 80 ! -s 10.1.0.0/16 -j DROP',
        '! -s 10.1.0.0/16 -d 10.0.0.1/32 -p tcp -m comment --comment "a b" -m tcp --dport 80 -j DROP',
    ),
    (
        "-m comment --comment ab_c -p udp --dport 53 -j REJECT",
        "-p udp -m comment --comment ab_c -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable",
    ),
    (
        "-m comment --comment a/b:c -p sctp --dport 53 -j ACCEPT",
        '-p sctp -m comment --comment "a/b:c" -m sctp --dport 53 -j ACCEPT',
    ),
    ("-j REJECT --reject-with port-unreach", "-j REJECT --reject-with icmp-port-unreachable"),
    ("-p tcp -j REJECT --reject-with tcp-reset", "-p tcp -j REJECT --reject-with tcp-reset"),
    (r'-m comment --comment "it\'s a \"q\" \\ x"', r'-m comment --comment "it\'s a \"q\" \\ x"'),
    ('-m comment --comment "" -j RETURN', '-m comment --comment "" -j RETURN'),
    (
        "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ),
    (
        "-m conntrack --ctorigdst 10.0.0.1 --ctorigdstport 80 --ctproto tcp --ctstate NEW -j RETURN",
        "-m conntrack --ctstate NEW --ctproto 6 --ctorigdst 10.0.0.1 --ctorigdstport 80 -j RETURN",
    ),
    ("-m state --state ESTABLISHED,NEW -j ACCEPT", "-m state --state NEW,ESTABLISHED -j ACCEPT"),
    ("-m mark --mark 16384/16384 -j ACCEPT", "-m mark --mark 0x4000/0x4000 -j ACCEPT"),
    ("-m mark ! --mark 0x00004000/0x00004000 -j RETURN", "-m mark ! --mark 0x4000/0x4000 -j RETURN"),
    ("-m mark --mark 5/0xffffffff -j RETURN", "-m mark --mark 0x5 -j RETURN"),
    ("-j MARK --set-mark 0x5", "-j MARK --set-xmark 0x5/0xffffffff"),
    ("-j MARK --set-mark 0x5/0x1", "-j MARK --set-xmark 0x5/0x5"),
    ("-j MARK --set-xmark 0x5", "-j MARK --set-xmark 0x5/0xffffffff"),
    ("-j MARK --or-mark 0x00004000", "-j MARK --set-xmark 0x4000/0x4000"),
    ("-j MARK --xor-mark 0x00004000", "-j MARK --set-xmark 0x4000/0x0"),
    ("-j MARK --and-mark 0xffffbfff", "-j MARK --set-xmark 0x0/0x4000"),
    ("-j MARK --set-mark 010", "-j MARK --set-xmark 0x8/0xffffffff"),
    (
        "-m statistic --mode random --probability 0.3333333333 -j ACCEPT",
        "-m statistic --mode random --probability 0.33333333349 -j ACCEPT",
    ),
    (
        "-m statistic --mode random ! --probability 0.1428571429 -j ACCEPT",
        "-m statistic --mode random ! --probability 0.14285714272 -j ACCEPT",
    ),
    (
        "-m statistic --mode nth --every 3 --packet 0 -j ACCEPT",
        "-m statistic --mode nth --every 3 --packet 0 -j ACCEPT",
    ),
    (
        "-m recent --name X --rcheck --seconds 60 --reap -j ACCEPT",
        "-m recent --rcheck --seconds 60 --reap --name X --mask 255.255.255.255 --rsource -j ACCEPT",
    ),
    (
        "-m recent --update --seconds 60 --hitcount 4 --rttl --rdest -j ACCEPT",
        "-m recent --update --seconds 60 --hitcount 4 --rttl --name DEFAULT --mask 255.255.255.255 --rdest"
        " -j ACCEPT",
    ),
    (
        "-m recent --set --name X --mask 255.255.255.0 -j RETURN",
        "-m recent --set --name X --mask 255.255.255.0 --rsource -j RETURN",
    ),
    (
        "-m addrtype --dst-type LOCAL ! --src-type BROADCAST,LOCAL -j ACCEPT",
        "-m addrtype ! --src-type LOCAL,BROADCAST --dst-type LOCAL -j ACCEPT",
    ),
    ("-m set ! --match-set S4 dst,src -j ACCEPT", "-m set ! --match-set S4 dst,src -j ACCEPT"),
    (
        "-m physdev --physdev-in eth0 ! --physdev-is-in -j ACCEPT",
        "-m physdev ! --physdev-is-in --physdev-in eth0 -j ACCEPT",
    ),
    ("-s 0.0.0.0/0 -d 0/0 -j ACCEPT", "-j ACCEPT"),
    ("-s 10.0.0.1/255.255.255.0 -j ACCEPT", "-s 10.0.0.0/24 -j ACCEPT"),
    ("-s 10.0.0.1/255.0.255.0 -j ACCEPT", "-s 10.0.0.0/255.0.255.0 -j ACCEPT"),
    ("-o cali+ ! -i eth0 -j ACCEPT", "! -i eth0 -o cali+ -j ACCEPT"),
    ("-i + -p all -j ACCEPT", "-j ACCEPT"),
    ("-p 6 -j ACCEPT", "-p tcp -j ACCEPT"),
    ("-p TCP -j ACCEPT", "-p tcp -j ACCEPT"),
    ("-p icmp --icmp-type echo-request -j ACCEPT", "-p icmp -m icmp --icmp-type 8 -j ACCEPT"),
    (
        "-p tcp --sport 1024: --dport :1023 -j ACCEPT",
        "-p tcp -m tcp --sport 1024:65535 --dport 0:1023 -j ACCEPT",
    ),
    ("-p tcp --dport 80:80 -j ACCEPT", "-p tcp -m tcp --dport 80 -j ACCEPT"),
    ("-p tcp ! --syn -j ACCEPT", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"),
    (
        "--source 1.2.3.4 --destination 1.2.3.5 --protocol tcp --in-interface lo --destination-port 8"
        " --jump RETURN",
        "-s 1.2.3.4/32 -d 1.2.3.5/32 -i lo -p tcp -m tcp --dport 8 -j RETURN",
    ),
    (
        '-m limit --limit 300/h --limit-burst 5 -j LOG --log-prefix "foo bar: " --log-level warning',
        '-m limit --limit 5/min -j LOG --log-prefix "foo bar: "',
    ),
    ("-m limit --limit 1/s --limit-burst 7 -j RETURN", "-m limit --limit 1/sec --limit-burst 7 -j RETURN"),
    ("-m nfacct --nfacct-name acc -j DROP", "-m nfacct --nfacct-name  acc -j DROP"),
    ("-p tcp -m multiport --destination-ports 80,443 -j DROP", "-p tcp -m multiport --dports 80,443 -j DROP"),
    ("-c 5 6 -p tcp -j ACCEPT", "-p tcp -j ACCEPT"),
    ("! -f -j ACCEPT", "! -f -j ACCEPT"),
    ("-g OTHER", "-g OTHER"),
    (
        "-m connmark --mark 0x1/0x2 -j CONNMARK --set-xmark 0x1/0x2",
        "-m connmark --mark 0x1/0x2 -j CONNMARK --set-xmark 0x1/0x2",
    ),
    ('-j NFLOG --nflog-group 3 --nflog-prefix "a b"', '-j NFLOG --nflog-prefix "a b" --nflog-group 3'),
]
SIX = [
    (
        "-m tcp -p tcp -d fd00:10:96::10 --dport 80 ! -s fd00:10:180::/64 -j DROP",
        "! -s fd00:10:180::/64 -d fd00:10:96::10/128 -p tcp -m tcp --dport 80 -j DROP",
    ),
    ("-s ::/0 -j REJECT", "-j REJECT --reject-with icmp6-port-unreachable"),
    ("-j REJECT --reject-with no-route", "-j REJECT --reject-with icmp6-no-route"),
    ("-s FD00:0:0:0:1:0:0:1 -j ACCEPT", "-s fd00::1:0:0:1/128 -j ACCEPT"),
    ("-s 1:0:2:0:3:0:4:0 -j ACCEPT", "-s 1:0:2:0:3:0:4:0/128 -j ACCEPT"),
    ("-s ::1.2.3.4 -j ACCEPT", "-s ::1.2.3.4/128 -j ACCEPT"),
    ("-s ::102:304 -d ::2 -j ACCEPT", "-s ::1.2.3.4/128 -d ::2/128 -j ACCEPT"),
    ("-s ::ffff:102:304 -j ACCEPT", "-s ::ffff:1.2.3.4/128 -j ACCEPT"),
    ("-s fd00:1:2::/ffff:ffff:: -j ACCEPT", "-s fd00:1::/32 -j ACCEPT"),
    ("-p icmpv6 --icmpv6-type echo-request -j ACCEPT", "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT"),
    (
        "-m recent --name X --set -j ACCEPT",
        "-m recent --set --name X --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -j ACCEPT",
    ),
]


@pytest.mark.parametrize(("written", "printed"), FOUR)
def test_a_rule_is_printed_as_iptables_save_does(written: str, printed: str) -> None:
    assert saved(written, "IPv4") == printed
    assert saved(printed, "IPv4") == printed
    assert normal(written, "IPv4") == normal(printed, "IPv4")


@pytest.mark.parametrize(("written", "printed"), SIX)
def test_a_rule_is_printed_as_ip6tables_save_does(written: str, printed: str) -> None:
    assert saved(written, "IPv6") == printed
    assert saved(printed, "IPv6") == printed
    assert normal(written, "IPv6") == normal(printed, "IPv6")


def test_the_place_of_a_comment_means_nothing() -> None:
    a = '-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    b = '-m comment --comment "kubernetes service portals" -m state --state NEW -j KUBE-SERVICES'
    assert normal(a, "IPv4") == normal(b, "IPv4")


def test_the_order_of_matches_means_something() -> None:
    count_first = "-m nfacct --nfacct-name a -m conntrack --ctstate INVALID -j DROP"
    match_first = "-m conntrack --ctstate INVALID -m nfacct --nfacct-name a -j DROP"
    assert normal(count_first, "IPv4") != normal(match_first, "IPv4")


@pytest.mark.parametrize(
    "other",
    [
        "-d 10.96.0.10/31 -p tcp -m tcp --dport 80 -j KUBE-SVC-X",
        "-d 10.96.0.10/32 -p udp -m udp --dport 80 -j KUBE-SVC-X",
        "-d 10.96.0.10/32 -p tcp -m tcp --dport 81 -j KUBE-SVC-X",
        "-d 10.96.0.10/32 -p tcp -m tcp ! --dport 80 -j KUBE-SVC-X",
        "! -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-X",
        "-d 10.96.0.10/32 -p tcp -m tcp --dport 80 -g KUBE-SVC-X",
        "-d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-Y",
        "-d 10.96.0.10/32 -p tcp -m tcp --dport 80",
        "-d 10.96.0.10/32 -i eth0 -p tcp -m tcp --dport 80 -j KUBE-SVC-X",
    ],
)
def test_rules_that_differ_stay_different(other: str) -> None:
    assert normal("-d 10.96.0.10 -m tcp -p tcp --dport 80 -j KUBE-SVC-X", "IPv4") != normal(other, "IPv4")


def test_options_nobody_knows_are_kept() -> None:
    rule = '-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0" ! --what 1 2 -j STRANGE --how now'
    assert saved(rule, "IPv4") == rule


@pytest.mark.parametrize("rule", ["-s", "-m", "--what now", '-m comment --comment "open', "word"])
def test_what_is_no_rule_stays_as_it_is(rule: str) -> None:
    assert saved(rule, "IPv4") == normal(rule, "IPv4") == rule


def test_the_short_way_for_common_shapes_agrees_with_the_long_one() -> None:
    for ruleset in rulesets(every=3):
        family = ruleset.family
        for chains in ruleset.tables().values():
            for rules in chains.values():
                for rule in rules:
                    assert saved(rule, family) == write(read(rule, family), family)


@pytest.mark.parametrize(
    "rule",
    [
        '-m comment --comment "a b" -j KUBE-X',
        "-m comment --comment plain -j KUBE-X",
        r'-m comment --comment "a/\"b" -j KUBE-X',
        "-m comment --comment a/it's -j KUBE-X",
        "-s 0.0.0.0/0 -j KUBE-X",
        "-s 10.0.0.1,10.0.0.2 -j KUBE-X",
        "-m tcp -p tcp -d 10.0.0.1 --dport 80:80 -j KUBE-X",
        "-m tcp -p tcp -d 10.0.0.1/0 --dport 80 -j KUBE-X",
        "-m statistic --mode random --probability 0.5 -j KUBE-X -m tcp",
        "-j KUBE-X ",
    ],
)
def test_the_short_way_leaves_other_shapes_to_the_long_one(rule: str) -> None:
    assert saved(rule, "IPv4") == write(read(rule, "IPv4"), "IPv4")
