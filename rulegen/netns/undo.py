"""Putting back what was there, all parts together."""

from __future__ import annotations

from collections.abc import Mapping

from rulegen.iptables.dump import Variant
from rulegen.model import FAMILIES
from rulegen.netns.ipvs import Device, Servers, Sets, Timeouts
from rulegen.netns.journal import Desk, Journal
from rulegen.netns.parts import Counters, Part, Step, Sysctl, in_order
from rulegen.netns.rules import BaseChains, Rules
from rulegen.netns.space import (
    CommandError,
    NamedSpace,
    OwnSpace,
    Space,
    identity,
    remove_space,
)
from rulegen.netns.tables import Table

ATTEMPTS = 2
"""Something may have been in the way of the first one, and be gone by the second."""

_VARIANTS: tuple[Variant, ...] = ("legacy", "nft")
_KNOWN: tuple[Part, ...] = (
    *(Rules(family, variant) for variant in _VARIANTS for family in FAMILIES),
    *(Table(family) for family in FAMILIES),
    BaseChains(),
    Counters(),
    Sets(),
    Servers(),
    Device(),
    Timeouts(),
)


def part_named(name: str) -> Part:
    """The part that a journal speaks of. Raises ValueError for one that there is none."""
    kind, _, rest = name.partition(" ")
    if kind == "sysctl":
        return Sysctl(rest)
    for part in _KNOWN:
        if part.name == name:
            return part
    raise ValueError(f"unknown part {name!r} of a namespace")


def put_back(space: Space, before: Mapping[str, str]) -> list[str]:
    """Make every part (by name) what it was; what could not be put back is returned, in words.

    A step that fails keeps none of the others from being tried.
    """
    parts = [part_named(name) for name in before]
    faults: list[str] = []
    left: list[str] = []
    for _ in range(ATTEMPTS):
        steps, _unread = _ways(space, parts, before)
        faults = []
        for step in in_order([step for found in steps.values() for step in found]):
            try:
                space.run(*step.command, stdin=step.stdin)
            except CommandError as error:
                faults.append(str(error))
        steps, unread = _ways(space, parts, before)
        left = [*(f"{name}: not as it was" for name in steps), *unread]
        if not left:
            return []
    return [*left, *faults]


def _ways(
    space: Space, parts: list[Part], before: Mapping[str, str]
) -> tuple[dict[str, list[Step]], list[str]]:
    """Part -> the steps that put it back, where there are any; and which parts cannot be read."""
    found = {}
    unread = []
    for part in parts:
        try:
            steps = part.way(part.read(space), before[part.name])
        except (CommandError, ValueError) as error:
            unread.append(f"{part.name}: not known whether it is as it was: {error}")
            continue
        if steps:
            found[part.name] = steps
    return found, unread


def take_back(journal: Journal, space: Space | None = None) -> list[str]:
    """Undo the change that a journal was written for; what could not be put back is returned, in words."""
    if journal.created:
        name = journal.netns
        assert name is not None
        try:
            remove_space(name)
        except OSError as error:
            return [f"namespace {name}: cannot be removed: {error.strerror or error}"]
        return []
    if journal.netns is not None and identity(journal.netns) != journal.identity:
        return []  # it is gone, and what it held with it; a new one of its name is another one
    if space is None:
        space = OwnSpace() if journal.netns is None else NamedSpace(journal.netns)
    return put_back(space, journal.texts())


def recover(desk: Desk, space: Space | None = None) -> str:
    """Undo what a command that was killed has left; what was done, in words, empty where nothing was.

    The lock of the desk must be held. Raises RestoreError where something could not be put back: the journal
    then stays.
    """
    journal = desk.read()
    if journal is None:
        return ""
    what = journal.netns or "host"
    gone = journal.netns is not None and not journal.created and identity(journal.netns) != journal.identity
    left = take_back(journal, space)
    if left:
        raise RestoreError(desk, left)
    desk.remove()
    if gone:
        return f"{what}: the journal of an interrupted change was of a namespace that is gone; removed it"
    if journal.created:
        return f"{what}: a change was interrupted while the namespace was being made; removed it"
    return f"{what}: a change was interrupted (process {journal.pid}); put back what was there before"


class RestoreError(OSError):
    """What was there could not be put back; ``left`` says what. The journal still has it."""

    def __init__(self, desk: Desk, left: list[str], reason: str = "") -> None:
        self.left = left
        self.reason = reason
        lines = [f"  {line}" for text in left for line in text.splitlines()]
        super().__init__(
            f"{desk.netns or 'host'}: NOT PUT BACK:"
            + (f" {reason}" if reason else "")
            + "\n"
            + "\n".join(lines)
            + f"\nThe state before is kept in {desk.path}; the next apply or cleanup tries again"
            " (remove the file to give it up)."
        )
