"""The rules of the userspace mode as the state of a node, and what such a state says about each Service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rulegen.findings import Facts
from rulegen.iptables.dump import Chain, Dump, Table
from rulegen.iptables.rule import Rule
from rulegen.iptables.views import NOBODY, Address, PortView, Views, destination, parsed, port_of
from rulegen.model import Family
from rulegen.userspace.fragment import (
    NODEPORT_CONTAINER,
    NODEPORT_HOST,
    PORTALS_CONTAINER,
    PORTALS_HOST,
)
from rulegen.userspace.ruleset import JUMPS, TABLES, Ruleset

TRANSLATING = (PORTALS_CONTAINER, PORTALS_HOST, NODEPORT_CONTAINER, NODEPORT_HOST)
"""Chains of the nat table, whose rules lead to the proxy."""


def as_dump(ruleset: Ruleset, *, with_jumps: bool = True) -> Dump:
    """The compiled rules as chains, in the form in which kube-proxy writes them.

    ``with_jumps`` adds the jumps of the kernel's chains, first those that kube-proxy put to the top.
    """
    tables: dict[str, Table] = {
        table: {name: Chain(rules=rules) for name, rules in ruleset.chains(table).items()} for table in TABLES
    }
    for jump in JUMPS if with_jumps else ():
        chain = tables[jump.table].setdefault(jump.source, Chain("ACCEPT"))
        rule = f"{jump.match} -j {jump.target}"
        chain.rules.insert(0 if jump.first else len(chain.rules), rule)
    return Dump(family=ruleset.family, tables=tables)


def views(dump: Dump) -> Views:
    """Each service port with its addresses, and as its only endpoint the port of the proxy."""
    found = Views()
    for chain, rule in _translating(dump):
        name = port_of(rule)
        view = found.ports.setdefault(name, PortView(name))
        kind = "node port" if chain in (NODEPORT_CONTAINER, NODEPORT_HOST) else "address"
        address = Address(kind, destination(rule))
        if address not in view.captured:
            view.captured.append(address)
        port = proxy_port(rule)
        if port:
            view.everywhere[str(port)] = chain
    return found


def _translating(dump: Dump) -> Iterator[tuple[str, Rule]]:
    """The rules of service ports that lead to the proxy, each with its chain."""
    for chain in TRANSLATING:
        for text in dump.rules("nat", chain):
            rule = parsed(text, dump.family)
            if rule is not None and port_of(rule) != NOBODY:
                yield chain, rule


def proxy_port(rule: Rule) -> int:
    """The port that a rule sends to, 0 for none."""
    if rule.target is None or rule.target.name not in ("DNAT", "REDIRECT"):
        return 0
    told = rule.target.options[0].value if rule.target.options else ""
    number = told.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def told_of(before: PortView | None, after: PortView | None) -> Iterable[str]:
    """What happens to one service port, line by line; None is a port that is not there."""
    if after is None:
        if before is not None:
            yield f"- gone: was {_reached(before)}"
        return
    if before is None:
        yield f"+ new: {_reached(after)}"
        return
    yield from (f"- {address}" for address in before.captured if address not in after.captured)
    yield from (f"+ {address}" for address in after.captured if address not in before.captured)
    if set(before.everywhere) != set(after.everywhere):
        yield f"~ sent to {_proxy(after)}, not to {_proxy(before)}"


def _reached(view: PortView) -> str:
    return f"{', '.join(map(str, view.captured))} -> {_proxy(view)}"


def _proxy(view: PortView) -> str:
    ports = sorted(view.everywhere)
    return f"the proxy's port{'s' if len(ports) != 1 else ''} {', '.join(ports) or 'that no rule names'}"


def facts(states: Sequence[Dump]) -> Facts:
    """On which ports the proxy of a node listens: kube-proxy took whichever were free."""
    found: dict[Family, Mapping[str, int]] = {}
    for state in states:
        ports: dict[str, int] = {}
        for _, rule in _translating(state):
            if port := proxy_port(rule):
                ports.setdefault(port_of(rule)[0], port)
        found[state.family] = ports
    return Facts(proxy_ports=found)
