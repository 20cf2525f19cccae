"""The real kernel takes the transactions, and ends up where they say."""

from __future__ import annotations

import random

import pytest

from rulegen.iptables import Ruleset
from rulegen.iptables.base import INVALID_COUNTER, LOCALHOST_COUNTER
from rulegen.iptables.diff import diff
from rulegen.iptables.dump import Dump, Transaction, Variant
from rulegen.iptables.parse import parse
from rulegen.iptables.save import as_dump
from rulegen.model import Family
from tests.iptables.nodes import foreign, lived_in, ours, programmed
from tests.iptables.rulesets import THOROUGH, rulesets
from tests.kernel.netns import Namespace, need

TOOLS = {"IPv4": "iptables", "IPv6": "ip6tables"}
PAIRS = 200 if THOROUGH else 12
"""Of each family and variant."""

pytestmark = pytest.mark.kernel


def state(node: Namespace, family: Family, variant: Variant) -> Dump:
    return parse(node.run(f"{TOOLS[family]}-{variant}-save"), family)


@pytest.mark.parametrize("variant", ["legacy", "nft"])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_the_kernel_goes_from_any_state_to_any_other(
    netns: Namespace, family: Family, variant: Variant
) -> None:
    need("nfacct", *(f"{TOOLS[family]}-{variant}-{what}" for what in ("save", "restore")))
    for counter in (INVALID_COUNTER, LOCALHOST_COUNTER):
        netns.run("nfacct", "add", counter)
    tool = f"{TOOLS[family]}-{variant}-restore"
    chance = random.Random(22)
    some: list[Ruleset] = [
        r for r in rulesets(every=6) if r.family == family and sum(map(len, r.parts())) < 60_000
    ]
    for _ in range(PAIRS):
        a, b = chance.choice(some), chance.choice(some)
        netns.run(tool, stdin=lived_in(programmed(a), chance).text)
        before = state(netns, family, variant)
        netns.run(tool, "--noflush", stdin=diff(before, as_dump(b)).text)
        after = state(netns, family, variant)
        assert ours(after) == ours(programmed(b))
        assert foreign(after) == foreign(before)
        assert diff(after, as_dump(b)) == Transaction()
