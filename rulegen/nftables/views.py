"""What a table says about each service port, read from it alone: a compiled table or a node's.

Names are in those of chains, and in the comments of elements that refuse traffic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from rulegen.iptables.views import NOBODY, Address, PortName, PortView
from rulegen.nftables import names
from rulegen.nftables.element import Element
from rulegen.nftables.references import target
from rulegen.nftables.show import constants
from rulegen.nftables.statements import Statement, read
from rulegen.nftables.table import Table
from rulegen.plan.addresses import join_host_port

_NAME = re.compile(
    r"(?:service|local|external|firewall|endpoint|affinity)-[A-Z2-7]{8}-([^/]+/[^/]+)/([a-z]+)/([^/_]*)"
    r"(?:__(.+)/(\d+))?"
)
PROTOCOLS = {"IPv4": "ip", "IPv6": "ip6"}
_REFUSING = (names.NO_ENDPOINT_SERVICES, names.NO_ENDPOINT_NODE_PORTS)
_CAPTURING = (names.SERVICE_IPS, names.SERVICE_NODE_PORTS)


class Views(msgspec.Struct):
    """All service ports of a table.

    ``endpoints`` maps the chain of an endpoint to ``ip:port``; ``addresses`` tell which service ports an
    address has, ``node_ports`` which one has ``protocol . port``, ``ends`` which ones have an endpoint
    (``ip:port/protocol``).
    """

    ports: dict[PortName, PortView] = msgspec.field(default_factory=dict)
    endpoints: dict[str, str] = msgspec.field(default_factory=dict)
    addresses: dict[str, list[PortName]] = msgspec.field(default_factory=dict)
    node_ports: dict[str, PortName] = msgspec.field(default_factory=dict)
    ends: dict[str, list[PortName]] = msgspec.field(default_factory=dict)


def owner_of_name(name: str) -> PortName:
    """The service port that a chain or set is named for; nobody where it is none's."""
    found = _NAME.fullmatch(name)
    if found is None:
        return NOBODY
    return f"{found[1]}:{found[3]}" if found[3] else found[1], found[2]


def endpoint_of_name(name: str) -> str:
    """The endpoint that a chain or set is named for, as ``ip:port``; empty where it is none's."""
    found = _NAME.fullmatch(name)
    if found is None or not found[4]:
        return ""
    ip = found[4] if re.fullmatch(r"[\d]+(\.\d+){3}", found[4]) else found[4].replace(".", ":")
    return join_host_port(ip, int(found[5]))


def owners(element: Element, views: Views) -> list[PortName]:
    """The service ports that an element is about, the ones that are likeliest first."""
    owner = owner_of_name(target(element.value))
    if owner != NOBODY:
        return [owner]
    parts = element.key.split(" . ")
    if element.comment and len(parts) > 1:
        return [(element.comment, parts[-2])]
    if element.container == names.HAIRPIN and len(parts) == 4:
        return views.ends.get(f"{join_host_port(parts[0], int(parts[3]))}/{parts[2]}", [])
    if len(parts) == 2:
        found = views.node_ports.get(element.key, NOBODY)
        return [found] if found != NOBODY else []
    known = views.addresses.get(parts[0], [])
    return [port for port in known if len(parts) < 2 or port[1] == parts[1]]


def address(element: Element) -> str:
    """``ip:port/protocol`` that an element stands for, ``:port/protocol`` for node ports; else its key."""
    parts = element.key.split(" . ")
    if len(parts) == 2:
        return f":{parts[1]}/{parts[0]}"
    if len(parts) == 3 and parts[2].isdecimal():
        return f"{join_host_port(parts[0], int(parts[2]))}/{parts[1]}"
    return element.key


