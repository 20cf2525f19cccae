"""A kernel with IPVS goes from any state to any other by what diff says, and keeps what is of others."""

from __future__ import annotations

import os
import random

import pytest

from rulegen.iptables.save import save
from rulegen.ipvs import Ruleset, ipset, ipvsadm
from rulegen.ipvs.compare import compare
from rulegen.ipvs.diff import diff
from rulegen.ipvs.state import State, read, state
from rulegen.model import Family
from tests.ipvs.rulesets import addresses, bound, rule_lines, rulesets, saved_set_lines, set_lines
from tests.recorded import cases
from tests.uml.harness import Machine

pytestmark = [pytest.mark.uml, pytest.mark.xdist_group("uml")]

PAIRS = 125 if os.environ.get("RULEGEN_THOROUGH") else 25
"""Of each family."""

LISTINGS = ("ipvsadm -Sn", "ipset save", "ip -j addr")
SAVES = {"IPv4": "iptables-save", "IPv6": "ip6tables-save"}
FOREIGN = """\
ipset create mine hash:ip family inet
ipset add mine 192.0.2.77
iptables-legacy -A INPUT -m set --match-set mine src -j DROP
iptables-legacy -t nat -A PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 80
ip6tables-legacy -A FORWARD -p tcp -j ACCEPT
"""


def some(family: Family, count: int) -> list[Ruleset]:
    """Compiled recorded cases of one family, in no order."""
    found: list[Ruleset] = []
    chance = random.Random(7)
    recorded = list(cases("1.37-ipvs"))
    chance.shuffle(recorded)
    for case in recorded:
        found += [ruleset for ruleset in rulesets(case["scenario"]) if ruleset.family == family]
        if len(found) >= count:
            break
    return [found[number % len(found)] for number in range(count)]


def nothing(family: Family) -> State:
    """A node where nobody has programmed anything of ours yet."""
    empty = {"ipvsadm -Sn": "", "ipset save": "", "ip -j addr": "[]", SAVES[family]: ""}
    (found,) = read(empty, family).values()
    return found


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_the_kernel_goes_from_any_state_to_any_other(uml: Machine, family: Family) -> None:
    wanted = some(family, PAIRS + 1)
    saves = SAVES[family].replace("tables-", "tables-legacy-")
    program = f"set -e\nexport IPTABLES=iptables-legacy IP6TABLES=ip6tables-legacy\n{FOREIGN}"
    current = nothing(family)
    for number, ruleset in enumerate(wanted):
        (uml.folder / f"step-{number}").mkdir(exist_ok=True)
        program += f"echo {number}\n(:\n{diff(current, state(ruleset)).text})\ncd step-{number}\n"
        program += "".join(f"{listing} >'{listing}'\n" for listing in LISTINGS)
        program += f"{saves} >'{SAVES[family]}'\ncd ..\n"
        current = state(ruleset)
    done = uml.run(program, seconds=300)
    assert (done.code, done.stderr) == (0, ""), done.stdout[-20:]
    for number, ruleset in enumerate(wanted):
        folder = uml.folder / f"step-{number}"
        said = {name: (folder / name).read_text() for name in (*LISTINGS, SAVES[family])}
        assert_as_compiled(said, ruleset)


def assert_as_compiled(said: dict[str, str], ruleset: Ruleset) -> None:
    assert sorted(said["ipvsadm -Sn"].splitlines()) == sorted(ipvsadm(ruleset).splitlines())
    ours = [line for line in saved_set_lines(said["ipset save"]) if line.split()[1] != "mine"]
    assert ours == set_lines([ipset(ruleset)])
    assert "add mine 192.0.2.77\n" in said["ipset save"]
    assert addresses(said["ip -j addr"]) == bound([ruleset])
    listing = said[SAVES[ruleset.family]]
    foreign = [line for line in listing.splitlines() if " mine " in line or "REDIRECT" in line]
    assert len(foreign) == (2 if ruleset.family == "IPv4" else 0)
    left = [
        line for line in rule_lines(listing) if line not in foreign and line != "-A FORWARD -p tcp -j ACCEPT"
    ]
    assert sorted(left) == sorted(rule_lines(save(ruleset, "legacy", with_jumps=True)))
    (node,) = read(said, ruleset.family).values()
    assert not compare(node, ruleset).findings
