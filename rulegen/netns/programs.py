"""From a plan to the goals of a namespace: which parts a mode has, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from rulegen.backend import comparing
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
from rulegen.netns.parts import UNSUPPORTED
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
        goals: list[Goal] = []
        with paused():
            for family, plan in wanted.items():
                machine = plan.machine
                if mode == "iptables" and family == "IPv4" and machine.localhost_node_ports:
                    goals.append(SysctlSet(ROUTE_LOCALNET, 1))
                part = Table(family) if mode == "nftables" else Rules(family, used)
                goals.append(Programmed(part, room, room.compile_rules(plan)))
            if mode == "iptables" and any(plan.machine.nfacct for plan in wanted.values()):
                goals.append(CountersThere())
        taken = {goal.part.name for goal in goals}
        left = [goal for goal in _leftovers(space, known) if goal.part.name not in taken]
        if prune:
            goals += left
        elif left:
            places = ", ".join(goal.part.name for goal in left)
            notes.append(f"kube-proxy has also left something in {places}; --prune removes it")
        program = "nftables" if mode == "nftables" else f"iptables-{used}"
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
        program = ", ".join(goal.part.name for goal in goals)
        return Aim(mode="", program=program, goals=goals, known=known)

    return change(target, aim, dry_run=dry_run, space=space)


def _leftovers(space: Space, known: dict[str, str]) -> list[Goal]:
    """That nothing of any mode is there, for each part that is; their states are added to ``known``."""
    goals: list[Goal] = [
        *(RulesGone(Rules(family, variant)) for variant in VARIANTS for family in FAMILIES),
        *(TableGone(Table(family)) for family in FAMILIES),
        CountersGone(),
    ]
    found = []
    for goal in goals:
        name = goal.part.name
        try:
            known[name] = known[name] if name in known else goal.part.read(space)
        except MissingToolError:
            continue  # what cannot be programmed has not been
        except CommandError as error:
            if any(text in error.reason for text in UNSUPPORTED):
                continue
            raise
        if goal.steps(known[name]):
            found.append(goal)
    return found
