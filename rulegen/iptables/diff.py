"""The smallest change that makes one state of the other, without touching what is not kube-proxy's.

Pure: both sides are dumps, compiled or read from a node; the result is input of ``iptables-restore
--noflush``, with counters or without.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from rulegen.collector import paused
from rulegen.iptables.base import KUBELET_CHAIN, chain_line
from rulegen.iptables.changes import Action, ChainChange, Listed, RuleChanges, sorted_out
from rulegen.iptables.dump import BUILTIN, Dump, Section, Table, Transaction
from rulegen.iptables.edit import Slot, commands, kept, replacements
from rulegen.iptables.normal import normal, saved
from rulegen.iptables.owned import (
    CANARY,
    LAST_JUMP,
    LAST_RULE,
    SHARED_CHAINS,
    has_kubelet,
    is_jump,
    is_owned,
    of_kubelet,
)
from rulegen.iptables.rule import target_of
from rulegen.model import Family


def diff(current: Dump, desired: Dump) -> Transaction:
    """What makes ``desired`` of ``current``; empty where nothing has to be done.

    Only kube-proxy's part of both sides counts. Raises ValueError where the families differ.
    """
    return transaction(changes(current, desired))


def changes(current: Dump, desired: Dump, *, unordered: Collection[str] = SHARED_CHAINS) -> list[ChainChange]:
    """The same, chain by chain: tables in the order of ``desired``, chains in its order, stale ones last.

    ``unordered`` are the chains in which the order of rules means nothing, but for those that come last.
    """
    if current.family != desired.family:
        raise ValueError(f"{current.family} and {desired.family} rules cannot be compared")
    with paused():
        return _changes(current, desired, unordered)


def _changes(current: Dump, desired: Dump, unordered: Collection[str]) -> list[ChainChange]:
    found: list[ChainChange] = []
    kubelet = has_kubelet(current)
    for table in [*desired.tables, *(t for t in current.tables if t not in desired.tables)]:
        now = current.tables.get(table, {})
        wanted = desired.tables.get(table, {})
        found += _chains(table, now, wanted, current.family, unordered, kubelet=kubelet)
        found += _canary(table, now)
        found += _jumps(table, now, wanted, current.family)
        found += _stale(table, now, wanted, current.family)
    return found


def transaction(changes: Iterable[ChainChange]) -> Transaction:
    """One section for each table: chains are declared, filled, led to; then the stale ones go."""
    order: dict[str, list[ChainChange]] = {}
    for change in changes:
        if change.lines:
            order.setdefault(change.table, []).append(change)
    sections = []
    for table, of_table in order.items():
        declared: list[str] = []
        filled: list[str] = []
        deleted: list[str] = []
        for change in of_table:
            for line in change.lines:
                (declared if line[0] == ":" else deleted if line.startswith("-X ") else filled).append(line)
        sections.append(Section(table, (*declared, *filled, *deleted)))
    return Transaction(tuple(sections))


def removal(current: Dump) -> Transaction:
    """What removes all that kube-proxy, in any mode, has put there.

    KUBE-FIREWALL and the jumps to it stay where there is a kubelet, which has its own use for them. A chain
    that a rule of somebody else's leads to is only emptied.
    """
    found = changes(current, Dump(family=current.family))
    names = {CANARY} if has_kubelet(current) else {CANARY, KUBELET_CHAIN}
    for table, chains in current.tables.items():
        for name in BUILTIN.get(table, ()):
            rules = chains[name].rules if name in chains else []
            lines = tuple(f"-D {name} {r}" for r in rules if target_of(r) in names)
            if lines:
                found.append(ChainChange(table=table, chain=name, action="jumps", lines=lines))
        for name in sorted(names & chains.keys()):
            lines = (chain_line(name).rstrip(), f"-X {name}")
            found.append(ChainChange(table=table, chain=name, action="delete", lines=lines))
    return transaction(found)


def _chains(
    table: str, now: Table, wanted: Table, family: Family, unordered: Collection[str], *, kubelet: bool
) -> Iterator[ChainChange]:
    builtin = BUILTIN.get(table, ())
    for name, chain in wanted.items():
        if name in builtin or not is_owned(name):
            continue
        present = now.get(name)
        if present is None:
            rules = [saved(rule, family) for rule in chain.rules]
            yield ChainChange(
                table=table,
                chain=name,
                action="add",
                rules=RuleChanges(gained=tuple(enumerate(rules, 1))),
                lines=_written(name, chain.rules),
            )
            continue
        rules = chain.rules
        if name == KUBELET_CHAIN and kubelet and not rules:
            # kube-proxy only makes sure that the chain is there; what kubelet has put into it stays.
            rules = of_kubelet(present.rules, family)
        if present.rules == rules:
            continue
        change = _edited(table, name, present.rules, rules, family, ordered=name not in unordered)
        if change is not None:
            yield change


def _canary(table: str, now: Table) -> Iterator[ChainChange]:
    """kube-proxy's canary needs not be there, but nothing belongs into it."""
    chain = now.get(CANARY)
    if chain is not None and chain.rules:
        yield ChainChange(
            table=table,
            chain=CANARY,
            action="rewrite",
            rules=RuleChanges(lost=tuple(enumerate(chain.rules, 1))),
            lines=_written(CANARY, ()),
        )


