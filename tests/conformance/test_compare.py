"""The judge of all modes: what counts as the same rules, and how a difference is told."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulegen.conformance import difference

ROOT = Path(__file__).parents[2]


def restore(*rules: str, chains: tuple[str, ...] = ("KUBE-SERVICES", "KUBE-SVC-A")) -> dict[str, Any]:
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in chains), *rules, "COMMIT", ""]
    return {"IPv4": {"restore": "\n".join(lines), "jumps": ["nat -N KUBE-SERVICES"]}}


WEB = "-A KUBE-SERVICES -d 10.96.0.1 -j KUBE-SVC-A"
DNS = "-A KUBE-SERVICES -d 10.96.0.2 -j KUBE-SVC-A"
FIRST = "-A KUBE-SVC-A -s 10.0.0.1 -j KUBE-MARK-MASQ"
SECOND = "-A KUBE-SVC-A -j KUBE-SEP-A"
NODEPORTS = '-A KUBE-SERVICES -m comment --comment "NOTE: this must be the last rule in this chain"'


def test_services_may_come_in_any_order_in_a_chain_that_they_share() -> None:
    assert difference("iptables", restore(WEB, DNS, FIRST), restore(DNS, FIRST, WEB)) is None


def test_rules_of_a_services_own_chain_keep_their_order() -> None:
    told = difference("iptables", restore(FIRST, SECOND), restore(SECOND, FIRST))
    assert told == f"IPv4: table nat: chain KUBE-SVC-A: rule 1: expected {FIRST!r}, got {SECOND!r}"


def test_the_nodeports_jump_stays_last() -> None:
    told = difference("iptables", restore(WEB, NODEPORTS), restore(NODEPORTS, WEB))
    assert told is not None
    assert "the last 1 must be" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r.replace(" -d 10.96.0.1", "  -d 10.96.0.1"), "chain KUBE-SERVICES: expected"),
        (lambda r: r.replace(FIRST + "\n", ""), "chains: missing 'KUBE-SVC-A'"),
        (lambda r: r.replace(FIRST, FIRST + "\n" + SECOND), "rule 2 too many"),
        (lambda r: r.replace(":KUBE-SVC-A - [0:0]\n", ""), "lines: missing ':KUBE-SVC-A - [0:0]'"),
        (lambda r: r.replace("*nat", "*mangle"), "tables: expected 'nat', got 'mangle'"),
        (lambda r: r.replace("COMMIT\n", ""), "no COMMIT"),
        (lambda r: r[:-1], "no newline"),
        (lambda r: r.replace("\nCOMMIT", "\n\nCOMMIT"), "no restore text"),
    ],
)
def test_any_other_byte_counts(change: Callable[[str], str], told: str) -> None:
    expected, got = restore(WEB, FIRST), restore(WEB, FIRST)
    got["IPv4"]["restore"] = change(got["IPv4"]["restore"])
    assert told in (difference("iptables", expected, got) or "")


def test_jumps_are_a_set() -> None:
    expected, got = restore(), restore()
    expected["IPv4"]["jumps"] = ["filter -N KUBE-NODEPORTS", "nat -N KUBE-SERVICES", "nat -N KUBE-SERVICES"]
    got["IPv4"]["jumps"] = ["nat -N KUBE-SERVICES", "filter -N KUBE-NODEPORTS"]
    assert difference("iptables", expected, got) is None
    got["IPv4"]["jumps"].pop()
    assert difference("iptables", expected, got) == "IPv4: jumps: missing 'filter -N KUBE-NODEPORTS'"


def test_every_family_that_ran_is_compared() -> None:
    assert difference("iptables", restore() | {"IPv6": {}}, restore()) is not None
    both = restore() | {"IPv6": {"jumps": ["nat -N KUBE-SERVICES"]}}
    assert difference("iptables", both, restore() | {"IPv6": {}}) is not None


def test_empty_lists_may_be_left_out() -> None:
    expected = {"IPv4": {"ipsets": {"KUBE-CLUSTER-IP": []}, "virtual": [], "dummy": []}}
    assert difference("ipvs", expected, {"IPv4": {}}) is None


def test_ipvs_differences_name_the_set_or_the_virtual_server() -> None:
    expected = {
        "IPv4": {"ipsets": {"KUBE-CLUSTER-IP": ["10.96.0.1,tcp:80"]}, "setTypes": {"A": "hash:ip inet"}}
    }
    told = difference("ipvs", expected, {"IPv4": {"setTypes": {"A": "hash:ip inet"}}})
    assert told == "IPv4: ipset KUBE-CLUSTER-IP: missing '10.96.0.1,tcp:80'"
    told = difference("ipvs", expected, {"IPv4": expected["IPv4"] | {"setTypes": {"A": "hash:ip inet6"}}})
    assert told == "IPv4: ipset A: expected type 'hash:ip inet', got 'hash:ip inet6'"


def test_nft_rules_keep_their_order_and_elements_need_none() -> None:
    def table(*lines: str) -> dict[str, dict[str, str]]:
        return {"IPv4": {"nft": "".join(f"{line}\n" for line in ("add table ip kube-proxy", *lines))}}

    one, two = "add element ip kube-proxy s { 1.1.1.1 }", "add element ip kube-proxy s { 1.1.1.2 }"
    assert difference("nftables", table(one, two), table(two, one)) is None
    accept, drop = "add rule ip kube-proxy services accept", "add rule ip kube-proxy services drop"
    told = difference("nftables", table(accept, drop), table(drop, accept))
    assert told == f"IPv4: chain ip kube-proxy services: rule 1: expected {accept!r}, got {drop!r}"
    assert "missing" in (difference("nftables", table(one), table()) or "")
    assert "too many" in (difference("nftables", table(), table(accept)) or "")


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="winkernel"):
        difference("winkernel", {}, {})


@pytest.mark.parametrize(
    "path", sorted((ROOT / "fixtures/conformance").glob("1.*-*.jsonl.gz")), ids=lambda p: p.name
)
def test_every_recorded_case_equals_itself_and_none_equals_the_next(path: Path) -> None:
    previous = None
    with gzip.open(path, "rt") as lines:
        for line in lines:
            case = json.loads(line)
            mode, expected = case["scenario"]["mode"], case["expected"]
            assert difference(mode, expected, expected) is None
            if previous is not None:
                assert difference(mode, previous, expected) is not None
            previous = expected
