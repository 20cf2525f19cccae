"""The smallest change from one table to another."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest

from rulegen.fake import Nftables
from rulegen.nftables import script
from rulegen.nftables.diff import Transaction, changes, diff
from rulegen.nftables.table import Table, equal, table
from tests.nftables.rulesets import THOROUGH, rulesets
from tests.nftables.tables import TAMPERED, many, with_chain

PAIRS = 5000 if THOROUGH else 400


def applied(current: Table | None, transaction: Transaction) -> Table | None:
    """What a kernel with ``current`` holds after the transaction."""
    kernel = Nftables()
    kernel.run(diff(None, current).text)
    kernel.run(transaction.text)
    return kernel.table("IPv4")


def lines(transaction: Transaction) -> list[str]:
    """What is done, without the table's name."""
    return [line.replace(" ip kube-proxy ", " ") for line in transaction.text.splitlines()]


def test_a_table_as_it_should_be_needs_nothing() -> None:
    for ruleset in rulesets(every=4):
        assert diff(table(ruleset), table(ruleset)) == Transaction()
        assert not diff(table(ruleset), table(ruleset))
    assert diff(None, None) == Transaction()


def test_a_node_without_the_table_gets_what_kube_proxy_makes() -> None:
    for ruleset in rulesets(every=4):
        kernel, other = Nftables(), Nftables()
        kernel.run(diff(None, table(ruleset)).text)
        other.run(script(ruleset))
        assert kernel.table(ruleset.family) == other.table(ruleset.family) == table(ruleset)
        kernel.run(diff(table(ruleset), None).text)
        assert kernel.table(ruleset.family) is None


def test_one_more_endpoint_fills_one_chain_again_and_mentions_no_other() -> None:
    transaction = diff(many("10.10.2.1"), many("10.10.2.1", "10.10.2.2"))
    chain = next(name for name in many("10.10.2.1").chains if "web-1" in name)
    assert lines(transaction) == [
        f"flush chain {chain}",
        f"add rule {chain} meta l4proto tcp dnat ip addr . port to numgen random mod 2"
        " map { 0 : 10.10.2.1 . 8080 , 1 : 10.10.2.2 . 8080 }",
    ]


def test_the_clients_of_other_endpoints_are_not_touched_when_one_comes() -> None:
    transaction = diff(many("10.10.2.1", affinity=60), many("10.10.2.1", "10.10.2.2", affinity=60))
    (added,) = [line for line in lines(transaction) if line.startswith("add set ")]
    assert "__10.10.2.2/8080 { type ipv4_addr ; flags dynamic,timeout ; timeout 60s ; }" in added
    assert not [line for line in lines(transaction) if line.startswith(("delete ", "flush set "))]


def test_another_timeout_makes_the_sets_anew_and_fills_the_chains_that_ask_them() -> None:
    before, after = many("10.10.2.1", affinity=60, count=2), many("10.10.2.1", affinity=90, count=2)
    transaction = diff(before, after)
    assert len([line for line in lines(transaction) if line.startswith("delete set affinity-")]) == 3
    assert equal(applied(before, transaction), after)


def test_a_service_that_is_gone_leaves_nothing_behind() -> None:
    before, after = many("10.10.2.1", count=2), many("10.10.2.1", count=1)
    chain = next(name for name in before.chains if "web-1" in name)
    assert lines(diff(before, after)) == [
        "delete element cluster-ips { 10.96.1.1 }",
        "delete element service-ips { 10.96.1.1 . tcp . 80 }",
        f"flush chain {chain}",
        f"delete chain {chain}",
    ]


def test_a_service_that_loses_its_last_endpoint_is_refused_from_then_on() -> None:
    before, after = many("10.10.2.1"), many()
    done = lines(diff(before, after))
    refused = '{ 10.96.1.1 . tcp . 80 comment "default/web-1" : goto reject-chain }'
    assert f"add element no-endpoint-services {refused}" in done
    assert "delete element service-ips { 10.96.1.1 . tcp . 80 }" in done
    assert done[-1].startswith("add element ")


def test_counters_that_stay_are_not_mentioned() -> None:
    of_counters = [r for r in rulesets() if r.base.words.rejected and r.family == "IPv4"]
    assert len(of_counters) > 1
    with_all = [table(r) for r in of_counters]
    for before, after in pairwise(with_all):
        for name in set(before.counters) & set(after.counters):
            named = f"counter ip kube-proxy {name}"
            assert f"add {named}\n" not in diff(before, after).text
            assert f"delete {named}\n" not in diff(before, after).text


def test_one_endpoint_of_a_large_cluster_changes_in_under_2_kb() -> None:
    before = many(*(f"10.10.2.{n}" for n in range(10)), count=2000)
    after = many(*(f"10.10.2.{n}" for n in range(1, 11)), count=2000)
    assert 0 < len(diff(before, after).text) < 2000


def test_families_do_not_mix() -> None:
    with pytest.raises(ValueError, match="IPv4 and IPv6 tables cannot be compared"):
        diff(Table("IPv4"), Table("IPv6"))


def test_facts_that_a_listing_does_not_tell_are_no_difference() -> None:
    desired = many("10.10.2.1")
    silent = {name: msgspec.structs.replace(chain, comment=None) for name, chain in desired.chains.items()}
    assert not diff(msgspec.structs.replace(desired, comment=None, chains=silent), desired)


@pytest.mark.parametrize("what", TAMPERED)
def test_a_table_that_somebody_tampered_with_is_put_right(what: str) -> None:
    desired = many()
    current = TAMPERED[what](desired)
    assert equal(applied(current, diff(current, desired)), desired)
    assert equal(applied(desired, diff(desired, current)), current)


def test_chains_that_lead_to_a_chain_that_is_made_anew_are_filled_again() -> None:
    desired = many()
    current = with_chain(desired, "reject-chain", comment="another")
    found = changes(current, desired)
    assert [(change.name, change.action) for change in found.chains] == [("reject-chain", "replace")]
    assert [change.container for change in found.elements] == ["no-endpoint-services"]
    current = with_chain(desired, "firewall-check", comment="mine")
    rewritten = [change.name for change in changes(current, desired).chains if change.action == "rewrite"]
    assert rewritten == ["filter-prerouting-pre-dnat", "filter-output-pre-dnat"]
    assert equal(applied(current, diff(current, desired)), desired)


def test_any_table_becomes_any_other() -> None:
    chance = random.Random(30)
    families: dict[str, list[tuple[Nftables, Table]]] = {}
    for ruleset in rulesets(every=2):
        kernel = Nftables()
        kernel.run(script(ruleset))
        families.setdefault(ruleset.family, []).append((kernel, table(ruleset)))
    for _ in range(PAIRS):
        of_family = chance.choice(list(families.values()))
        (kernel, a), (_, b) = chance.choice(of_family), chance.choice(of_family)
        node = kernel.copy()
        node.run(diff(a, b).text)
        assert equal(node.table(b.family), b)
        assert bool(diff(a, b)) == (not equal(a, b))


def test_the_recorded_tables_hold_every_kind_of_object() -> None:
    texts = "".join(diff(None, table(ruleset)).text for ruleset in rulesets(every=4))
    for feature in ("flags dynamic,timeout", "numgen random mod", "counter name", "iifname", "saddr != {"):
        assert feature in texts
