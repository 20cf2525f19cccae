"""Changing a namespace: what was interrupted is undone, then it is read, changed, and read again.

Nothing is half done: what was there is kept in a journal before the first step, and put back where a step
fails, the result is not what it should be, or the process is killed (:mod:`rulegen.netns.guardian`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from rulegen.findings import ServiceChange
from rulegen.iptables.rewind import others
from rulegen.netns import throwaway
from rulegen.netns.goals import Goal, services_of
from rulegen.netns.guardian import guarded
from rulegen.netns.journal import Desk, Journal, of_texts
from rulegen.netns.parts import Part, Step, in_order
from rulegen.netns.rules import BaseChains, Rules
from rulegen.netns.space import (
    HOST,
    LOOPBACK_UP,
    TIMEOUT,
    CommandError,
    NamedSpace,
    OwnSpace,
    Space,
    create_space,
    exists,
    fresh_space,
    identity,
    open_space,
)
from rulegen.netns.undo import RestoreError, recover, take_back


class ApplyError(OSError):
    """A change that failed; what was there before is there again."""


class UnequalError(OSError):
    """What was read back is not what should be there."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The namespace to change: ``netns`` is its name, None for that of this process.

    ``create`` makes it where it is not there. ``throwaway``: this process has it to itself, so nothing needs
    to be put back. ``folder`` is where the journal is kept, None where journals are kept by default;
    ``seconds`` is how long a command may take.
    """

    netns: str | None
    create: bool = False
    throwaway: bool = False
    folder: Path | None = None
    seconds: float = TIMEOUT

    @property
    def name(self) -> str:
        if self.netns is not None:
            return self.netns
        return throwaway.NAME if self.throwaway else HOST


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """What a namespace is to become.

    ``mode`` is that of kube-proxy, empty where nothing of kube-proxy's is wanted. ``program`` is what is
    programmed, in a word or two (``iptables-nft``). ``known`` are states of parts, by name, that had to be
    read to find out.
    """

    mode: str
    program: str
    goals: Sequence[Goal]
    known: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()


Aiming: TypeAlias = Callable[[Space], Aim]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or would be (``dry_run``).

    ``recovered`` says what was undone first, of a command that was killed. ``steps`` are empty where nothing
    had to be done; then nothing was written. ``seconds`` is the time that they took.
    """

    name: str
    mode: str
    program: str
    created: bool = False
    dry_run: bool = False
    recovered: str = ""
    services: tuple[ServiceChange, ...] = ()
    steps: tuple[Step, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> list[str]:
        """The Services that change, as ``namespace/name``."""
        names = {change.service.partition(":")[0] for change in self.services}
        return sorted(names - {""})

    @property
    def bytes(self) -> int:
        return sum(len(step.text.encode("utf-8", "surrogateescape")) for step in self.steps)


def change(target: Target, aiming: Aiming, *, dry_run: bool = False, space: Space | None = None) -> Report:
    """Make of a namespace what it is to become. ``space`` is another way into it than the usual one.

    Raises ApplyError where that failed and all is as before; RestoreError where something could not be put
    back; ValueError, PermissionError and BusyError where nothing was begun.
    """
    there = target.netns is None or exists(target.netns)
    if not there and not target.create:
        raise ValueError(f"no network namespace {target.netns}; --create makes it")
    if dry_run:
        opened = space or (_opened(target) if there else fresh_space(target.name, timeout=target.seconds))
        return _looked_at(target, aiming(opened), opened, created=not there)
    if target.throwaway:
        return _in_throwaway(target, aiming, space or _opened(target))
    desk = Desk(target.netns, target.folder)
    with desk.held() as lock:
        recovered = recover(desk, space)
        there = target.netns is None or exists(target.netns)
        if not there:
            new = space or NamedSpace(target.name, timeout=target.seconds)
            return _Change(target, desk, lock, recovered).in_new(aiming, new)
        return _Change(target, desk, lock, recovered).in_old(aiming, space or _opened(target))


def _in_throwaway(target: Target, aiming: Aiming, space: Space) -> Report:
    try:
        aim = aiming(space)
        before = _read(space, aim)
        return _program(target, space, aim, before, _steps(aim.goals, before))
    except (CommandError, UnequalError) as error:
        raise ApplyError(f"a namespace of its own: {error}") from error


def _report(target: Target, aim: Aim, recovered: str = "") -> Report:
    return Report(name=target.name, mode=aim.mode, program=aim.program, recovered=recovered, notes=aim.notes)


def _program(
    target: Target, space: Space, aim: Aim, before: Mapping[str, str], steps: Sequence[Step]
) -> Report:
    """Take the steps, then look whether they led where they should."""
    start = time.perf_counter()
    for step in steps:
        space.run(*step.command, stdin=step.stdin)
    seconds = time.perf_counter() - start
    notes = list(aim.notes)
    after = {part.name: part.read(space) for part in _parts(aim.goals)}
    for part in _parts(aim.goals):
        if isinstance(part, Rules):
            after[part.name] = part.read_again(space, after[part.name])
    for goal in aim.goals:
        left = goal.steps(after)
        if left:
            names = ", ".join(part.name for part in goal.parts)
            raise UnequalError(f"{names}: not as it should be; this is missing:\n{left[0].text}")
    for part in _parts(aim.goals):
        name = part.name
        if isinstance(part, Rules) and others(part.dump(before[name])) != others(part.dump(after[name])):
            notes.append(f"{name}: somebody else changed rules of theirs in the meantime")
    return msgspec.structs.replace(
        _report(target, aim),
        services=tuple(services_of(aim.goals, before)),
        steps=tuple(steps),
        seconds=seconds,
        notes=tuple(notes),
    )


def _opened(target: Target) -> Space:
    if target.netns is None:
        return OwnSpace(timeout=target.seconds)
    return open_space(target.netns, timeout=target.seconds)


def _looked_at(target: Target, aim: Aim, space: Space, *, created: bool) -> Report:
    before = _read(space, aim)
    return Report(
        name=target.name,
        mode=aim.mode,
        program=aim.program,
        created=created,
        dry_run=True,
        services=tuple(services_of(aim.goals, before)),
        steps=tuple(_steps(aim.goals, before)),
        notes=aim.notes,
    )


def _read(space: Space, aim: Aim) -> dict[str, str]:
    """The state of every part that has a goal."""
    return {
        part.name: aim.known[part.name] if part.name in aim.known else part.read(space)
        for part in _parts(aim.goals)
    }


def _parts(goals: Sequence[Goal]) -> list[Part]:
    """The parts of all goals, each once."""
    return list({part.name: part for goal in goals for part in goal.parts}.values())


def _steps(goals: Sequence[Goal], before: Mapping[str, str]) -> list[Step]:
    return in_order(step for goal in goals for step in goal.steps(before))


class _Change:
    """One change, with the lock of its desk held."""

    def __init__(self, target: Target, desk: Desk, lock: int, recovered: str) -> None:
        self.target = target
        self.desk = desk
        self.lock = lock
        self.recovered = recovered

    def in_new(self, aiming: Aiming, space: Space) -> Report:
        """Make the namespace first; to undo that is to remove it."""
        name = self.target.netns
        assert name is not None
        journal = Journal(netns=name, identity="", before={}, created=True)
        with guarded(self.desk, self.lock, space, journal):
            try:
                create_space(name)
                space.run(*LOOPBACK_UP)
                aim = aiming(space)
                before = _read(space, aim)
                report = _program(self.target, space, aim, before, _steps(aim.goals, before))
            except Exception as error:
                self._fail(journal, space, error)
                raise
            self.desk.remove()
        return msgspec.structs.replace(report, created=True, recovered=self.recovered)

    def in_old(self, aiming: Aiming, space: Space) -> Report:
        aim = aiming(space)
        before = _read(space, aim)
        steps = _steps(aim.goals, before)
        if not steps:
            return _report(self.target, aim, self.recovered)
        chains = BaseChains()
        if any(isinstance(part, Rules) and part.variant == "nft" for part in _parts(aim.goals)):
            before[chains.name] = chains.read(space)
        netns = self.target.netns
        journal = Journal(netns=netns, identity=identity(netns), before=of_texts(before))
        with guarded(self.desk, self.lock, space, journal):
            try:
                report = _program(self.target, space, aim, before, steps)
            except Exception as error:
                self._fail(journal, space, error)
                raise
            self.desk.remove()
        return msgspec.structs.replace(report, recovered=self.recovered)

    def _fail(self, journal: Journal, space: Space, error: Exception) -> None:
        """Put back what was there. Raises ApplyError, or RestoreError where that did not work."""
        left = take_back(journal, space)
        if left:
            raise RestoreError(self.desk, left, str(error)) from error
        self.desk.remove()
        if isinstance(error, CommandError | UnequalError):
            raise ApplyError(f"{self.target.name}: failed, and all is as before: {error}") from error
