"""What a change means for each service port, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from rulegen.findings import ServiceChange
from rulegen.iptables.changes import ChainChange
from rulegen.iptables.diff import changes
from rulegen.iptables.dump import Dump
from rulegen.iptables.views import NOBODY, Address, PortName, PortView, Views, label, parsed, port_of, views

Viewed: TypeAlias = Callable[[Dump], Views]
Told: TypeAlias = Callable[[PortView | None, PortView | None], Iterable[str]]


def summary(
    current: Dump, desired: Dump, *, viewed: Viewed = views, told_of: Told | None = None
) -> list[ServiceChange]:
    """What happens to each service port on the way from ``current`` to ``desired``, by name.

    Rules of no Service come last, under an empty name. Only kube-proxy's part of both sides counts. Another
    mode says how a state is read (``viewed``), and what to tell of a service port (``told_of``).
    """
    found = changes(current, desired)
    if not found:
        return []
    before, after = viewed(current), viewed(desired)
    touched: dict[PortName, list[ChainChange]] = {}
    for change in found:
        for name in _names(change, before, after, current):
            touched.setdefault(name, []).append(change)
    told = []
    for name in sorted(touched, key=lambda each: (each == NOBODY, each)):
        places = tuple(dict.fromkeys(f"{change.table} {change.chain}" for change in touched[name]))
        if name == NOBODY:
            lines = tuple(_of_nobody(touched[name]))
        else:
            lines = tuple((told_of or of_port)(before.ports.get(name), after.ports.get(name)))
        told.append(
            ServiceChange(service=label(name), lines=lines or (_only_rules(touched[name]),), places=places)
        )
    return told


def _names(change: ChainChange, before: Views, after: Views, current: Dump) -> Iterable[PortName]:
    """The service ports that a change is about; nobody where it is about none."""
    owner = after.owners.get(change.chain) or before.owners.get(change.chain)
    if owner is not None:
        return [_in_full(owner, before, after)]
    names: dict[PortName, None] = {}
    rules = change.rules
    texts = [text for _, text in (*rules.lost, *rules.gained, *rules.moved)]
    texts += [text for _, old, new in rules.changed for text in (old, new)]
    for text in texts:
        rule = parsed(text, current.family)
        names[_in_full(port_of(rule), before, after) if rule is not None else NOBODY] = None
    return names or [NOBODY]


def _in_full(name: PortName, before: Views, after: Views) -> PortName:
    """A rule may not tell the protocol, or that of health checks; the port's other rules do."""
    if name in after.ports or name in before.ports:
        return name
    ports = [*after.ports, *before.ports]
    return next((each for each in ports if each[0] == name[0]), name)


def of_port(before: PortView | None, after: PortView | None) -> Iterable[str]:
    """What happens to one service port, line by line; None is a port that is not there."""
    if before is None and after is not None:
        yield f"+ new: {_reached(after)}"
        return
    if after is None and before is not None:
        yield f"- gone: was {_reached(before)}"
        return
    if before is None or after is None:
        yield "- chains of a Service that is not there"
        return
    yield from _addresses(before, after)
    yield from _endpoints(before, after)
    yield from _others(before, after)


def _reached(view: PortView) -> str:
    where = [str(address) for address in view.captured] or [str(address) for address in view.refused]
    count = len(view.endpoints)
    ends = f"{count} endpoint{'s' if count != 1 else ''}" if count else "no endpoints"
    return f"{', '.join(where)} -> {ends}"


def _addresses(before: PortView, after: PortView) -> Iterable[str]:
    for address in before.captured:
        if address not in after.captured and not _refused(address, after):
            yield f"- {address}"
    for address in after.captured:
        if address not in before.captured and not _refused(address, before):
            yield f"+ {address}"
    count = len(after.endpoints)
    now_has = f"has {count} endpoint{'s' if count != 1 else ''}" if count else "no longer reached there"
    for address, verdict in before.refused.items():
        if address not in after.refused:
            yield f"~ no longer {'REJECTs' if verdict == 'REJECT' else 'DROPs'} {address}: {now_has}"
    for address, verdict in after.refused.items():
        if before.refused.get(address) != verdict:
            why = "no endpoints" if verdict == "REJECT" else "no endpoints on this node"
            yield f"~ now {'REJECTs' if verdict == 'REJECT' else 'DROPs'} {address}: {why}"


def _refused(address: Address, view: PortView) -> bool:
    return any(other.text == address.text for other in view.refused)


def _endpoints(before: PortView, after: PortView) -> Iterable[str]:
    old, new = before.endpoints, after.endpoints
    for end in old:
        if end not in new:
            yield f"- endpoint {end}"
    for end in new:
        if end not in old:
            yield f"+ endpoint {end}"
    both = old.keys() & new.keys()
    for policy, was, now in (
        ("traffic from anywhere in the cluster", before.everywhere, after.everywhere),
        ("traffic for endpoints of this node", before.local, after.local),
    ):
        for end in sorted(both):
            if (end in was) != (end in now):
                yield f"~ endpoint {end} {'now takes' if end in now else 'no longer takes'} {policy}"


def _others(before: PortView, after: PortView) -> Iterable[str]:
    if before.affinity != after.affinity:
        if not after.affinity:
            yield "- clients no longer stay at their endpoint"
        elif not before.affinity:
            yield f"+ clients stay at their endpoint for {after.affinity} s"
        else:
            yield f"~ clients stay at their endpoint for {after.affinity} s, not {before.affinity} s"
    if before.captured and after.captured:
        for kind, was, now in (
            ("external", before.external_local, after.external_local),
            ("internal", before.internal_local, after.internal_local),
        ):
            if was != now:
                yield f"~ {kind} traffic goes to {'endpoints of this node only' if now else 'all endpoints'}"
    for cidr in before.ranges:
        if cidr not in after.ranges:
            yield f"- source range {cidr}"
    for cidr in after.ranges:
        if cidr not in before.ranges:
            yield f"+ source range {cidr}"


def _only_rules(of_port: list[ChainChange]) -> str:
    count = sum(_count(change) for change in of_port)
    return f"~ {count} rule{'s' if count != 1 else ''} changed in {', '.join(c.chain for c in of_port)}"


def _of_nobody(found: list[ChainChange]) -> Iterable[str]:
    for change in found:
        where = f"{change.table} {change.chain}"
        if change.action == "add":
            yield f"+ {where}"
        elif change.action == "delete":
            yield f"- {where}, which nothing needs"
        else:
            count = _count(change)
            yield f"~ {where}: {count} rule{'s' if count != 1 else ''} changed"


def _count(change: ChainChange) -> int:
    rules = change.rules
    return len(rules.lost) + len(rules.gained) + len(rules.moved) + len(rules.changed)
