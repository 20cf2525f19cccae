"""The ipvs mode applied to a namespace; run by tests/netns/test_ipvs_uml.py where the kernel has IPVS.

Every step that fails is tried in memory (tests/netns/test_ipvs.py), and here when all is tried.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rulegen.model import Cluster
from rulegen.netns.apply import ApplyError
from rulegen.netns.journal import Desk
from rulegen.netns.programs import apply, cleanup
from tests.netns.lab import THOROUGH, Lab, first, plans, second

ROOT = Path(__file__).parent.parent.parent
WAY = ("ipvs", "legacy")
FOREIGN = "-A -t 203.0.113.7:80 -s wlc\n-a -t 203.0.113.7:80 -r 10.9.9.9:80 -m -w 3\n"
RULES = """\
*filter
:MINE - [0:0]
-A MINE -i eth7 -j DROP
-A INPUT -j MINE
-A FORWARD -i eth7 -j ACCEPT
COMMIT
"""


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libiptc, which takes ten seconds to be found here; tests/netns/test_libiptc.py has it."""
    monkeypatch.setattr("rulegen.netns.rules.LIBIPTC_RULES", -1)


def neighbours(lab: Lab) -> None:
    """Rules and sets of others, in both families."""
    for tool in ("iptables", "ip6tables"):
        lab.namespace.run(f"{tool}-legacy-restore", "--noflush", stdin=RULES)
    lab.namespace.run("ipset", "restore", stdin="create MINE hash:ip\nadd MINE 192.0.2.1\n")


def killed(lab: Lab, number: int, who: str) -> None:
    """Apply in a process that is killed after a command (from 0), with its guardian or without."""
    arguments = (lab.namespace.name, str(lab.folder), *WAY, str(number), "after", who)
    done = subprocess.run(
        [sys.executable, "-m", "tests.netns.killed", *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def written_by(lab: Lab, objects: Cluster) -> range:
    """The numbers of the commands that program something, of all that an apply would run."""
    space = lab.noting()
    dry = apply(lab.target, "ipvs", plans(objects, "ipvs"), variant="legacy", dry_run=True, space=space)
    return range(len(space.commands), len(space.commands) + len(dry.steps))


def test_a_node_is_programmed_changed_put_back_and_cleaned(lab: Lab) -> None:
    neighbours(lab)
    around = lab.dumps()
    assert lab.apply(first(), "ipvs", "legacy").steps
    before = lab.dumps()
    space = lab.noting()
    assert lab.apply(first(), "ipvs", "legacy", space).steps == ()
    assert space.written == []

    writes = written_by(lab, second())
    for number in writes if THOROUGH else ():
        with pytest.raises(ApplyError, match="all is as before"):
            lab.apply(second(), "ipvs", "legacy", lab.noting(fails=number, afterwards=True))
        assert lab.dumps() == before, number
    for number in writes if THOROUGH else ():
        killed(lab, number, "it")
        with Desk(lab.namespace.name, lab.folder).held():
            assert lab.dumps() == before, number
    for number in writes if THOROUGH else writes[-3:-2]:
        killed(lab, number, "all")
        report = lab.apply(first(), "ipvs", "legacy")
        assert report.recovered.endswith("put back what was there before")
        assert lab.dumps() == before, number

    lab.namespace.run("ipvsadm", "-R", stdin=FOREIGN)
    cleanup(lab.target)
    after = lab.dumps()
    assert after["ipvsadm -Sn"] == FOREIGN
    for listing in ("ipset save", "ip addr"):
        assert after[listing] == around[listing]
    for listing in ("iptables-legacy-save", "ip6tables-legacy-save"):
        assert around[listing] in after[listing]  # tables that were looked at stay, empty
        assert "KUBE-" not in after[listing]
