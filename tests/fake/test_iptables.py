"""The kernel in memory: what it takes, what it refuses, what it says."""

from __future__ import annotations

import pytest

from rulegen.fake import Iptables, RefusedError
from rulegen.iptables import restore_with_jumps
from rulegen.iptables.dump import BUILTIN, Variant
from rulegen.iptables.save import save
from tests.iptables.rulesets import rulesets
from tests.kernel.netns import Namespace, need

LF = "\n"
START = """\
*filter
:INPUT ACCEPT [0:0]
:A - [0:0]
:B - [0:0]
:EMPTY - [0:0]
-A INPUT -j A
-A A -p tcp --dport 80 -j B
-A A -j RETURN
-A B -m comment --comment "x y" -j ACCEPT
COMMIT
*nat
:C - [0:0]
-A POSTROUTING -j C
-A C -j MASQUERADE
COMMIT
"""

REFUSED = {
    "an unknown chain": ("*filter\n-A NOWHERE -j ACCEPT\nCOMMIT\n", 2, "no chain NOWHERE"),
    "an unknown target": ("*filter\n-A A -j NOWHERE\nCOMMIT\n", 2, "no chain or target NOWHERE"),
    "a chain of another table": ("*filter\n-A A -j C\nCOMMIT\n", 2, "no chain or target C"),
    "going to a target": ("*filter\n-A A -g ACCEPT\nCOMMIT\n", 2, "no chain or target ACCEPT"),
    "jumping to INPUT": ("*filter\n-A A -j INPUT\nCOMMIT\n", 2, "no jump to the kernel's own chain INPUT"),
    "a chain in use": ("*filter\n:B - [0:0]\n-X B\nCOMMIT\n", 3, "chain B is in use"),
    "a chain with rules": ("*filter\n-F A\n-A B -j RETURN\n-X B\nCOMMIT\n", 4, "chain B is not empty"),
    "deleting INPUT": ("*filter\n-F INPUT\n-X INPUT\nCOMMIT\n", 3, "chain INPUT is the kernel's own"),
    "deleting what is not there": ("*filter\n-X NOWHERE\nCOMMIT\n", 2, "no chain NOWHERE"),
    "a chain twice": ("*filter\n-N A\nCOMMIT\n", 2, "chain A already exists"),
    "a rule that is not there": (
        "*filter\n-D A -p udp --dport 80 -j B\nCOMMIT\n",
        2,
        "no such rule in the chain",
    ),
    "a rule beyond the end": ("*filter\n-D A 3\nCOMMIT\n", 2, "no rule 3 in a chain of 2"),
    "inserting beyond the end": (
        "*filter\n-I A 4 -j RETURN\nCOMMIT\n",
        2,
        "index of insertion too big: 4 in a chain of 2",
    ),
    "replacing beyond the end": (
        "*filter\n-R A 3 -j RETURN\nCOMMIT\n",
        2,
        "index of replacement too big: 3 in a chain of 2",
    ),
    "a name that is too long": (
        f"*filter\n:{'X' * 29} - [0:0]\nCOMMIT\n",
        2,
        f"chain name {'X' * 29} is too long (more than 28 characters)",
    ),
    "the name of a target": ("*filter\n-N DROP\nCOMMIT\n", 2, "chain name DROP is that of a target"),
    "a policy for a user's chain": ("*filter\n:A DROP [0:0]\nCOMMIT\n", 2, "no policy for chain A"),
    "a policy nobody knows": ("*filter\n:INPUT MAYBE [0:0]\nCOMMIT\n", 2, "bad policy 'MAYBE'"),
    "a loop": ("*filter\n-A B -j A\nCOMMIT\n", 3, "loop through chain A"),
    "masquerading outside nat": (
        "*filter\n-A A -j MASQUERADE\nCOMMIT\n",
        2,
        "MASQUERADE is for table nat only",
    ),
    "masquerading before routing": (
        "*nat\n-A PREROUTING -j C\nCOMMIT\n",
        3,
        "MASQUERADE in C is reached from PREROUTING",
    ),
    "rejecting in nat": ("*nat\n-A C -j REJECT\nCOMMIT\n", 2, "REJECT is for table filter only"),
    "no table of that name": ("*nut\nCOMMIT\n", 1, "can't initialize table 'nut'"),
    "no table": ("-A INPUT -j ACCEPT\n", 1, "outside any table: '-A INPUT -j ACCEPT'"),
    "no end": ("*filter\n-A INPUT -j ACCEPT\n", 3, "COMMIT expected"),
    "an unknown command": (
        "*filter\n-Q INPUT -j ACCEPT\nCOMMIT\n",
        2,
        "unknown command: '-Q INPUT -j ACCEPT'",
    ),
    "a port that is none": (
        "*filter\n-A A -p tcp -m tcp --dport 70000 -j B\nCOMMIT\n",
        2,
        "invalid port/service `70000' specified",
    ),
    "one of several ports": (
        "*filter\n-A A -p tcp -m multiport --dports 80,70000 -j B\nCOMMIT\n",
        2,
        "invalid port/service `70000' specified",
    ),
    "ports from high to low": (
        "*filter\n-A A -p tcp -m tcp --sport 90:80 -j B\nCOMMIT\n",
        2,
        "invalid portrange (min > max)",
    ),
    "a new port that is none": (
        "*nat\n-A C -p tcp -j DNAT --to-destination 10.0.0.1:70000\nCOMMIT\n",
        2,
        "Port `70000' not valid",
    ),
    "an unknown option": ("*filter\n-A INPUT --what -j ACCEPT\nCOMMIT\n", 2, "unknown option --what"),
}  # fmt: skip

