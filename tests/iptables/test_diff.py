"""The smallest change from one state to another."""

from __future__ import annotations

import random

import msgspec
import pytest

from rulegen.fake import Iptables
from rulegen.iptables import Ruleset, compile_rules
from rulegen.iptables.diff import changes, diff, removal
from rulegen.iptables.dump import Chain, Dump, Transaction
from rulegen.iptables.parse import parse
from rulegen.iptables.save import as_dump
from rulegen.model import Cluster, EndpointSlice, Service
from rulegen.plan import plan
from tests.iptables.nodes import foreign, lived_in, ours, programmed
from tests.iptables.rulesets import THOROUGH, rulesets
from tests.objects import CONFIG, NODE, cluster, service, slice_of

PAIRS = 3000 if THOROUGH else 150


def compiled(objects: Cluster) -> Ruleset:
    return compile_rules(plan(objects, NODE, CONFIG, "IPv4"))


def web(*endpoints: str, name: str = "web", ip: str = "10.96.0.10") -> Cluster:
    owner = service(name, ip=ip)
    return cluster(owner, slice_of(owner, endpoints))


def many(*addresses: str) -> Cluster:
    """Three Services, the second one with these endpoints."""
    objects: list[Service | EndpointSlice] = []
    for number, ips in enumerate((("10.10.1.1",), addresses, ("10.10.3.1", "10.10.3.2"))):
        owner = service(f"web-{number}", ip=f"10.96.1.{number}")
        objects += [owner, slice_of(owner, ips)]
    return cluster(*objects)


def lines_of(transaction: Transaction, table: str = "nat") -> list[str]:
    return [line for section in transaction.sections if section.table == table for line in section.lines]


def applied(node: Dump, transaction: Transaction) -> Dump:
    kernel = Iptables("nft")
    kernel.restore(node.text, node.family)
    kernel.restore(transaction.text, node.family, noflush=True)
    return kernel.dump(node.family)


def test_a_node_as_it_should_be_needs_nothing() -> None:
    for ruleset in rulesets(every=8):
        desired = as_dump(ruleset)
        assert diff(desired, desired) == Transaction()
        assert diff(programmed(ruleset), desired) == Transaction()
        assert diff(lived_in(programmed(ruleset), random.Random(1)), desired) == Transaction()


def test_an_empty_node_gets_everything_and_its_jumps_in_their_order() -> None:
    desired = as_dump(compiled(web("10.10.0.1")))
    node = applied(Dump(), diff(Dump(), desired))
    assert ours(node) == ours(programmed(compiled(web("10.10.0.1"))))


def test_one_more_endpoint_touches_only_its_own_service() -> None:
    before, after = as_dump(compiled(many("10.10.2.1"))), as_dump(compiled(many("10.10.2.1", "10.10.2.2")))
    transaction = diff(before, after)
    assert [section.table for section in transaction.sections] == ["nat"]
    assert [line[:2] for line in lines_of(transaction)] == [":K", "-R", "-A", "-A", "-A"]
    assert all("web-1" in line for line in lines_of(transaction)[1:])
    assert len(transaction.text) < 1000


def test_a_new_service_gets_its_line_among_those_of_the_others() -> None:
    full = many("10.10.2.1")
    without = Cluster(services=full.services[::2], slices=full.slices[::2])
    transaction = diff(as_dump(compiled(without)), as_dump(compiled(full)))
    (shared,) = [line for line in lines_of(transaction) if " KUBE-SERVICES " in line]
    assert shared.startswith('-I KUBE-SERVICES 2 -m comment --comment "default/web-1 cluster IP" ')
    assert applied(programmed(compiled(without)), transaction).text == programmed(compiled(full)).text


def test_a_service_that_is_gone_leaves_nothing_behind() -> None:
    full = many("10.10.2.1")
    without = Cluster(services=full.services[::2], slices=full.slices[::2])
    transaction = diff(as_dump(compiled(full)), as_dump(compiled(without)))
    lines = lines_of(transaction)
    assert [line for line in lines if line.startswith(("-D", "-I", "-A", "-R"))] == [
        line for line in lines if line.startswith("-D KUBE-SERVICES -m comment")
    ]
    # Chains are emptied first: the kernel lets none go that another one leads to.
    assert [line[:2] for line in lines] == [":K", ":K", "-D", "-X", "-X"]
    assert applied(programmed(compiled(full)), transaction).text == programmed(compiled(without)).text


def test_a_service_that_loses_its_last_endpoint_is_refused_from_then_on() -> None:
    transaction = diff(as_dump(compiled(many("10.10.2.1"))), as_dump(compiled(many())))
    (line,) = lines_of(transaction, "filter")
    assert line.startswith('-A KUBE-SERVICES -m comment --comment "default/web-1 has no endpoints" ')


