"""From any state to any other, in a kernel in memory: thousands of pairs, and others' things untouched."""

from __future__ import annotations

import os
import random

import pytest

from rulegen.fake import Ipvs
from rulegen.ipvs import Ruleset
from rulegen.ipvs.diff import diff
from rulegen.ipvs.state import State, read, state
from rulegen.ipvs.transaction import Transaction
from rulegen.model import Family
from tests.ipvs.rulesets import rulesets
from tests.recorded import cases

PAIRS = 2500 if os.environ.get("RULEGEN_THOROUGH") else 120
"""Of each family."""

LISTINGS = ("ipvsadm -Sn", "ipset save", "ip -j addr")
SAVES = {"IPv4": "iptables-save", "IPv6": "ip6tables-save"}
FOREIGN = (
    ("ipset restore", "create mine hash:ip family inet\nadd mine 192.0.2.77\n"),
    ("iptables-restore --noflush", "*filter\n-A INPUT -m set --match-set mine src -j DROP\nCOMMIT\n"),
    ("ip6tables-restore --noflush", "*nat\n:MINE - [0:0]\n-A PREROUTING -p tcp -j MINE\nCOMMIT\n"),
)


def program(kernel: Ipvs, change: Transaction) -> None:
    """What the transaction's script does."""
    restore = f"{SAVES[change.family].removesuffix('save')}restore --noflush"
    kernel.run(restore, change.cleared.text) if change.cleared else None
    for command, lines in (("ipset restore", change.sets), ("ipvsadm -R", change.servers)):
        if lines:
            kernel.run(command, "".join(f"{line}\n" for line in lines))
    if change.device:
        kernel.run("ip link add kube-ipvs0 type dummy")
    if change.addresses:
        kernel.run("ip -batch -", "".join(f"{line}\n" for line in change.addresses))
    if change.rules:
        kernel.run(restore, change.rules.text)


def listed(kernel: Ipvs, family: Family) -> State:
    said = {command: kernel.run(command) for command in (*LISTINGS, SAVES[family])}
    (found,) = read(said, family).values()
    return found


def foreign(kernel: Ipvs) -> list[str]:
    said = kernel.run("ipset save").splitlines() + kernel.run("iptables-save").splitlines()
    said += kernel.run("ip6tables-save").splitlines()
    return [line for line in said if " mine" in line or "MINE" in line]


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_any_state_becomes_any_other(family: Family) -> None:
    pool: list[Ruleset] = []
    for case in list(cases("1.37-ipvs"))[:: 1 if PAIRS > 1000 else 5]:
        pool += [ruleset for ruleset in rulesets(case["scenario"]) if ruleset.family == family]
    chance = random.Random(19)
    kernel = Ipvs()
    for command, text in FOREIGN:
        kernel.run(command, text)
    others = foreign(kernel)
    assert others
    for _ in range(PAIRS):
        wanted = state(chance.choice(pool))
        program(kernel, diff(listed(kernel, family), wanted))
        now = listed(kernel, family)
        assert not diff(now, wanted)
        assert now.servers is not None and wanted.servers is not None and wanted.sets is not None
        assert now.servers.keys() == wanted.servers.keys()
        assert now.sets is not None
        assert {name: set(each.entries) for name, each in now.sets.items()} == {
            name: set(each.entries) for name, each in wanted.sets.items()
        }
        assert set(now.addresses or ()) == set(wanted.addresses or ())
        assert foreign(kernel) == others
