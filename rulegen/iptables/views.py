"""What rules say about each Service, read from the rules alone: a compiled state or a node's.

Names come from the comments of the lines in shared chains (kube-proxy writes those whatever the size of the
cluster), chains from where these lines lead, endpoints from where the chains send to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from rulegen.iptables.dump import Dump
from rulegen.iptables.names import CLUSTER, ENDPOINT, EXTERNAL, FIREWALL, LOCAL
from rulegen.iptables.owned import is_service_chain
from rulegen.iptables.rule import Rule, read
from rulegen.model import Family

PortName: TypeAlias = tuple[str, str]
"""``namespace/service`` or ``namespace/service:port``, and the protocol in lower case."""

NOBODY: PortName = ("", "")

_SHARED = (
    ("nat", "KUBE-SERVICES"),
    ("nat", "KUBE-NODEPORTS"),
    ("filter", "KUBE-SERVICES"),
    ("filter", "KUBE-EXTERNAL-SERVICES"),
    ("filter", "KUBE-NODEPORTS"),
    ("filter", "KUBE-PROXY-FIREWALL"),
)


class Address(msgspec.Struct, frozen=True, order=True):
    """Where a service port is reached: what kind of address, and ``ip:port/protocol`` (``:port`` alone)."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


class PortView(msgspec.Struct):
    """A service port as the rules have it.

    ``captured`` addresses are sent to endpoints, ``refused`` ones get ``REJECT`` or ``DROP``; ``everywhere``
    and ``local`` map endpoint addresses to their chains (those of the cluster policy and of the local one).
    ``ranges`` are the sources that the load balancer's addresses take, ``affinity`` is in seconds;
    ``external_local`` and ``internal_local`` are the traffic policies.
    """

    name: PortName
    captured: list[Address] = msgspec.field(default_factory=list)
    refused: dict[Address, str] = msgspec.field(default_factory=dict)
    everywhere: dict[str, str] = msgspec.field(default_factory=dict)
    local: dict[str, str] = msgspec.field(default_factory=dict)
    ranges: list[str] = msgspec.field(default_factory=list)
    affinity: int = 0
    external_local: bool = False
    internal_local: bool = False
    chains: list[str] = msgspec.field(default_factory=list)

    @property
    def service(self) -> str:
        """``namespace/service``."""
        return service_of(self.name[0])

    @property
    def endpoints(self) -> Mapping[str, str]:
        return self.everywhere | self.local


class Views(msgspec.Struct):
    """All service ports of a state, and whose each chain is. ``endpoints`` maps a chain to ``ip:port``."""

    ports: dict[PortName, PortView] = msgspec.field(default_factory=dict)
    owners: dict[str, PortName] = msgspec.field(default_factory=dict)
    endpoints: dict[str, str] = msgspec.field(default_factory=dict)


def service_of(port_name: str) -> str:
    return port_name.partition(":")[0]


def label(name: PortName) -> str:
    """The name of a service port for people."""
    return name[0]


def port_of(rule: Rule) -> PortName:
    """The service port that the comment of a rule names; nobody where it names none."""
    name = rule.comment
    for start in ("masquerade traffic for ", "pod traffic for ", "masquerade LOCAL traffic for ",
                  "route LOCAL traffic for ", "other traffic to "):  # fmt: skip
        name = name.removeprefix(start)
    name = name.partition(" ")[0]
    if "/" not in name:
        return NOBODY
    protocol = rule.fields.get("-p")
    return name, protocol.value if protocol is not None else ""


def views(dump: Dump) -> Views:
    """Read a state."""
    found = Views()
    by_hash: dict[str, PortName] = {}
    family = dump.family
    for table, chain in _SHARED:
        for text in dump.rules(table, chain):
            rule = parsed(text, family)
            if rule is None:
                continue
            name = port_of(rule)
            if name == NOBODY:
                continue
            if chain == "KUBE-NODEPORTS" and table == "filter":
                name = _any_protocol(found, name)
            view = found.ports.get(name)
            if view is None:
                view = found.ports[name] = PortView(name)
            _shared_rule(view, rule, table, chain)
            target = rule.target.name if rule.target is not None else ""
            if table == "nat" and is_service_chain(target):
                by_hash.setdefault(target[-16:], name)
    nat = dump.tables.get("nat", {})
    for chain in nat:
        if chain.startswith((CLUSTER, LOCAL, EXTERNAL, FIREWALL)):
            owner = by_hash.get(chain[-16:])
            if owner is not None:
                found.owners[chain] = owner
                found.ports[owner].chains.append(chain)
                _own_chain(found, found.ports[owner], dump, chain)
    for chain in nat:
        if chain not in found.owners and is_service_chain(chain):
            found.owners[chain] = _named_inside(dump, chain)
            if chain.startswith(ENDPOINT):
                found.endpoints[chain] = sends_to(dump, chain)
    return found


