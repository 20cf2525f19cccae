"""Putting back what was there: the way from one state of a kernel to an earlier one, rule by rule.

Unlike :mod:`rulegen.iptables.diff` it wants kube-proxy's part exactly as it was, order and all, whatever it
was. Like it, it touches nothing of others, who may have gone on working since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rulegen.iptables.base import chain_line
from rulegen.iptables.diff import led_to
from rulegen.iptables.dump import BUILTIN, Dump, Section, Table, Transaction
from rulegen.iptables.edit import Slot, commands, kept
from rulegen.iptables.owned import CANARY, is_jump, is_owned
from rulegen.model import Family


def rewind(now: Dump, before: Dump) -> Transaction:
    """What makes kube-proxy's part of ``before`` of that of ``now``; empty where they are the same.

    Both are dumps of one kernel, as iptables-save prints them. A chain that was not there, but that a rule of
    somebody else's leads to by now, is only emptied. Raises ValueError where the families differ.
    """
    if now.family != before.family:
        raise ValueError(f"{now.family} and {before.family} rules cannot be compared")
    sections = []
    for name in [*before.tables, *(table for table in now.tables if table not in before.tables)]:
        lines = _table(name, now.tables.get(name, {}), before.tables.get(name, {}), now.family)
        if lines:
            sections.append(Section(name, tuple(lines)))
    return Transaction(tuple(sections))


def others(dump: Dump) -> dict[tuple[str, str], list[str]]:
    """Table and chain -> the rules there that are not kube-proxy's, in their order."""
    found = {}
    for table, chains in dump.tables.items():
        builtin = BUILTIN.get(table, ())
        for name, chain in chains.items():
            if name in builtin:
                rules = [rule for rule in chain.rules if not is_jump(rule, dump.family)]
                if rules:
                    found[table, name] = rules
            elif not _is_ours(name):
                found[table, name] = chain.rules
    return found


def _is_ours(name: str) -> bool:
    return is_owned(name) or name == CANARY


def _table(name: str, now: Table, before: Table, family: Family) -> list[str]:
    builtin = BUILTIN.get(name, ())
    ours = [chain for chain in {**before, **now} if chain not in builtin and _is_ours(chain)]
    gone = {chain for chain in ours if chain not in before}
    used = led_to(name, now, gone, family) if gone else set()
    declared: list[str] = []
    filled: list[str] = []
    deleted: list[str] = []
    for chain in ours:
        if chain in gone:
            if chain not in used:
                deleted.append(f"-X {chain}")
            elif not now[chain].rules:
                continue
            declared.append(chain_line(chain).rstrip())
        elif chain not in now or now[chain].rules != before[chain].rules:
            declared.append(chain_line(chain).rstrip())
            filled += [f"-A {chain} {rule}" if rule else f"-A {chain}" for rule in before[chain].rules]
    for chain in builtin:
        filled += _jumps(
            chain,
            now[chain].rules if chain in now else [],
            before[chain].rules if chain in before else [],
            family,
        )
    return [*declared, *filled, *deleted]


def _jumps(chain: str, now: list[str], before: list[str], family: Family) -> list[str]:
    """The jumps of one of the kernel's chains, each between the same neighbours as before."""
    if now == before:
        return []
    slots = list(_slots(now, before, family))
    return commands(chain, now, now, slots, append=False)


def _slots(now: list[str], before: list[str], family: Family) -> Iterator[Slot]:
    """What the chain has to be: the rules of others as they are now, and the jumps of before between them."""
    jumps_now, others_now = _parted(now, family)
    jumps_before, others_before = _parted(before, family)
    same = [now[place] for place in others_now] == [before[place] for place in others_before]
    if not same:
        # Somebody has changed rules since: the jumps go where they still have the neighbour ahead of them.
        neighbours = [before[place] for place in others_before]
        jumps_before = _resettled(jumps_before, neighbours, [now[place] for place in others_now])
    for index, stretch in enumerate(jumps_now):
        wanted = jumps_before[index]
        places = {
            after: stretch[at]
            for at, after in kept([now[place] for place in stretch], [before[place] for place in wanted])
        }
        for number, place in enumerate(wanted):
            yield Slot(before[place], before[place], places.get(number))
        if index < len(others_now):
            yield Slot(now[others_now[index]], now[others_now[index]], others_now[index])


def _parted(rules: Sequence[str], family: Family) -> tuple[list[list[int]], list[int]]:
    """Places of the jumps, in stretches between the rules of others, and the places of those."""
    jumps: list[list[int]] = [[]]
    foreign = []
    for place, rule in enumerate(rules):
        if is_jump(rule, family):
            jumps[-1].append(place)
        else:
            foreign.append(place)
            jumps.append([])
    return jumps, foreign


def _resettled(
    jumps: Sequence[list[int]], neighbours: Sequence[str], present: Sequence[str]
) -> list[list[int]]:
    """The stretches of jumps, spread over the rules of others that are there now."""
    found: list[list[int]] = [[] for _ in range(len(present) + 1)]
    staying = dict(kept(neighbours, present))
    stretch = 0
    for index, of in enumerate(jumps):
        if index and index - 1 in staying:
            stretch = staying[index - 1] + 1
        found[stretch] += of
    return found