def views(table: Table) -> Views:
    """Read a table."""
    found = Views()
    cluster_ips = _elements(table, names.CLUSTER_IPS)
    own = {element.key for element in cluster_ips}
    for name in (*_CAPTURING, *_REFUSING):
        for element in _elements(table, name):
            owner = next(iter(owners(element, found)), NOBODY)
            if owner == NOBODY:
                continue
            view = _view(found, owner)
            ip = element.key.split(" . ")[0]
            where = address(element)
            kind = "node port" if where[0] == ":" else "cluster IP" if ip in own else "external address"
            if where[0] == ":":
                found.node_ports.setdefault(element.key, owner)
            elif owner not in found.addresses.setdefault(ip, []):
                found.addresses[ip].append(owner)
            if name in _CAPTURING:
                view.captured.append(Address(kind, where))
                view.internal_local |= target(element.value).startswith(names.LOCAL)
            else:
                view.refused[Address(kind, where)] = "DROP" if element.value == "drop" else "REJECT"
    for name in table.chains:
        if name.startswith(names.ENDPOINT):
            found.endpoints[name] = sends_to(table, name) or endpoint_of_name(name)
    for name in table.chains:
        owner = owner_of_name(name)
        if owner != NOBODY:
            _own_chain(found, _view(found, owner), table, name)
    for owner, view in found.ports.items():
        for end in view.endpoints:
            found.ends.setdefault(f"{end}/{owner[1]}", []).append(owner)
    return found


def sends_to(table: Table, chain: str) -> str:
    """The address that the chain of an endpoint translates to; empty where it does not."""
    for rule in table.chains[chain].rules:
        ends = destinations(parsed(rule, table))
        if ends:
            return ends[0]
    return ""


def parsed(rule: str, table: Table) -> list[Statement]:
    """The statements of a rule; none of one that kube-proxy never writes."""
    try:
        return read(rule, PROTOCOLS[table.family])
    except ValueError:
        return []


def destinations(statements: list[Statement]) -> list[str]:
    """The addresses that a rule translates to."""
    for statement in statements:
        match statement:
            case {"dnat": {"addr": str(ip), "port": port}}:
                return [join_host_port(ip, port)]
            case {"dnat": {"addr": {"map": {"data": {"set": elements}}}}}:
                return [join_host_port(*end["concat"]) for _, end in elements]
    return []


def spread_to(statements: list[Statement]) -> list[str]:
    """The chains that a rule spreads traffic over."""
    for statement in statements:
        match statement:
            case {"vmap": {"key": {"numgen": _}, "data": {"set": elements}}}:
                return [next(iter(to.values()))["target"] for _, to in elements if next(iter(to.values()))]
    return []


def _elements(table: Table, name: str) -> Iterator[Element]:
    container = table.containers.get(name)
    return iter(container.elements.values() if container is not None else ())


def _view(found: Views, owner: PortName) -> PortView:
    view = found.ports.get(owner)
    if view is None:
        view = found.ports[owner] = PortView(owner)
    return view


def _own_chain(found: Views, view: PortView, table: Table, chain: str) -> None:
    view.chains.append(chain)
    rules = table.chains[chain].rules
    if chain.startswith((names.CLUSTER, names.LOCAL)):
        ends = view.local if chain.startswith(names.LOCAL) else view.everywhere
        for rule in rules:
            statements = parsed(rule, table)
            ends |= dict.fromkeys(destinations(statements), chain)
            ends |= {found.endpoints.get(to, to): to for to in spread_to(statements)}
    elif chain.startswith(names.ENDPOINT):
        kept = table.containers.get(names.AFFINITY + chain.removeprefix(names.ENDPOINT))
        if kept is not None:
            view.affinity = kept.timeout
    elif chain.startswith(names.EXTERNAL):
        view.external_local |= any(rule.startswith("fib saddr type local") for rule in rules)
    elif chain.startswith(names.FIREWALL):
        for rule in rules:
            for statement in parsed(rule, table):
                match statement:
                    case {"match": {"left": {"payload": {"field": "saddr"}}, "right": right}}:
                        view.ranges += constants(right).split(", ")
