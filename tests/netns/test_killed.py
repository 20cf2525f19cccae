"""An apply that is killed, at any of its steps, is undone: by its guardian, or by the next command."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rulegen.iptables.dump import Variant
from rulegen.netns.journal import Desk
from tests.netns.lab import THOROUGH, WAYS, Lab, first, second
from tests.netns.others import neighbours

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parent.parent.parent


def killed(lab: Lab, way: tuple[str, Variant], number: int, when: str, who: str) -> str:
    """Apply in a process that is killed at a command (from 0); what was said until nobody held its pipe."""
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.netns.killed",
            lab.namespace.name, str(lab.folder), *way, str(number), when, who,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stderr


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_after_a_kill_all_is_as_before(lab: Lab, way: tuple[str, Variant]) -> None:
    neighbours(lab.namespace)
    lab.apply(first(), *way)
    before = lab.dumps()
    space = lab.noting()
    lab.apply(second(), *way, space)
    lab.apply(first(), *way)
    last = len(space.commands) - 1
    begun = False
    for number, command in enumerate(space.commands):
        begun = begun or command in space.written
        if not (THOROUGH or command in space.written or number == last):
            continue
        for when in ("before", "after"):
            # Its guardian lives, and has put everything back by the time that it lets go of the lock.
            said = killed(lab, way, number, when, "it")
            with Desk(lab.namespace.name, lab.folder).held():
                assert lab.dumps() == before, (number, when)
            assert ("put back what was there before" in said) is begun
            # Its guardian dies, too: the next command puts it back, and says so.
            if when == "after" or THOROUGH:
                assert killed(lab, way, number, when, "all") == ""
                report = lab.apply(first(), *way)
                assert report.recovered.endswith("put back what was there before") is begun
                assert report.steps == ()
                assert lab.dumps() == before, (number, when)
    assert not list(lab.folder.glob("*.journal"))
