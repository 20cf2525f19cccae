"""What changes in a chain, told rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Action: TypeAlias = Literal["add", "rewrite", "edit", "delete", "jumps"]
Numbered: TypeAlias = tuple[tuple[int, str], ...]
"""Rules as iptables-save prints them, each with its number in the chain, from 1."""


class RuleChanges(msgspec.Struct, frozen=True):
    """The rules of a chain that change.

    ``lost`` have their number before, ``gained`` the one after. A rule that only moves (``moved``, number
    before), or becomes another one (``changed``: number before, old, new), is in neither.
    """

    lost: Numbered = ()
    gained: Numbered = ()
    moved: Numbered = ()
    changed: tuple[tuple[int, str, str], ...] = ()


class ChainChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes in one chain.

    ``add``: the chain is new. ``rewrite``: it is emptied and filled again. ``edit``: single rules change.
    ``delete``: kube-proxy's chain that nothing needs any more; where a rule of somebody else's still leads
    to it, it is only emptied (``in_use``). ``jumps``: rules of kube-proxy's in a chain of the kernel's.
    ``lines`` are what does it.
    """

    table: str
    chain: str
    action: Action
    rules: RuleChanges = RuleChanges()
    lines: tuple[str, ...] = ()
    in_use: bool = False


class Listed(msgspec.Struct, frozen=True):
    """A rule of one side: its normal form, and its text as iptables-save prints it."""

    key: str
    text: str


def sorted_out(
    lost: Mapping[int, Listed], gained: Mapping[int, Listed], replaced: Mapping[int, int] | None
) -> RuleChanges:
    """Tell rules that only move, and those that become others, from those that go and come.

    ``replaced`` pairs places (from 0) between two rules that stay; None where order means nothing: there it
    is the same comment, or the same target, that makes a pair.
    """
    going, coming = dict(lost), dict(gained)
    moved = []
    numbers = _by_key({number: rule.key for number, rule in coming.items()})
    for number, rule in lost.items():
        if numbers.get(rule.key):
            moved.append((number, rule.text))
            del coming[numbers[rule.key].pop()], going[number]
    changed = []
    if replaced is not None:
        for place, index in sorted(replaced.items()):
            if place + 1 in going and index + 1 in coming:
                changed.append((place + 1, going.pop(place + 1).text, coming.pop(index + 1).text))
    else:
        for alike in (_comment, _target):
            numbers = _by_key({number: alike(rule.key) for number, rule in coming.items()})
            for number, rule in list(going.items()):
                same = alike(rule.key)
                if same and numbers.get(same):
                    new = coming.pop(numbers[same].pop())
                    changed.append((number, going.pop(number).text, new.text))
    return RuleChanges(
        tuple((number, rule.text) for number, rule in going.items()),
        tuple((number, rule.text) for number, rule in coming.items()),
        tuple(moved),
        tuple(changed),
    )


def _by_key(rules: Mapping[int, str]) -> dict[str, list[int]]:
    """Key -> numbers, the last one first."""
    found: dict[str, list[int]] = {}
    for number in sorted(rules, reverse=True):
        found.setdefault(rules[number], []).append(number)
    return found


def _comment(rule: str) -> str:
    return rule.partition('--comment "')[2].partition('"')[0]


def _target(rule: str) -> str:
    return rule.rpartition("-j ")[2].partition(" ")[0]