def parsed(text: str, family: Family) -> Rule | None:
    try:
        return read(text, family)
    except ValueError:
        return None


def destination(rule: Rule) -> str:
    """``ip:port/protocol`` of what a rule matches; ``:port/protocol`` for any local address."""
    port = next((v for part in rule.matches if (v := part.value("--dport")) is not None), "")
    protocol = rule.fields["-p"].value if "-p" in rule.fields else ""
    ip = host(rule.fields["-d"].value) if "-d" in rule.fields else ""
    if not port:
        return ip
    return f"[{ip}]:{port}/{protocol}" if ":" in ip else f"{ip}:{port}/{protocol}"


def host(network: str) -> str:
    """An address without the prefix length that makes it a network of one."""
    address, _, length = network.rpartition("/")
    return address if length == ("128" if ":" in address else "32") else network


def _any_protocol(found: Views, name: PortName) -> PortName:
    """Health checks come by TCP, whatever the port of the Service is."""
    return next((each for each in found.ports if each[0] == name[0]), name)


def _shared_rule(view: PortView, rule: Rule, table: str, chain: str) -> None:
    where = destination(rule)
    comment = rule.comment
    target = rule.target.name if rule.target is not None else ""
    if table == "nat":
        if rule.match("nfacct") is not None:
            return
        kind = "node port" if chain == "KUBE-NODEPORTS" else comment.partition(" ")[2]
        view.captured.append(Address(kind, where))
        if target.startswith(LOCAL):
            view.internal_local = True
    elif chain == "KUBE-NODEPORTS":
        view.captured.append(Address("health check node port", where))
    elif chain != "KUBE-PROXY-FIREWALL":
        kind = "cluster IP" if chain == "KUBE-SERVICES" else "external address"
        if rule.match("addrtype") is not None:
            kind = "node port"
        view.refused[Address(kind, where)] = target


def _own_chain(found: Views, view: PortView, dump: Dump, chain: str) -> None:
    # Most rules of a cluster are here: of these only the ends are looked at.
    jump = f"-j {ENDPOINT}"
    ends = view.local if chain.startswith(LOCAL) else view.everywhere
    for text in dump.rules("nat", chain):
        _, separator, end = text.rpartition(jump)
        if separator:
            end = ENDPOINT + end.partition(" ")[0]
            if "--rcheck" in text:
                view.affinity = _seconds(text)
                continue
            if end not in found.owners:
                found.owners[end] = view.name
                found.endpoints[end] = sends_to(dump, end)
                view.chains.append(end)
            ends[found.endpoints[end] or end] = end
        elif chain.startswith(EXTERNAL) and "--src-type LOCAL" in text:
            view.external_local = True
        elif chain.startswith(FIREWALL):
            rule = parsed(text, dump.family)
            if rule is not None and "-s" in rule.fields:
                view.ranges.append(rule.fields["-s"].value)


def _seconds(text: str) -> int:
    seconds = text.partition(" --seconds ")[2].partition(" ")[0]
    return int(seconds) if seconds.isdigit() else 0


def sends_to(dump: Dump, chain: str) -> str:
    """The address that the chain of an endpoint translates to; empty where it does not."""
    for text in dump.rules("nat", chain):
        before, separator, rest = text.partition(" --to-destination ")
        if separator and " DNAT" in before:
            return rest.partition(" ")[0]
    return ""


def _named_inside(dump: Dump, chain: str) -> PortName:
    """Whose a chain is that nothing of a Service leads to, by the comments in it."""
    for text in dump.rules("nat", chain):
        rule = parsed(text, dump.family)
        if rule is not None:
            name = port_of(rule)
            if name != NOBODY:
                return name
    return NOBODY