TAKEN = [
    "*filter\n:B - [0:0]\n:A - [0:0]\n-X B\nCOMMIT\n",
    "*filter\n-D A -p tcp -m tcp --dport 80 -j B\n-F B\n-X B\nCOMMIT\n",
    "*filter\n-I A 3 -j RETURN\n-R A 1 -j B\n-D A 2\nCOMMIT\n",
    "*filter\n-X EMPTY\n:NEW - [0:0]\n-A NEW -j A\nCOMMIT\n",
    "*filter\n-P FORWARD DROP\n-D INPUT 1\nCOMMIT\n",
    "*raw\n-A PREROUTING -j ACCEPT\nCOMMIT\n",
    "*filter\n-A A -p tcp -m tcp --sport 1024: --dport 1:65535 -j B\nCOMMIT\n",
    "*nat\n:C - [0:0]\n-A PREROUTING -j C\n-A C -p tcp -j DNAT --to-destination 10.0.0.1:80\n"
    "-D POSTROUTING -j C\nCOMMIT\n",
]


def started(variant: Variant = "legacy") -> Iptables:
    kernel = Iptables(variant)
    kernel.restore(START)
    return kernel


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses(what: str) -> None:
    text, line, fault = REFUSED[what]
    kernel = started()
    before = kernel.save()
    with pytest.raises(RefusedError) as refusal:
        kernel.restore(text, noflush=True)
    assert (refusal.value.line, refusal.value.fault) == (line, fault)
    assert kernel.save() == before


@pytest.mark.kernel
@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_the_real_kernel_refuses_and_takes_the_same(netns: Namespace, variant: Variant) -> None:
    need(f"iptables-{variant}-restore", f"iptables-{variant}-save")
    tool = f"iptables-{variant}"

    def said() -> set[str]:
        """The tables that hold something."""
        blocks = netns.run(f"{tool}-save").split("*")[1:]
        return {
            f"*{block.partition('COMMIT')[0]}COMMIT\n" for block in blocks if ":A " in block or ":C " in block
        }

    empty = "".join(
        f"*{table}\n{''.join(f':{name} ACCEPT [0:0]{LF}' for name in BUILTIN[table])}COMMIT\n"
        for table in ("raw", "nat", "filter")
    )
    for text in [text for text, _, _ in REFUSED.values()] + TAKEN:
        netns.run(f"{tool}-restore", stdin=empty)
        netns.run(f"{tool}-restore", stdin=START)
        kernel = started(variant)
        if netns.refuses(f"{tool}-restore", "--noflush", stdin=text):
            with pytest.raises(RefusedError):
                kernel.restore(text, noflush=True)
        else:
            kernel.restore(text, noflush=True)
        ours = {f"*{block}" for block in kernel.save().split("*")[1:] if ":A " in block or ":C " in block}
        assert said() == ours


def test_a_section_takes_place_as_a_whole_or_not_at_all() -> None:
    kernel = started()
    text = "*nat\n-A C -j RETURN\nCOMMIT\n*filter\n-A A -j ACCEPT\n-A NOWHERE -j ACCEPT\nCOMMIT\n"
    with pytest.raises(RefusedError):
        kernel.restore(text, noflush=True)
    dump = kernel.dump()
    assert dump.rules("nat", "C") == ["-j MASQUERADE", "-j RETURN"]
    assert dump.rules("filter", "A")[-1] == "-j RETURN"


def test_without_noflush_a_table_is_replaced_and_others_are_left_alone() -> None:
    kernel = started("nft")
    kernel.restore("*filter\n:ONLY - [0:0]\nCOMMIT\n")
    assert kernel.save() == (
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:ONLY - [0:0]\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
        ":POSTROUTING ACCEPT [0:0]\n:C - [0:0]\n-A POSTROUTING -j C\n-A C -j MASQUERADE\nCOMMIT\n"
    )


def test_testing_changes_nothing() -> None:
    kernel = started()
    before = kernel.save()
    kernel.restore("*filter\n-F INPUT\nCOMMIT\n", noflush=True, test=True)
    assert kernel.save() == before


def test_counters_and_sets_that_are_not_there_are_missed() -> None:
    kernel = Iptables(nfacct=["acc"], sets=[])
    kernel.restore("*filter\n-A INPUT -m nfacct --nfacct-name acc -j DROP\nCOMMIT\n")
    with pytest.raises(RefusedError, match="no nfacct other"):
        kernel.restore("*filter\n-A INPUT -m nfacct --nfacct-name other -j DROP\nCOMMIT\n")
    with pytest.raises(RefusedError, match="Set KUBE-CLUSTER-IP doesn't exist"):
        kernel.restore("*filter\n-A INPUT -m set --match-set KUBE-CLUSTER-IP dst,dst -j DROP\nCOMMIT\n")


def test_a_copy_goes_its_own_way() -> None:
    kernel = started()
    other = kernel.copy()
    other.restore("*filter\n-A A -j DROP\nCOMMIT\n", noflush=True)
    assert len(other.dump().rules("filter", "A")) == len(kernel.dump().rules("filter", "A")) + 1


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_what_kube_proxy_restores_is_printed_as_the_kernel_prints_it(variant: Variant) -> None:
    for ruleset in rulesets(every=10):
        kernel = Iptables(variant)
        kernel.restore(restore_with_jumps(ruleset), ruleset.family, noflush=True)
        assert kernel.save(ruleset.family) == save(ruleset, variant, with_jumps=True)
