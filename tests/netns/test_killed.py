"""An apply that is killed, at any of its steps, is undone: by its guardian, or by the next command."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rulegen.iptables.dump import Variant
from rulegen.netns.apply import ApplyError, Target
from rulegen.netns.journal import BusyError, Desk
from rulegen.netns.programs import apply
from rulegen.netns.space import create_space, exists, remove_space
from tests.netns.killed import SLOW_SECONDS
from tests.netns.lab import THOROUGH, WAYS, Lab, Noting, first, plans, second
from tests.netns.others import neighbours

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parent.parent.parent


def killed(name: str, folder: Path, way: tuple[str, Variant], number: int, when: str, who: str) -> str:
    """Apply in a process that is killed at a command (from 0); what was said until nobody held its pipe."""
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.netns.killed",
            name, str(folder), *way, str(number), when, who,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stderr


CASES = (("before", "it"), ("after", "it"), ("after", "all"), ("before", "all"))
"""When it is killed, and whether its guardian dies, too."""


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
    turn = WAYS.index(way)
    for number, command in enumerate(space.commands):
        begun = begun or command in space.written
        if not (THOROUGH or command in space.written or number == last):
            continue
        turn += 1
        for when, who in CASES if THOROUGH else (CASES[turn % 3],):
            said = killed(lab.namespace.name, lab.folder, way, number, when, who)
            if who == "it":
                # Its guardian has put everything back by the time that it lets go of the lock.
                with Desk(lab.namespace.name, lab.folder).held():
                    assert lab.dumps() == before, (number, when)
                assert ("put back what was there before" in said) is begun
            else:
                # The next command puts it back, and says so.
                report = lab.apply(first(), *way)
                assert report.recovered.endswith("put back what was there before") is begun
                assert report.steps == ()
                assert lab.dumps() == before, (number, when)
    assert not list(lab.folder.glob("*.journal"))


class Undone(Noting):
    """Fails at its command; how many commands were run to put things back."""

    @property
    def after(self) -> int:
        assert self.fails is not None
        return len(self.commands) - self.fails - 1


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_kill_while_things_are_put_back_does_not_keep_them_from_that(
    lab: Lab, way: tuple[str, Variant]
) -> None:
    neighbours(lab.namespace)
    lab.apply(first(), *way)
    before = lab.dumps()
    space = lab.noting()
    lab.apply(second(), *way, space)
    lab.apply(first(), *way)
    last = max(number for number, command in enumerate(space.commands) if command in space.written)
    failing = Undone(lab.namespace.name, fails=last, afterwards=True)
    with pytest.raises(ApplyError):
        lab.apply(second(), *way, failing)
    for number in range(failing.after) if THOROUGH else (failing.after // 2,):
        for who in ("it", "all"):
            said = killed(lab.namespace.name, lab.folder, way, last, f"undo {number}", who)
            if who == "it":
                with Desk(lab.namespace.name, lab.folder).held():
                    assert lab.dumps() == before, number
                assert "put back what was there before" in said
            else:
                assert lab.apply(first(), *way).recovered.endswith("put back what was there before")
                assert lab.dumps() == before, number
    assert not list(lab.folder.glob("*.journal"))


def test_a_namespace_that_was_being_made_is_not_there_after_a_kill(lab: Lab) -> None:
    way: tuple[str, Variant] = ("iptables", "nft")
    name = f"{lab.namespace.name}-new"
    desk = Desk(name, lab.folder)
    target = Target(netns=name, create=True, folder=lab.folder)
    space = Noting(name)
    apply(target, way[0], plans(second(), way[0]), variant=way[1], space=space)
    remove_space(name)
    numbers = range(len(space.commands)) if THOROUGH else (0, len(space.commands) // 2)
    for number in numbers:
        said = killed(name, lab.folder, way, number, "after", "it")
        with desk.held():
            assert not exists(name)
        assert said == f"{name}: a change was interrupted while the namespace was being made; removed it\n"
        killed(name, lab.folder, way, number, "after", "all")
        assert exists(name)
        report = apply(target, way[0], plans(first(), way[0]))
        assert report.created and "removed it" in report.recovered
        remove_space(name)


def test_a_journal_of_a_namespace_that_is_gone_is_of_no_use_for_its_successor(lab: Lab) -> None:
    way: tuple[str, Variant] = ("iptables", "nft")
    name = lab.namespace.name
    lab.apply(first(), *way)
    space = lab.noting()
    lab.apply(second(), *way, space)
    lab.apply(first(), *way)
    killed(name, lab.folder, way, len(space.commands) - 1, "after", "all")
    remove_space(name)
    create_space(name)
    report = lab.apply(second(), *way)
    assert report.recovered.endswith("was of a namespace that is gone; removed it")
    assert lab.apply(second(), *way).steps == ()


def test_a_tool_that_outlives_its_command_is_waited_for(lab: Lab) -> None:
    way: tuple[str, Variant] = ("iptables", "nft")
    lab.apply(first(), *way)
    before = lab.dumps()
    started = time.monotonic()
    said = killed(lab.namespace.name, lab.folder, way, 0, "during", "it")
    assert time.monotonic() - started > SLOW_SECONDS
    assert "put back what was there before" in said
    with Desk(lab.namespace.name, lab.folder).held():
        assert lab.dumps() == before


def test_a_file_that_is_no_journal_stops_everything(lab: Lab) -> None:
    lab.folder.mkdir(mode=0o700)
    Desk(lab.namespace.name, lab.folder).path.write_text("{")
    before = lab.dumps()
    with pytest.raises(ValueError, match="not a journal of rulegen"):
        lab.apply(first(), "iptables", "nft")
    assert lab.dumps() == before


def test_two_commands_do_not_work_in_one_namespace_at_a_time(lab: Lab) -> None:
    desk = Desk(lab.namespace.name, lab.folder)
    with desk.held(), pytest.raises(BusyError, match="another rulegen has been at work"), desk.held(0.1):
        pass
    lab.apply(first(), "iptables", "nft")
