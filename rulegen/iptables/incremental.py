"""From one fragment of a service port to the next: the lines that change the kernel, and no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rulegen.iptables.base import chain_line
from rulegen.iptables.dump import Section, Transaction
from rulegen.iptables.edit import Slot, commands, kept
from rulegen.iptables.fragment import Fragment

NOTHING = Fragment()


def transition(steps: Iterable[tuple[Fragment | None, Fragment | None]]) -> Transaction:
    """The transaction for fragments that changed, each given as it was and as it is (None: not there).

    Its size and cost depend on these fragments alone. In chains that Services share single lines go and come;
    new ones are put first, so that the jump to the node ports stays last.
    """
    tables: dict[str, tuple[list[str], list[str], list[str]]] = {"filter": ([], [], []), "nat": ([], [], [])}
    for before, after in steps:
        old, new = before or NOTHING, after or NOTHING
        _shared(old.filter_rules, new.filter_rules, tables["filter"][1])
        declared, filled, deleted = tables["nat"]
        lost = _own(old, new, declared, filled, deleted)
        # Jumps are led away from chains before these go, and to chains after they are filled.
        _shared(old.nat_shared, new.nat_shared, filled)
        deleted += lost
    sections = [
        Section(table, (*declared, *filled, *deleted))
        for table, (declared, filled, deleted) in tables.items()
        if declared or filled or deleted
    ]
    return Transaction(tuple(sections))


def _shared(before: str, after: str, filled: list[str]) -> None:
    if before == after:
        return
    old, new = Counter(before.splitlines()), Counter(after.splitlines())
    filled += [f"-D{line[2:]}" for line in (old - new).elements()]
    filled += [f"-I{line[2:]}" for line in (new - old).elements()]


def _own(
    old: Fragment, new: Fragment, declared: list[str], filled: list[str], deleted: list[str]
) -> list[str]:
    """Lines for the port's own chains; returns the deletions of those that are gone."""
    before, after = _chains(old), _chains(new)
    for name, rules in after.items():
        present = before.get(name)
        if present == rules:
            continue
        rewritten = [f"-A {name} {rule}" for rule in rules]
        if present is None:
            declared.append(chain_line(name).rstrip())
            filled += rewritten
            continue
        places: dict[int, int] = {index: place for place, index in kept(present, rules)}
        slots = [Slot(rule, rule, places.get(index)) for index, rule in enumerate(rules)]
        edited = commands(name, present, present, slots, replace=True)
        if sum(map(len, edited)) <= sum(map(len, rewritten)):
            filled += edited
        else:
            declared.append(chain_line(name).rstrip())
            filled += rewritten
    gone = [name for name in before if name not in after]
    # A declaration empties the chain, so that the order of deletions does not matter.
    declared += [chain_line(name).rstrip() for name in gone]
    return [f"-X {name}" for name in gone]


def _chains(fragment: Fragment) -> dict[str, list[str]]:
    chains: dict[str, list[str]] = {
        line[1 : line.index(" ")]: [] for line in fragment.nat_chains.splitlines()
    }
    for line in fragment.nat_rules.splitlines():
        name, _, rule = line[3:].partition(" ")
        chains[name].append(rule)
    return chains