def _written(name: str, rules: Sequence[str]) -> tuple[str, ...]:
    lines = [f"-A {name} {rule}" if rule else f"-A {name}" for rule in rules]
    return (chain_line(name).rstrip(), *lines)


def _edited(
    table: str, name: str, before: list[str], after: list[str], family: Family, *, ordered: bool
) -> ChainChange | None:
    """The change of a chain that is there, by single rules or as a whole, whichever takes fewer lines."""
    if [saved(rule, family) for rule in after] == before:
        return None
    old_keys = [normal(rule, family) for rule in before]
    new_keys = [normal(rule, family) for rule in after]
    if old_keys == new_keys:
        return None
    slots = _in_order(old_keys, after, new_keys) if ordered else _merged(old_keys, after, new_keys)
    lines: Sequence[str] = commands(name, before, old_keys, slots, replace=ordered)
    if not lines:
        return None
    action: Action = "edit"
    if len(lines) > len(after):
        action, lines = "rewrite", _written(name, after)
    staying = {slot.place for slot in slots}
    lost = {i: Listed(old_keys[i - 1], rule) for i, rule in enumerate(before, 1) if i - 1 not in staying}
    gained = _new(slots, family)
    return ChainChange(
        table=table,
        chain=name,
        action=action,
        rules=sorted_out(lost, gained, replacements(len(before), slots) if ordered else None),
        lines=tuple(lines),
    )


def _new(slots: Iterable[Slot], family: Family) -> dict[int, Listed]:
    return {
        number: Listed(slot.key, saved(slot.text, family))
        for number, slot in enumerate(slots, 1)
        if slot.place is None
    }


def _in_order(old_keys: list[str], after: Sequence[str], new_keys: Sequence[str]) -> list[Slot]:
    places = {index: place for place, index in kept(old_keys, new_keys)}
    return [Slot(after[i], key, places.get(i)) for i, key in enumerate(new_keys)]


def _merged(old_keys: list[str], after: Sequence[str], new_keys: Sequence[str]) -> list[Slot]:
    """The wanted list of a chain whose order means nothing, but for the rules that come last.

    What is there stays where it is; a new rule comes after the one that it follows in ``after``, so that a
    chain in our order stays in it.
    """
    places: dict[str, list[int]] = {}
    for index in range(len(old_keys) - 1, -1, -1):
        places.setdefault(old_keys[index], []).append(index)
    place_of = [places[key].pop() if places.get(key) else None for key in new_keys]
    body: list[int] = []
    tail: list[int] = []
    for index, key in enumerate(new_keys):
        (tail if LAST_RULE in key else body).append(index)
    early = [place for i in tail if (place := place_of[i]) is not None]
    late = [place for i in body if (place := place_of[i]) is not None]
    if early and late and min(early) < max(late):
        move = (
            {place for place in late if place > min(early)},
            {place for place in early if place < max(late)},
        )
        place_of = [None if place in min(move, key=len) else place for place in place_of]
    new = [Slot(text, key, place) for text, key, place in zip(after, new_keys, place_of, strict=True)]
    return [*_placed(new[i] for i in body), *_placed(new[i] for i in tail)]


