"""What an apply did is taken back exactly, and what others did in the meantime stays."""

from __future__ import annotations

import random

from rulegen.fake import Iptables
from rulegen.iptables.diff import diff, removal
from rulegen.iptables.dump import Chain, Dump, Transaction
from rulegen.iptables.rewind import others, rewind
from rulegen.iptables.save import as_dump, as_saved
from tests.iptables.nodes import foreign, lived_in, ours, programmed
from tests.iptables.rulesets import THOROUGH, rulesets

PAIRS = 2000 if THOROUGH else 40


def applied(node: Dump, transaction: Transaction) -> Dump:
    kernel = Iptables("nft")
    kernel.restore(node.text, node.family)
    kernel.restore(transaction.text, node.family, noflush=True)
    return kernel.dump(node.family)


def edited(node: Dump, chance: random.Random) -> Dump:
    """The same node after somebody added rules of their own among the others, and took some away."""
    tables = {
        table: {name: Chain(chain.policy, list(chain.rules)) for name, chain in chains.items()}
        for table, chains in node.tables.items()
    }
    for table in ("filter", "nat"):
        tables[table]["NEIGHBOUR"] = Chain(rules=["-j RETURN"])
        for chain in tables[table].values():
            if chain.policy == "-":
                continue
            theirs = [rule for rule in chain.rules if "KUBE-" not in rule]
            if theirs and chance.random() < 0.5:
                chain.rules.remove(chance.choice(theirs))
            chain.rules.insert(chance.randint(0, len(chain.rules)), "-j NEIGHBOUR")
    return as_saved(Dump(family=node.family, tables=tables), "nft")


def test_a_node_is_put_back_to_the_last_rule() -> None:
    chance = random.Random(5)
    some = list(rulesets(every=6))
    for _ in range(PAIRS):
        a = chance.choice(some)
        b = chance.choice([ruleset for ruleset in some if ruleset.family == a.family])
        before = lived_in(programmed(a), chance)
        for change in (diff(before, as_dump(b)), removal(before)):
            after = applied(before, change)
            assert applied(after, rewind(after, before)).text == before.text
    assert rewind(before, before) == Transaction()


def test_what_was_made_from_nothing_goes_altogether() -> None:
    for ruleset in rulesets(every=20):
        empty = as_saved(Dump(family=ruleset.family, tables={"filter": {}, "nat": {}}), "nft")
        after = applied(empty, diff(empty, as_dump(ruleset)))
        assert applied(after, rewind(after, empty)).text == empty.text


def test_what_others_did_in_the_meantime_stays() -> None:
    chance = random.Random(6)
    some = list(rulesets(every=6))
    for _ in range(PAIRS):
        a = chance.choice(some)
        b = chance.choice([ruleset for ruleset in some if ruleset.family == a.family])
        before = lived_in(programmed(a), chance)
        now = edited(applied(before, diff(before, as_dump(b))), chance)
        back = applied(now, rewind(now, before))
        assert foreign(back) == foreign(now)
        assert ours(back) == ours(before)
        assert others(back) == others(now)


def test_a_chain_that_somebody_leads_to_by_now_is_emptied_at_least() -> None:
    ruleset = next(rulesets(every=20))
    empty = as_saved(Dump(family=ruleset.family, tables={"filter": {}, "nat": {}}), "nft")
    now = applied(empty, diff(empty, as_dump(ruleset)))
    now.tables["nat"]["MINE"] = Chain(rules=["-j KUBE-MARK-MASQ"])
    back = applied(now, rewind(now, empty))
    assert set(back.tables["nat"]) - set(empty.tables["nat"]) == {"MINE", "KUBE-MARK-MASQ"}
    assert back.rules("nat", "KUBE-MARK-MASQ") == []
    assert rewind(back, empty) == Transaction()
