"""Rules are read into nft's statements and written back; whoever printed them, equal rules are equal."""

import pytest

from rulegen.nftables.rule import canonical, compose, constant, normal, write
from rulegen.nftables.statements import key, read, split_comment, value, verdict
from tests.recorded import cases

RULES = sorted(
    {
        (line.split(" ", 5)[2], line.split(" ", 5)[5])
        for case in cases("1.37-nftables")
        for expected in case["expected"].values()
        for line in expected["nft"].splitlines()
        if line.startswith("add rule ")
    }
)


def test_every_recorded_rule_is_written_back_as_it_was() -> None:
    assert len(RULES) > 1000
    for family, rule in RULES:
        text, _ = split_comment(rule)
        assert write(read(text, family)) == text


def test_the_normal_form_is_a_fixed_point() -> None:
    for family, rule in RULES:
        once = normal(rule, family)
        assert normal(once, family) == once


@pytest.mark.parametrize(
    ("listed", "written"),
    [
        ("meta mark set meta mark | 0x00004000", "mark set mark or 0x00004000"),
        (
            "meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade",
            "mark and 0x00004000 != 0 mark set mark xor 0x00004000 masquerade",
        ),
        ("meta mark != 0x00000000/1 jump masquerading", "mark and 0x80000000 != 0 jump masquerading"),
        (
            "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }",
            "meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.0.0.1 . 80 , 1 :"
            " 10.0.0.2 . 80 }",
        ),
        ('iifname "cni0" goto service-X', "iifname cni0 goto service-X"),
        ('iifname != "veth*" drop comment "x y"', 'iifname != veth* drop comment "x y"'),
        ("ip saddr != 203.0.113.0/24 drop", "ip saddr != { 203.0.113.0/24 } drop"),
        ("ip saddr != { 1.2.3.4, 10.0.0.0/8 } drop", "ip saddr != { 10.0.0.0/8 , 1.2.3.4/32 } drop"),
        ("ip saddr != 10.0.0.0/7 drop", "ip saddr != { 10.0.0.0/8 , 11.0.0.0/8 } drop"),
        ("ip saddr != 10.0.0.0/8 drop", "ip saddr != { 10.0.0.0/8 , 10.1.0.0/16 } drop"),
        ("ip daddr 10.0.0.0-10.0.0.4 drop", "ip daddr { 10.0.0.0/30,10.0.0.4/32 } drop"),
    ],
)
def test_what_nft_lists_equals_what_kube_proxy_wrote(listed: str, written: str) -> None:
    assert normal(listed, "ip") == normal(written, "ip")


def test_rules_that_differ_stay_different() -> None:
    rules = [
        "ip saddr != { 10.0.0.0/8 } drop",
        "ip saddr { 10.0.0.0/8 } drop",
        "ip saddr != { 10.0.0.0/9 } drop",
        "ip daddr != { 10.0.0.0/8 } drop",
        'ip saddr != { 10.0.0.0/8 } drop comment "x"',
        "ip saddr != { 10.0.0.0/8 } accept",
    ]
    assert len({normal(rule, "ip") for rule in rules}) == len(rules)


def test_a_rule_that_kube_proxy_never_writes_is_kept_as_it_is() -> None:
    for rule in ("tcp dport 22 accept", "limit rate 5/second drop", "dnat to", 'log prefix "x" drop'):
        assert normal(rule, "ip") == rule


@pytest.mark.parametrize(
    "rule",
    ["", "ip", "ip saddr", "update @x ip saddr }", "goto", "numgen random", "vmap @x", "counter packets 0"],
)
def test_a_rule_cut_short_is_an_error_and_nothing_worse(rule: str) -> None:
    if not rule:
        assert read(rule, "ip") == []
        return
    with pytest.raises(ValueError, match=r"expected|ends early|is not known"):
        read(rule, "ip")


def test_newer_and_older_json_of_masquerade_and_reject_are_the_same_rule() -> None:
    assert compose([{"masquerade": {"flags": ["fully-random"]}}]) == "masquerade fully-random"
    assert compose([{"masquerade": {"flags": "fully-random"}}]) == "masquerade fully-random"
    assert compose([{"reject": None}]) == compose([{"reject": {"type": "icmp", "expr": "port-unreachable"}}])


def test_a_statement_that_kube_proxy_never_writes_is_refused() -> None:
    with pytest.raises(ValueError, match="kube-proxy never writes"):
        compose([{"limit": {"rate": 5, "per": "second"}}])
    assert canonical({"limit": {}}) == {"limit": {}}


@pytest.mark.parametrize(
    "text", ["10.0.0.1 . tcp . 80", "fd00::1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "tcp . 1"]
)
def test_keys_are_written_back_as_they_were(text: str) -> None:
    assert constant(key(text)) == text


def test_constants_are_read_as_what_they_are() -> None:
    assert value("0x10") == 16
    assert value('"cni0"') == value("cni0") == "cni0"
    assert constant(verdict("goto service-a-b")) == "goto service-a-b"
    assert constant(verdict("drop")) == "drop"