def test_an_endpoint_in_the_place_of_another_is_put_there() -> None:
    before = as_dump(compiled(many("10.10.2.1", "10.10.2.2", "10.10.2.3")))
    after = as_dump(compiled(many("10.10.2.1", "10.10.2.2", "10.10.2.4")))
    (change,) = [c for c in changes(before, after) if c.chain.startswith("KUBE-SVC-")]
    assert (change.action, [line[:2] for line in change.lines]) == ("edit", ["-R"])
    assert "10.10.2.4" in change.lines[0]


def test_where_single_edits_would_be_no_shorter_a_chain_is_written_anew() -> None:
    before = as_dump(compiled(many("10.10.2.1", "10.10.2.2", "10.10.2.3", "10.10.2.4", "10.10.2.5")))
    after = as_dump(compiled(many("10.10.2.9")))
    (change,) = [c for c in changes(before, after) if c.chain.startswith("KUBE-SVC-")]
    assert change.action == "rewrite"
    assert [line[:2] for line in change.lines] == [":K", "-A", "-A"]


def test_the_nodeports_jump_stays_last_and_is_put_last_again() -> None:
    desired = as_dump(compiled(many("10.10.2.1")))
    node = programmed(compiled(many("10.10.2.1")))
    rules = node.tables["nat"]["KUBE-SERVICES"].rules
    rules.insert(0, rules.pop())
    transaction = diff(node, desired)
    assert [line[:2] for line in lines_of(transaction)] == ["-D", "-A"]
    assert ours(applied(node, transaction)) == ours(programmed(compiled(many("10.10.2.1"))))


@pytest.mark.parametrize("lost", range(4))
def test_a_lost_jump_is_put_back_below_the_one_above_it(lost: int) -> None:
    ruleset = compiled(web("10.10.0.1"))
    node = programmed(ruleset)
    table = node.tables["filter"]["INPUT"]
    table.rules.insert(0, "-i lo -j ACCEPT")
    del table.rules[lost + 1]
    transaction = diff(node, as_dump(ruleset))
    (line,) = lines_of(transaction, "filter")
    assert line.startswith("-I INPUT ")
    after = applied(node, transaction)
    assert ours(after) == ours(programmed(ruleset))
    # The first jump goes to the very top, where kube-proxy puts what it does not find.
    assert after.rules("filter", "INPUT").index("-i lo -j ACCEPT") == (1 if lost == 0 else 0)


def test_a_jump_that_stands_somewhere_is_left_there_as_kube_proxy_does() -> None:
    ruleset = compiled(web("10.10.0.1"))
    node = programmed(ruleset)
    node.tables["nat"]["PREROUTING"].rules.insert(0, "-m addrtype --dst-type LOCAL -j DOCKER")
    node.tables["filter"]["INPUT"].rules.reverse()
    assert diff(node, as_dump(ruleset)) == Transaction()


def test_a_jump_that_is_there_twice_or_with_another_condition_goes() -> None:
    ruleset = compiled(web("10.10.0.1"))
    node = programmed(ruleset)
    rules = node.tables["filter"]["FORWARD"].rules
    rules.append(rules[0])
    rules.append('-m conntrack --ctstate INVALID -m comment --comment "old" -j KUBE-FORWARD')
    transaction = diff(node, as_dump(ruleset))
    assert lines_of(transaction, "filter") == [
        '-D FORWARD -m conntrack --ctstate INVALID -m comment --comment "old" -j KUBE-FORWARD',
        "-D FORWARD 5",
    ]
    assert ours(applied(node, transaction)) == ours(programmed(ruleset))


def test_a_stale_chain_that_somebody_else_still_needs_is_only_emptied() -> None:
    ruleset = compiled(web("10.10.0.1"))
    node = programmed(ruleset)
    node.tables["nat"]["KUBE-SVC-AAAAAAAAAAAAAAAA"] = Chain(rules=["-j KUBE-MARK-MASQ"])
    node.tables["nat"]["MINE"] = Chain(rules=["-j KUBE-SVC-AAAAAAAAAAAAAAAA"])
    transaction = diff(node, as_dump(ruleset))
    assert lines_of(transaction) == [":KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]"]
    assert diff(applied(node, transaction), as_dump(ruleset)) == Transaction()


def test_what_kubelet_put_into_its_chain_stays() -> None:
    config = msgspec.structs.replace(CONFIG, localhost_node_ports=False)
    ruleset = compile_rules(plan(web("10.10.0.1"), NODE, config, "IPv4"))
    node = programmed(ruleset)
    rule = (
        '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections"'
        " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
    )
    node.tables["filter"]["KUBE-FIREWALL"].rules.append(rule)
    # Without kubelet it is what kube-proxy left there when it was configured otherwise.
    assert lines_of(diff(node, as_dump(ruleset)), "filter") == [":KUBE-FIREWALL - [0:0]"]
    node.tables["mangle"] = {"KUBE-KUBELET-CANARY": Chain(), "KUBE-IPTABLES-HINT": Chain()}
    assert diff(node, as_dump(ruleset)) == Transaction()
    node.tables["filter"]["KUBE-FIREWALL"].rules.append("-j DROP")
    assert lines_of(diff(node, as_dump(ruleset)), "filter") == ["-D KUBE-FIREWALL -j DROP"]


