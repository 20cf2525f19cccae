"""The real iptables-save is the judge of what ``render -o save`` prints."""

from __future__ import annotations

import pytest

from rulegen.iptables import restore, restore_with_jumps
from rulegen.iptables.base import INVALID_COUNTER, LOCALHOST_COUNTER
from rulegen.iptables.dump import Variant
from rulegen.iptables.parse import parse
from rulegen.iptables.save import as_saved, save
from rulegen.model import Family
from tests.iptables.rulesets import rulesets
from tests.iptables.test_normal import FOUR, SIX
from tests.kernel.netns import Namespace, need

TOOLS = {"IPv4": "iptables", "IPv6": "ip6tables"}

pytestmark = pytest.mark.kernel


@pytest.fixture
def node(netns: Namespace) -> Namespace:
    """A namespace with the nfacct counters and the set that rules name."""
    need(
        "nfacct",
        "ipset",
        *(f"{t}-{v}-{x}" for t in TOOLS.values() for v in ("legacy", "nft") for x in ("save", "restore")),
    )
    for counter in (INVALID_COUNTER, LOCALHOST_COUNTER, "acc"):
        netns.run("nfacct", "add", counter)
    netns.run("ipset", "create", "S4", "hash:ip,port")
    return netns


def restored(node: Namespace, text: str, family: Family, variant: Variant) -> str:
    """What iptables-save says after a restore that replaces the tables of the text; comments left out."""
    tool = f"{TOOLS[family]}-{variant}"
    node.run(f"{tool}-restore", stdin=text)
    lines = node.run(f"{tool}-save").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_after_a_restore_iptables_save_prints_what_was_said(node: Namespace, variant: Variant) -> None:
    for ruleset in rulesets(every=10):
        for text, with_jumps in ((restore(ruleset), False), (restore_with_jumps(ruleset), True)):
            assert restored(node, text, ruleset.family, variant) == save(
                ruleset, variant, with_jumps=with_jumps
            )


@pytest.mark.parametrize("variant", ["legacy", "nft"])
@pytest.mark.parametrize(("family", "rules"), [("IPv4", FOUR), ("IPv6", SIX)])
def test_every_form_of_a_rule_is_printed_as_said(
    node: Namespace, variant: Variant, family: Family, rules: list[tuple[str, str]]
) -> None:
    lines = "".join(f"-A RULES {written}\n" for written, _ in rules)
    text = f"*filter\n:OTHER - [0:0]\n:RULES - [0:0]\n{lines}COMMIT\n"
    assert restored(node, text, family, variant) == as_saved(parse(text, family), variant).text
