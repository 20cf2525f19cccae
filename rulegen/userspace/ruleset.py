"""The compiled rules of one node and family, and their text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from rulegen.model import Family
from rulegen.plan import Plan
from rulegen.userspace.fragment import (
    NODEPORT_CONTAINER,
    NODEPORT_HOST,
    NODEPORT_NON_LOCAL,
    PORTALS_CONTAINER,
    PORTALS_HOST,
    Fragment,
    fragment,
    listener,
)
from rulegen.userspace.ports import proxy_ports

PortKey: TypeAlias = tuple[str, str, str, str]

_PORTALS = '-m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules"'
_NODE_PORTS = (
    "-m addrtype --dst-type LOCAL"
    ' -m comment --comment "handle service NodePorts; NOTE: this must be the last rule in the chain"'
)
_NON_LOCAL = '-m comment --comment "Ensure that non-local NodePort traffic can flow"'


class Jump(msgspec.Struct, frozen=True):
    """A rule of a kernel's chain that leads to one of ours; ``first`` puts it at the top, else at the end."""

    table: str
    source: str
    target: str
    match: str
    first: bool

    @property
    def rule(self) -> str:
        return f"{'-I' if self.first else '-A'} {self.source} {self.match} -j {self.target}"


# In the order of iptablesInit (pkg/proxy/userspace/proxier.go, Kubernetes 1.25).
JUMPS = (
    Jump("nat", "PREROUTING", PORTALS_CONTAINER, _PORTALS, first=True),
    Jump("nat", "OUTPUT", PORTALS_HOST, _PORTALS, first=True),
    Jump("nat", "PREROUTING", NODEPORT_CONTAINER, _NODE_PORTS, first=False),
    Jump("nat", "OUTPUT", NODEPORT_HOST, _NODE_PORTS, first=False),
    Jump("filter", "INPUT", NODEPORT_NON_LOCAL, _NON_LOCAL, first=True),
)
TABLES = ("filter", "nat")


class Ruleset(msgspec.Struct, frozen=True):
    """iptables rules of one family in userspace mode: ``fragments`` by service port.

    Service ports of protocol SCTP are not among them: the proxy never knew it.
    """

    family: Family
    fragments: Mapping[PortKey, Fragment]

    def chains(self, table: str) -> dict[str, list[str]]:
        """Chain -> its rules in order, without jumps."""
        found: dict[str, list[str]] = {jump.target: [] for jump in JUMPS if jump.table == table}
        for each in self.fragments.values():
            for rule in each.rules:
                if rule.table == table:
                    found[rule.chain].append(rule.text)
        return found


def compile_rules(plan: Plan) -> Ruleset:
    """What kube-proxy 1.25 made in userspace mode; the same plan always gives the same bytes.

    Raises ValueError where the proxy is to listen on loopback, or ports run out.
    """
    where = listener(plan.machine)
    ports = [planned.port for planned in plan.ports if planned.port.protocol in ("TCP", "UDP")]
    numbers = proxy_ports([port.name for port in ports], plan.proxy_ports)
    claims: dict[tuple[int, str], PortKey] = {}
    for port in ports:
        claims.setdefault((port.node_port, port.protocol), port.key)
    fragments = {
        port.key: fragment(
            port,
            numbers[port.name],
            where,
            node_port=claims[port.node_port, port.protocol] == port.key,
        )
        for port in ports
    }
    return Ruleset(plan.machine.family, fragments)


def jumps(ruleset: Ruleset) -> list[str]:
    """Every chain and rule in the order in which kube-proxy made them, one by one."""
    steps: list[str] = []
    for jump in JUMPS:
        steps += [f"{jump.table} -N {jump.target}", f"{jump.table} {jump.rule}"]
    for each in ruleset.fragments.values():
        steps += [f"{rule.table} -A {rule.chain} {rule.text}" for rule in each.rules]
    return list(dict.fromkeys(steps))


def commands(ruleset: Ruleset) -> str:
    """The same as the lines of a shell script."""
    program = "ip6tables" if ruleset.family == "IPv6" else "iptables"
    return "".join(f"{program} -w -t {step}\n" for step in jumps(ruleset))


def restore(ruleset: Ruleset) -> str:
    """The rules as text for ``iptables-restore --noflush``, jumps left out."""
    return "".join(_text(ruleset, with_jumps=False))


def restore_with_jumps(ruleset: Ruleset) -> str:
    """The same with the jumps, for a namespace that has none of kube-proxy yet."""
    return "".join(_text(ruleset, with_jumps=True))


def _text(ruleset: Ruleset, *, with_jumps: bool) -> Iterator[str]:
    for table in TABLES:
        chains = ruleset.chains(table)
        yield f"*{table}\n"
        yield from (f":{chain} - [0:0]\n" for chain in chains)
        for chain, rules in chains.items():
            yield from (f"-A {chain} {rule}\n" for rule in rules)
        if with_jumps:
            yield from (f"{jump.rule}\n" for jump in JUMPS if jump.table == table)
        yield "COMMIT\n"