def test_all_that_kube_proxy_made_can_be_removed_and_only_that() -> None:
    for ruleset in rulesets(every=20):
        node = lived_in(programmed(ruleset), random.Random(4))
        # Somebody else's rules that lead to kube-proxy's chains would keep these there.
        for name, chain in node.tables["nat"].items():
            if name == "MINE" or chain.policy != "-":
                chain.rules = [rule for rule in chain.rules if not rule.startswith("-s ")]
        kubelet = parse(node.text, node.family)
        kubelet.tables["mangle"] = {"KUBE-IPTABLES-HINT": Chain()}
        for has_kubelet, start in ((False, node), (True, kubelet)):
            before = applied(start, Transaction())
            after = applied(before, removal(before))
            left = [name for table in after.tables.values() for name in table if name.startswith("KUBE-")]
            rules = [rule for rules in ours(after).values() for rule in rules]
            assert foreign(after) == {k: v for k, v in foreign(before).items() if k[1] != "KUBE-PROXY-CANARY"}
            if not has_kubelet:
                assert (left, rules) == ([], [])
            else:
                assert sorted(left) == ["KUBE-FIREWALL", "KUBE-IPTABLES-HINT"]
                assert rules[:2] == ["-j KUBE-FIREWALL"] * 2


def test_jumps_to_the_chain_of_kubelet_are_not_for_the_ipvs_mode_to_remove() -> None:
    node = parse("*filter\n:KUBE-FIREWALL - [0:0]\n-A INPUT -j KUBE-FIREWALL\nCOMMIT\n", "IPv4")
    assert diff(node, Dump(tables={"filter": {"KUBE-FORWARD": Chain()}})).text == (
        "*filter\n:KUBE-FORWARD - [0:0]\nCOMMIT\n"
    )


def test_chains_of_another_mode_are_cleared_away() -> None:
    ruleset = compiled(web("10.10.0.1"))
    node = programmed(ruleset)
    node.tables["nat"]["KUBE-NODE-PORT"] = Chain()
    node.tables["nat"]["KUBE-PORTALS-HOST"] = Chain(rules=["-j RETURN"])
    node.tables["nat"]["OUTPUT"].rules.append("-m addrtype --dst-type LOCAL -j KUBE-PORTALS-HOST")
    assert lines_of(diff(node, as_dump(ruleset))) == [
        ":KUBE-PORTALS-HOST - [0:0]",
        "-D OUTPUT -m addrtype --dst-type LOCAL -j KUBE-PORTALS-HOST",
        "-X KUBE-NODE-PORT",
        "-X KUBE-PORTALS-HOST",
    ]


def test_of_two_equal_rules_the_one_that_is_too_many_goes() -> None:
    before = parse(
        "*nat\n-A KUBE-FORWARD -j RETURN\n-A KUBE-FORWARD -j DROP\n-A KUBE-FORWARD -j RETURN\nCOMMIT\n"
    )
    after = parse("*nat\n-A KUBE-FORWARD -j RETURN\n-A KUBE-FORWARD -j DROP\nCOMMIT\n")
    assert lines_of(diff(before, after)) == ["-D KUBE-FORWARD 3"]


def test_families_do_not_mix() -> None:
    with pytest.raises(ValueError, match="IPv4 and IPv6 rules cannot be compared"):
        diff(Dump(family="IPv4"), Dump(family="IPv6"))


def test_any_state_becomes_any_other_and_the_neighbours_keep_theirs() -> None:
    chance = random.Random(20)
    families: dict[str, list[Ruleset]] = {}
    for ruleset in rulesets(every=2):
        if sum(map(len, ruleset.parts())) < 60_000:
            families.setdefault(ruleset.family, []).append(ruleset)
    for _ in range(PAIRS):
        of_family = chance.choice(list(families.values()))
        a, b = chance.choice(of_family), chance.choice(of_family)
        node = lived_in(programmed(a), chance)
        transaction = diff(node, as_dump(b))
        after = applied(node, transaction)
        assert ours(after) == ours(programmed(b))
        assert foreign(after) == foreign(node)
        assert diff(after, as_dump(b)) == Transaction()


def test_from_one_compiled_state_to_another_even_the_order_is_ours() -> None:
    chance = random.Random(21)
    families: dict[str, list[Ruleset]] = {}
    for ruleset in rulesets(every=3):
        if sum(map(len, ruleset.parts())) < 60_000:
            families.setdefault(ruleset.family, []).append(ruleset)
    for _ in range(PAIRS):
        of_family = chance.choice(list(families.values()))
        a, b = chance.choice(of_family), chance.choice(of_family)
        after = applied(programmed(a), diff(as_dump(a), as_dump(b)))
        assert after.text == programmed(b).text
