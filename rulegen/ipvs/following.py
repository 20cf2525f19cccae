"""The ipvs mode, fragment by fragment: virtual servers, entries and addresses may be several Services'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from rulegen.claims import Claims
from rulegen.iptables import diff as rules_diff
from rulegen.iptables.changes import ChainChange
from rulegen.iptables.dump import Chain, Dump
from rulegen.iptables.ruleset import PortKey, read_tables
from rulegen.ipvs.base import settings
from rulegen.ipvs.diff import UNORDERED, changes, lines_of
from rulegen.ipvs.fragment import Fragment, ServerKey, VirtualServer, fragment
from rulegen.ipvs.ipsets import IpSet
from rulegen.ipvs.rules import restore_parts
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.servers import Server
from rulegen.ipvs.sets import IPVS_IPS, SETS, set_name
from rulegen.ipvs.state import State, excluded, held_server, held_set
from rulegen.ipvs.transaction import Transaction
from rulegen.plan import Plan, PlannedPort

_KINDS = {kind.name: kind for kind in SETS}
(_DROPS,) = UNORDERED


class Following:
    """The doors of :class:`rulegen.backend.Following`."""

    def __init__(self, plan: Plan) -> None:
        self._settings = settings(plan.machine)
        self._node_ip = plan.machine.node_ip
        self._servers: Claims[ServerKey, VirtualServer] = Claims()
        self._entries: Claims[tuple[str, str], Literal[True]] = Claims()
        self._filled: Counter[str] = Counter()
        self._excluded = excluded(self._settings)

    def resized(self, endpoints: int) -> bool:
        del endpoints  # the size of the cluster means nothing to this mode
        return False

    def compile(self, ports: Sequence[PlannedPort]) -> dict[PortKey, Fragment]:
        return {port.port.key: fragment(port, self._settings, self._node_ip) for port in ports}

    def start(self, fragments: Mapping[PortKey, Fragment]) -> None:
        for key, each in fragments.items():
            self._take(key, each)

    def _take(self, key: PortKey, each: Fragment) -> None:
        self._servers.take(key, [(server.key, server) for server in each.servers])
        entries = _entries(each)
        self._filled.update([name for name, _ in (entry for entry in entries if entry not in self._entries)])
        self._entries.take(key, [(entry, True) for entry in entries])

    def _drop(self, key: PortKey, each: Fragment) -> None:
        self._servers.drop(key, [server.key for server in each.servers])
        entries = _entries(each)
        self._entries.drop(key, entries)
        self._filled.subtract(
            [name for name, _ in (entry for entry in entries if entry not in self._entries)]
        )

    def transition(self, steps: Sequence[tuple[PortKey, Fragment | None, Fragment | None]]) -> Transaction:
        touched = [each for _, old, new in steps for each in (old, new) if each is not None]
        servers = dict.fromkeys(server.key for each in touched for server in each.servers)
        entries = dict.fromkeys(entry for each in touched for entry in _entries(each))
        before, rules = self._state(servers, entries), self._rules()
        for key, old, _ in steps:
            if old is not None:
                self._drop(key, old)
        for key, _, new in steps:
            if new is not None:
                self._take(key, new)
        found = changes(before, self._state(servers, entries))
        chains = [*self._rule_changes(rules), *_drops(steps)]
        return lines_of(self._settings.family, found, rules_diff.transaction(chains))

    def _state(self, servers: Iterable[ServerKey], entries: Iterable[tuple[str, str]]) -> State:
        """As much of the state as these are."""
        held: dict[ServerKey, Server] = {}
        for key in servers:
            virtual = self._servers.last(key)
            if virtual is not None:
                held[key] = held_server(virtual, self._settings)
        family = self._settings.family
        sets: dict[str, IpSet] = {}
        for name, _ in entries:
            kernel_name = set_name(name, family)
            if kernel_name not in sets:
                wanted = [entry for of, entry in entries if of == name and (of, entry) in self._entries]
                sets[kernel_name] = held_set(_KINDS[name], family, wanted)
        addresses = tuple([ip for name, ip in entries if name == IPVS_IPS and (name, ip) in self._entries])
        return State(family=family, servers=held, sets=sets, addresses=addresses, excluded=self._excluded)

    def _rules(self) -> frozenset[str]:
        return frozenset(name for name, count in self._filled.items() if count > 0)

    def _rule_changes(self, filled: frozenset[str]) -> list[ChainChange]:
        """Rules that come with the first entry of a set, and go with the last one."""
        now = self._rules()
        if now == filled:
            return []
        old, new = (self._dump(sets) for sets in (filled, now))
        return rules_diff.changes(old, new, unordered=UNORDERED)

    def _dump(self, filled: frozenset[str]) -> Dump:
        text = "".join(restore_parts(self._settings, filled, ""))
        tables = {
            table: {name: Chain(rules=rules) for name, rules in chains.items() if name != _DROPS}
            for table, chains in read_tables(text).items()
        }
        return Dump(family=self._settings.family, tables=tables)

    def ruleset(self, fragments: Mapping[PortKey, Fragment]) -> Ruleset:
        return Ruleset(self._settings, fragments)


def _entries(each: Fragment) -> list[tuple[str, str]]:
    return list(dict.fromkeys([*each.entries, *[(IPVS_IPS, ip) for ip in each.addresses]]))


def _drops(steps: Iterable[tuple[PortKey, Fragment | None, Fragment | None]]) -> list[ChainChange]:
    """Rules that keep the node from load balancer addresses: one line each, of one service port."""
    lines: list[str] = []
    for _, old, new in steps:
        before = old.drops.splitlines() if old is not None else []
        after = new.drops.splitlines() if new is not None else []
        lines += ["-D" + line[2:] for line in before if line not in after]
        lines += [line for line in after if line not in before]
    if not lines:
        return []
    return [ChainChange(table="filter", chain=_DROPS, action="edit", lines=tuple(lines))]
