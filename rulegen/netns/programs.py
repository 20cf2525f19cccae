"""From a plan to the goals of a namespace: which parts a mode has, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from rulegen.backend import Comparing, comparing
from rulegen.collector import paused
from rulegen.iptables.dump import Variant
from rulegen.model import FAMILIES, Family
from rulegen.netns.apply import Aim, Report, Target, change
from rulegen.netns.facts import Says, says, variant_of
from rulegen.netns.goals import (
    ROUTE_LOCALNET,
    CountersGone,
    CountersThere,
    Goal,
    Programmed,
    RulesGone,
    SysctlSet,
    TableGone,
)
from rulegen.netns.ipvs import Device, Servers, Sets, check_ipvs
from rulegen.netns.ipvs_goals import IpvsGone, IpvsProgrammed, settings_of
from rulegen.netns.parts import UNSUPPORTED, Part
from rulegen.netns.rules import Rules
from rulegen.netns.space import CommandError, MissingToolError, Space
from rulegen.netns.tables import Table
from rulegen.plan import Plan

Plans: TypeAlias = Callable[[Says], Mapping[Family, Plan]]
"""What is wanted on a node, given what its namespace says about it."""

VARIANTS: tuple[Variant, ...] = ("legacy", "nft")


def apply(
    target: Target,
    mode: str,
    plans: Plans,
    *,
    variant: Variant | None = None,
    prune: bool = False,
    dry_run: bool = False,
    space: Space | None = None,
) -> Report:
    """Program what kube-proxy would into a namespace; other modes' leftovers go with ``prune``.

    ``variant`` of iptables is found out where it is None. Errors are those of
    :func:`rulegen.netns.apply.change`, and ValueError for a mode that has no way into a namespace.
    """
    room = comparing(mode)

    def aim(space: Space) -> Aim:
        facts = says(space)
        wanted = dict(plans(facts))
        notes = []
        if "IPv6" in wanted and not facts.ipv6:
            del wanted["IPv6"]
            notes.append("IPv6 is off there: no IPv6 rules, as kube-proxy does")
        known: dict[str, str] = {}
        used = variant or variant_of(space, known)
        if mode == "ipvs":
            check_ipvs(space, facts.addresses)
        goals: list[Goal] = []
        with paused():
            for family, plan in wanted.items():
                goals += _wanted(mode, room, family, plan, used, space)
            if mode == "iptables" and any(plan.machine.nfacct for plan in wanted.values()):
                goals.append(CountersThere())
        taken = {part.name for goal in goals for part in goal.parts}
        left = [
            goal for goal in _leftovers(space, known) if taken.isdisjoint(part.name for part in goal.parts)
        ]
        if prune:
            goals += left
        elif left:
            places = ", ".join(part.name for goal in left for part in goal.parts)
            notes.append(f"kube-proxy has also left something in {places}; --prune removes it")
        program = {"nftables": "nftables", "ipvs": f"ipvs, iptables-{used}"}.get(mode, f"iptables-{used}")
        return Aim(mode=mode, program=program, goals=goals, known=known, notes=tuple(notes))

    return change(target, aim, dry_run=dry_run, space=space)


def cleanup(target: Target, *, dry_run: bool = False, space: Space | None = None) -> Report:
    """Remove all that kube-proxy's modes leave, and only that.

    Unlike ``kube-proxy --cleanup`` (1.37) it also takes both variants of iptables, the nfacct counters, and
    KUBE-FIREWALL where no kubelet has a use for it. Settings of the kernel stay as they are: nobody knows
    what they were.
    """

    def aim(space: Space) -> Aim:
        known: dict[str, str] = {}
        goals = _leftovers(space, known)
        program = ", ".join(part.name for goal in goals for part in goal.parts)
        return Aim(mode="", program=program, goals=goals, known=known)

    return change(target, aim, dry_run=dry_run, space=space)


def _wanted(
    mode: str, room: Comparing, family: Family, plan: Plan, variant: Variant, space: Space
) -> Iterator[Goal]:
    """The goals of one family."""
    ruleset = room.compile_rules(plan)
    match mode:
        case "ipvs":
            yield from settings_of(ruleset.settings, space)
            yield IpvsProgrammed(Rules(family, variant), room, ruleset)
        case "nftables":
            yield Programmed(Table(family), room, ruleset)
        case _:
            if mode == "iptables" and family == "IPv4" and plan.machine.localhost_node_ports:
                yield SysctlSet(ROUTE_LOCALNET, 1)
            yield Programmed(Rules(family, variant), room, ruleset)


def _leftovers(space: Space, known: dict[str, str]) -> list[Goal]:
    """That nothing of any mode is there, for each part that is; their states are added to ``known``."""
    goals: list[Goal] = [
        *(RulesGone(Rules(family, variant)) for variant in VARIANTS for family in FAMILIES),
        *(TableGone(Table(family)) for family in FAMILIES),
        CountersGone(),
        IpvsGone((Servers(), Sets(), Device())),
    ]
    found = []
    for goal in goals:
        there = [part for part in goal.parts if _is_read(part, space, known)]
        if isinstance(goal, IpvsGone):
            goal = IpvsGone(there)
        if there and goal.steps(known):
            found.append(goal)
    return found


def _is_read(part: Part, space: Space, known: dict[str, str]) -> bool:
    """Add the state of a part to ``known``; False where there cannot be any."""
    if part.name not in known:
        try:
            known[part.name] = part.read(space)
        except MissingToolError:
            return False  # what cannot be programmed has not been
        except CommandError as error:
            if any(text in error.reason for text in UNSUPPORTED):
                return False
            raise
    return True
