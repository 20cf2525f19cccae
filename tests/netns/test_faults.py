"""Whatever goes wrong, the namespace is as it was before."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rulegen.iptables.dump import Variant
from rulegen.netns.apply import ApplyError, Target
from rulegen.netns.programs import apply, cleanup
from rulegen.netns.space import CommandError, exists, remove_space
from rulegen.netns.undo import RestoreError
from tests.netns.lab import THOROUGH, WAYS, Lab, Noting, first, plans, second
from tests.netns.others import neighbours

pytestmark = pytest.mark.kernel


class Broken(Noting):
    """From one command on nothing works any more."""

    def run(self, *command: str, stdin: str | None = None) -> str:
        if self.fails is not None and len(self.commands) >= self.fails:
            raise CommandError(command, "no")
        return super().run(*command, stdin=stdin)


def faults(space: Noting) -> Iterator[tuple[int, bool]]:
    """Commands to fail, and whether they are carried out nevertheless; all of them when thorough."""
    last = len(space.commands) - 1
    for number, command in enumerate(space.commands):
        if THOROUGH or command in space.written or number in (0, last):
            yield number, False
            yield number, True


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_command_that_fails_leaves_everything_as_it_was(lab: Lab, way: tuple[str, Variant]) -> None:
    neighbours(lab.namespace)
    lab.apply(first(), *way)
    before = lab.dumps()
    space = lab.noting()
    lab.apply(second(), *way, space)
    lab.apply(first(), *way)
    for number, afterwards in faults(space):
        with pytest.raises((ApplyError, CommandError), match=r"\bno\b"):
            lab.apply(second(), *way, lab.noting(fails=number, afterwards=afterwards))
        assert lab.dumps() == before, (number, afterwards)
    assert not list(lab.folder.glob("*.journal"))
    # What has been put back is not only the same to look at.
    assert lab.apply(first(), *way).steps == ()
    assert lab.apply(second(), *way).steps


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_first_apply_that_fails_leaves_nothing(fresh: Callable[[], Lab], way: tuple[str, Variant]) -> None:
    space = (lab := fresh()).noting()
    lab.apply(first(), *way, space)
    for number, afterwards in faults(space):
        if not afterwards or THOROUGH:
            continue
        lab = fresh()
        before = lab.dumps()
        with pytest.raises((ApplyError, CommandError), match=r"\bno\b"):
            lab.apply(first(), *way, lab.noting(fails=number, afterwards=afterwards))
        after = lab.dumps()
        if "legacy" in way:
            # The kernel never lets a table go that has been looked at; an empty one is as good as none.
            after = {command: text if "KUBE-" in text else before[command] for command, text in after.items()}
        assert after == before, (number, afterwards)


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_cleanup_that_fails_removes_nothing(lab: Lab, way: tuple[str, Variant]) -> None:
    neighbours(lab.namespace)
    lab.apply(first(), *way)
    before = lab.dumps()
    space = lab.noting()
    cleanup(lab.target, space=space)
    lab.apply(first(), *way)
    for number, afterwards in faults(space):
        with pytest.raises((ApplyError, CommandError), match=r"\bno\b"):
            cleanup(lab.target, space=lab.noting(fails=number, afterwards=afterwards))
        assert lab.dumps() == before, (number, afterwards)


def test_a_namespace_that_cannot_be_programmed_is_not_made(lab: Lab) -> None:
    name = f"{lab.namespace.name}-new"
    target = Target(netns=name, create=True, folder=lab.folder)
    space = Noting(name)
    wanted = plans(first(), "iptables")
    assert apply(target, "iptables", wanted, variant="nft", space=space).created
    remove_space(name)
    for number, afterwards in faults(space):
        with pytest.raises(ApplyError, match=rf"{name}: failed, and all is as before: .*\bno\b"):
            failing = Noting(name, fails=number, afterwards=afterwards)
            apply(target, "iptables", wanted, variant="nft", space=failing)
        assert not exists(name)
    assert not list(lab.folder.glob("*.journal"))


def test_what_cannot_be_put_back_is_said_loudly_and_put_back_by_the_next_command(lab: Lab) -> None:
    way: tuple[str, Variant] = ("iptables", "nft")
    lab.apply(first(), *way)
    before = lab.dumps()
    space = lab.noting()
    lab.apply(second(), *way, space)
    changed = lab.dumps()
    lab.apply(first(), *way)
    last_write = max(n for n, command in enumerate(space.commands) if command in space.written)
    with pytest.raises(RestoreError, match="NOT PUT BACK") as told:
        lab.apply(second(), *way, Broken(lab.namespace.name, fails=last_write + 1))
    assert "iptables-nft: not known whether it is as it was" in str(told.value)
    assert str(lab.folder) in str(told.value)
    assert lab.dumps() == changed
    report = lab.apply(first(), *way)
    assert report.recovered.endswith("put back what was there before")
    assert report.steps == ()
    assert lab.dumps() == before


def test_a_command_that_does_not_end_is_ended(lab: Lab) -> None:
    before = lab.dumps()

    class Slow(Noting):
        def run(self, *command: str, stdin: str | None = None) -> str:
            if command[0] == "ip6tables-nft-restore":
                self.timeout = 0.05
                return super().run("sleep", "60")
            self.timeout = 60
            return super().run(*command, stdin=stdin)

    with pytest.raises(ApplyError, match=r"sleep 60: no answer after 0\.05 s"):
        lab.apply(first(), "iptables", "nft", Slow(lab.namespace.name))
    assert lab.dumps() == before


def test_what_others_do_while_something_fails_is_not_undone(lab: Lab) -> None:
    neighbours(lab.namespace)
    way: tuple[str, Variant] = ("iptables", "nft")
    lab.apply(first(), *way)
    before = lab.dumps()

    class Meanwhile(Noting):
        def run(self, *command: str, stdin: str | None = None) -> str:
            if command[0] == "ip6tables-nft-restore":
                for line in ("-I INPUT -i wg0 -j ACCEPT", "-A FORWARD -i wg1 -j DROP", "-N THEIRS"):
                    super().run("iptables-nft", *line.split())
                raise CommandError(command, "no")
            return super().run(*command, stdin=stdin)

    with pytest.raises(ApplyError):
        lab.apply(second(), *way, Meanwhile(lab.namespace.name))
    after = lab.dumps()["iptables-nft-save"].splitlines()
    theirs = [":THEIRS - [0:0]", "-A INPUT -i wg0 -j ACCEPT", "-A FORWARD -i wg1 -j DROP"]
    assert [line for line in after if line not in theirs] == before["iptables-nft-save"].splitlines()
    assert set(theirs) < set(after)