def _fewest_moves(body: list[int], tail: list[int]) -> set[int]:
    """What has to move so that all of ``body`` comes before all of ``tail``."""
    if not body or not tail or max(body) < min(tail):
        return set()
    late = {place for place in body if place > min(tail)}
    early = {place for place in tail if place < max(body)}
    return min(late, early, key=len)


def _placed(wanted: Iterable[Slot], present: Iterable[Slot] = ()) -> list[Slot]:
    """``wanted`` in the order of the places they have, new ones after the one they follow, or first.

    ``present`` are rules that stay besides.
    """
    following: dict[int | None, list[Slot]] = {None: []}
    staying = {slot.place: slot for slot in present}
    anchor: int | None = None
    for slot in wanted:
        if slot.place is None:
            following.setdefault(anchor, []).append(slot)
        else:
            anchor = slot.place
            staying[anchor] = slot
    slots = following[None]
    for place in sorted(place for place in staying if place is not None):
        slots.append(staying[place])
        slots += following.get(place, ())
    return slots


def _jumps(table: str, now: Table, wanted: Table, family: Family) -> Iterator[ChainChange]:
    """Jumps from the kernel's chains: those that are missing are put back, each below the one above it.

    Those of the userspace mode that come last are put behind everything.

    kube-proxy looks for each jump and puts it first where it is not there; so one that stands anywhere is
    left where it is, and rules of others keep their places. Where kube-proxy has no use for KUBE-FIREWALL
    (ipvs), jumps to it are kubelet's.
    """
    kubelets = KUBELET_CHAIN not in wanted
    for name in BUILTIN.get(table, ()):
        before = now[name].rules if name in now else []
        jumps = [rule for rule in (wanted[name].rules if name in wanted else ()) if is_jump(rule, family)]
        places: dict[str, int] = {}
        foreign, surplus = [], []
        wanted_keys = [normal(rule, family) for rule in jumps]
        keys = [normal(rule, family) for rule in before]
        for place, rule in enumerate(before):
            key = keys[place]
            if key in wanted_keys and key not in places:
                places[key] = place
            elif is_jump(rule, family) and not (kubelets and target_of(rule) == KUBELET_CHAIN):
                surplus.append(place)
            else:
                foreign.append(Slot(rule, key, place))
        wanted_slots = [
            Slot(rule, key, places.get(key)) for rule, key in zip(jumps, wanted_keys, strict=True)
        ]
        last = [slot for slot in wanted_slots if LAST_JUMP in slot.key and slot.place is None]
        slots = [*_placed((slot for slot in wanted_slots if slot not in last), foreign), *last]
        lines = commands(name, before, keys, slots, replace=False, append=False)
        if lines:
            yield ChainChange(
                table=table,
                chain=name,
                action="jumps",
                rules=sorted_out(
                    {place + 1: Listed(keys[place], before[place]) for place in surplus},
                    _new(slots, family),
                    None,
                ),
                lines=tuple(lines),
            )


def _stale(table: str, now: Table, wanted: Table, family: Family) -> Iterator[ChainChange]:
    builtin = BUILTIN.get(table, ())
    names = [
        name
        for name in now
        if name not in wanted and name not in builtin and name != KUBELET_CHAIN and is_owned(name)
    ]
    if not names:
        return
    needed = led_to(table, now, set(names), family)
    for name in names:
        rules = now[name].rules
        lines = [chain_line(name).rstrip()] if rules else []
        in_use = name in needed
        if not in_use:
            lines.append(f"-X {name}")
        if lines:
            yield ChainChange(
                table=table,
                chain=name,
                action="delete",
                rules=RuleChanges(lost=tuple(enumerate(rules, 1))),
                lines=tuple(lines),
                in_use=in_use,
            )


def led_to(table: str, now: Table, names: Collection[str], family: Family) -> set[str]:
    """Those of the chains that somebody else's rule leads to: the kernel does not let them go."""
    builtin = BUILTIN.get(table, ())
    found = set()
    for name, chain in now.items():
        if name not in builtin and is_owned(name):
            continue
        for rule in chain.rules:
            if " KUBE-" in rule and not (name in builtin and is_jump(rule, family)):
                target = target_of(rule)
                if target in names:
                    found.add(target)
    return found
