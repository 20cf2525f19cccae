"""The real kernel takes the transactions, and ends up where they say."""

from __future__ import annotations

import random

import msgspec
import pytest

from rulegen.fake import Nftables
from rulegen.model import Family
from rulegen.nftables import listed
from rulegen.nftables.diff import diff
from rulegen.nftables.listing import read
from rulegen.nftables.names import AFFINITY
from rulegen.nftables.table import Table, equal, table
from tests.kernel.netns import Namespace, need
from tests.nftables.rulesets import THOROUGH, rulesets
from tests.nftables.tables import TAMPERED, many

FOREIGN = """\
table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 22 accept
	}
}
table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport 8080 dnat to 10.0.0.1:80
	}
}
"""

PAIRS = 250 if THOROUGH else 20
"""Of each family."""

pytestmark = pytest.mark.kernel


def state(node: Namespace, family: Family, *how: str) -> Table | None:
    return read(node.run("nft", *how, "list", "ruleset")).tables.get(family)


def foreign(node: Namespace) -> str:
    return "".join(
        node.run("nft", "-a", "list", "table", *name) for name in (("inet", "filter"), ("ip", "nat"))
    )


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_the_kernel_goes_from_any_table_to_any_other(netns: Namespace, family: Family) -> None:
    need("nft")
    some = [ruleset for ruleset in rulesets(every=4) if ruleset.family == family]
    chance = random.Random(31)
    netns.run("nft", "-f", "-", stdin=FOREIGN)
    before = foreign(netns)
    current: Table | None = None
    kernel = Nftables()
    for number in range(PAIRS):
        desired = table(chance.choice(some))
        transaction = diff(current, desired)
        if transaction:
            netns.run("nft", "-f", "-", stdin=transaction.text)
            kernel.run(transaction.text)
        text = netns.run("nft", "list", "ruleset")
        current = read(text).tables[family]
        assert equal(current, desired)
        assert equal(current, kernel.table(family))
        assert not diff(current, desired)
        # What is printed is printed again to the byte.
        assert listed.table(current) in text
        if number % 10 == 0:
            assert equal(state(netns, family, "-j"), desired)
            assert equal(state(netns, family, "-a"), desired)
    assert foreign(netns) == before


@pytest.mark.parametrize("what", TAMPERED)
def test_the_kernel_takes_what_puts_a_table_right(netns: Namespace, what: str) -> None:
    need("nft")
    desired = many()
    current = TAMPERED[what](desired)
    netns.run("nft", "-f", "-", stdin=diff(None, current).text)
    text = netns.run("nft", "list", "ruleset")
    found = read(text).tables["IPv4"]
    assert equal(found, current)
    assert listed.table(found) == text
    netns.run("nft", "-f", "-", stdin=diff(found, desired).text)
    assert equal(state(netns, "IPv4"), desired)


def test_clients_and_counts_outlive_a_change(netns: Namespace) -> None:
    need("nft")
    before, after = many("10.10.2.1", affinity=600), many("10.10.2.1", "10.10.2.2", affinity=600)
    netns.run("nft", "-f", "-", stdin=diff(None, before).text)
    kept = next(name for name in before.containers if name.startswith(AFFINITY) and "web-1" in name)
    netns.run("nft", "add", "element", "ip", "kube-proxy", kept, "{ 10.9.9.9 }")
    netns.run("nft", "-f", "-", stdin="add counter ip kube-proxy hits { packets 7 bytes 77 ; }\n")
    found = state(netns, "IPv4")
    assert found is not None and found.counters == ("hits",)
    counted = msgspec.structs.replace(after, counters=("hits",))
    netns.run("nft", "-f", "-", stdin=diff(found, counted).text)
    assert equal(state(netns, "IPv4"), counted)
    assert "10.9.9.9" in netns.run("nft", "list", "set", "ip", "kube-proxy", kept)
    assert "packets 7 bytes 77" in netns.run("nft", "list", "counter", "ip", "kube-proxy", "hits")
