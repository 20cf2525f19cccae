"""What a change means for each service port, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from rulegen.findings import ServiceChange
from rulegen.iptables.summary import of_port
from rulegen.iptables.views import NOBODY, PortName, label
from rulegen.nftables.changes import Changes, ElementChange
from rulegen.nftables.diff import changes
from rulegen.nftables.table import Table
from rulegen.nftables.views import Views, owner_of_name, owners, views

_SIGNS = {"add": "+", "delete": "-"}
_TABLE = {
    "add": "+ the table kube-proxy",
    "delete": "- the table kube-proxy",
    "replace": "~ the table kube-proxy is made anew",
}


def summary(current: Table | None, desired: Table | None) -> list[ServiceChange]:
    """What happens to each service port on the way from ``current`` to ``desired``, by name.

    What is of no Service comes last, under an empty name.
    """
    found = changes(current, desired)
    if not found:
        return []
    empty = Table(found.family, absent=True)
    before, after = views(current or empty), views(desired or empty)
    touched: dict[PortName, dict[str, None]] = {}
    of_nobody: dict[str, None] = {}
    if found.table:
        of_nobody[_TABLE[found.table]] = None
        touched = {name: {} for name in (*after.ports, *before.ports)}
    for owner, place, line in _places(found, before, after):
        if owner != NOBODY:
            touched.setdefault(owner, {})[place] = None
        elif not found.table:
            of_nobody[line] = None
            touched.setdefault(NOBODY, {})[place] = None
    told = []
    for name in sorted(touched.keys() - {NOBODY}):
        places = tuple(touched[name])
        lines = tuple(of_port(before.ports.get(name), after.ports.get(name)))
        lines = lines or (f"~ changed in {', '.join(places) or 'a table that is made anew'}",)
        told.append(ServiceChange(service=label(name), lines=lines, places=places))
    if of_nobody:
        places = tuple(touched.get(NOBODY, ()))
        told.append(ServiceChange(service="", lines=tuple(of_nobody), places=places))
    return told


def _places(found: Changes, before: Views, after: Views) -> Iterator[tuple[PortName, str, str]]:
    """Whose each change is, where, and what it is in a few words."""
    for chain in found.chains:
        line = f"{_SIGNS.get(chain.action, '~')} chain {chain.name}"
        yield owner_of_name(chain.name), chain.name, line
    for container in found.containers:
        kept = container.after or container.before
        kind = kept.kind if kept is not None else "set"
        line = f"{_SIGNS.get(container.action, '~')} {kind} {container.name}"
        yield owner_of_name(container.name), container.name, line
    for element in found.elements:
        names: list[PortName] = []
        for side, known in ((element.after, after), (element.before, before)):
            if side is not None:
                names += owners(side, known)
        for name in dict.fromkeys(names) or [NOBODY]:
            yield name, f"@{element.container}", _of_element(element)
    for counter in found.counters:
        yield NOBODY, counter.name, f"{_SIGNS.get(counter.action, '~')} counter {counter.name}"


def _of_element(change: ElementChange) -> str:
    if change.before is not None and change.after is not None:
        return f"~ {change.container}: {change.before.text} becomes {change.after.text}"
    if change.after is not None:
        return f"+ {change.after.text} in {change.container}"
    return f"- {change.before.text if change.before else change.key} in {change.container}"
