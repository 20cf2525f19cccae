"""Rules of iptables, read from the text that was emitted or dumped, as the loop of :mod:`walk` follows them.

Chains are looked into when a packet first meets them. A long chain is indexed by destination: of the tens of
thousands of rules that kube-proxy has in one, a packet can match a handful.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rulegen.iptables.dump import BUILTIN, Dump, Table
from rulegen.iptables.rule import read
from rulegen.trace import matches, questions, targets
from rulegen.trace.facts import Facts
from rulegen.trace.packet import Packet, number
from rulegen.trace.walk import Acted, Operation, Rule, TraceError, Walk

INDEXED = 64
"""Chains with more rules than this are indexed."""

PRIORITIES: Mapping[str, Mapping[str, int]] = {
    "raw": {"PREROUTING": -300, "OUTPUT": -300},
    "mangle": {"PREROUTING": -150, "INPUT": -150, "FORWARD": -150, "OUTPUT": -150, "POSTROUTING": -150},
    "nat": {"PREROUTING": -100, "INPUT": 100, "OUTPUT": -100, "POSTROUTING": 100},
    "filter": {"INPUT": 0, "FORWARD": 0, "OUTPUT": 0},
    "security": {"INPUT": 50, "FORWARD": 50, "OUTPUT": 50},
}
"""Where the kernel calls a chain, among all that is at its hook (linux/netfilter_ipv4.h)."""


class IptablesTable:
    """One table of one family."""

    def __init__(self, name: str, table: Table, facts: Facts) -> None:
        self.name = name
        self._table = table
        self._facts = facts
        self._rules: dict[str, list[Rule]] = {}
        self._index: dict[str, _Index] = {}

    def policy(self, chain: str) -> str:
        return self._table[chain].policy if chain in self._table else "ACCEPT"

    def has(self, chain: str) -> bool:
        """Whether the kernel's own chain is there and can do anything."""
        held = self._table.get(chain)
        return held is not None and (bool(held.rules) or held.policy == "DROP")

    def rules(self, chain: str, packet: Packet) -> Sequence[Rule] | None:
        index = self._index.get(chain)
        if index is not None:
            return index.rules(packet.destination)
        rules = self._rules.get(chain)
        if rules is None:
            held = self._table.get(chain)
            if held is None:
                return None
            rules = [Rule(place, text, self._operations) for place, text in enumerate(held.rules, 1)]
            if len(rules) > INDEXED:
                index = self._index[chain] = _Index(rules)
                return index.rules(packet.destination)
            self._rules[chain] = rules
        return rules

    def prepare(self) -> None:
        """Index the long chains now, so that the first packet need not wait."""
        nobody = Packet(family=self._facts.host.family, protocol=0, source=0, destination=0)
        for name, chain in self._table.items():
            if len(chain.rules) > INDEXED:
                self.rules(name, nobody)

    def _operations(self, rule: Rule) -> Sequence[Operation]:
        family = self._facts.host.family
        try:
            parts = read(rule.text, family)
        except ValueError as fault:
            raise TraceError(
                f"{self.name}: rule {rule.number} cannot be read ({fault}): {rule.text}"
            ) from None
        found: list[Operation] = []
        for name, given in parts.fields.items():
            match name:
                case "-s":
                    found.append(questions.source(given, family))
                case "-d":
                    found.append(questions.destination(given, family))
                case "-i" | "-o":
                    found.append(questions.device(given, incoming=name == "-i"))
                case "-p":
                    found.append(questions.protocol(given))
                case "-f":
                    found.append(questions.fragment(given))
        for part in parts.matches:
            found += matches.operations(part, self._facts)
        target = parts.target
        if target is None:
            rule.harmless = True
            found.append(_counted)
            return found
        is_chain = target.name in self._table and target.name not in BUILTIN.get(self.name, ())
        rule.harmless = not is_chain and target.name in targets.HARMLESS
        found += targets.operations(target, self._facts, is_chain=is_chain, goto=parts.goto)
        return found


def _counted(walk: Walk) -> Acted:
    return Acted("only counted")


class _Index:
    """A long chain: the rules for one destination each, and those that may match any."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._any: list[Rule] = []
        self._by_destination: dict[int, list[Rule]] = {}
        self._merged: dict[int, list[Rule]] = {}
        for rule in rules:
            destination = _one_destination(rule.text)
            if destination is None:
                self._any.append(rule)
            else:
                self._by_destination.setdefault(destination, []).append(rule)

    def rules(self, destination: int) -> Sequence[Rule]:
        own = self._by_destination.get(destination)
        if own is None:
            return self._any
        merged = self._merged.get(destination)
        if merged is None:
            merged = self._merged[destination] = sorted([*own, *self._any], key=lambda rule: rule.number)
        return merged


_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def _one_destination(text: str) -> int | None:
    """The only destination that a rule can match; None where there is none such, or where that is not clear.

    Comments may look as if they had one. The rule is read in full before it is believed.
    """
    first = text.find('"')
    if first >= 0:
        last = text.rfind('"')
        if text.count('"') == 2:
            text = f"{text[:first]}{text[last:]}"
        else:
            text = _QUOTED.sub('""', text)
    at = text.find("-d ")
    if at < 0 or (at > 0 and text[at - 1] != " ") or text[max(at - 2, 0) : at] == "! ":
        return None
    end = text.find(" ", at + 3)
    ip, slash, length = text[at + 3 : end if end >= 0 else None].partition("/")
    if slash and length != ("128" if ":" in ip else "32"):
        return None
    try:
        return number(ip)
    except ValueError:
        return None


def tables(dump: Dump, facts: Facts) -> list[IptablesTable]:
    """The tables of a dump of the facts' family."""
    return [IptablesTable(name, table, facts) for name, table in dump.tables.items() if name in PRIORITIES]
