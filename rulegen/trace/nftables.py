"""Rules of nftables, read from their text, as the loop of :mod:`walk` follows them (nft(8))."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from rulegen.model import Family
from rulegen.trace import nft_statements, translate
from rulegen.trace.facts import Facts
from rulegen.trace.nft_lookup import Lookup
from rulegen.trace.nft_operations import (
    any_of,
    chance,
    compare,
    doubtful,
    in_lookup,
    mapped,
    numbers,
    port_range,
    reject,
    unknown_words,
    untracked,
    verdict,
)
from rulegen.trace.nft_statements import Statement, UnknownError
from rulegen.trace.nft_text import Container, RuleForm, Table
from rulegen.trace.nft_values import BITMASKS, Answer, Selector, Spread, holds, selector, span
from rulegen.trace.packet import Packet, shown
from rulegen.trace.stages import Base
from rulegen.trace.walk import (
    Acted,
    Doubt,
    Operation,
    Result,
    Rule,
    Step,
    Walk,
    follow,
)

FAMILIES: Mapping[str, tuple[Family, ...]] = {"ip": ("IPv4",), "ip6": ("IPv6",), "inet": ("IPv4", "IPv6")}
IPTABLES_TABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})
"""Tables of the families ip and ip6 that iptables-nft keeps its rules in."""


class NftTable:
    """One table, for one family of packets."""

    def __init__(self, table: Table, facts: Facts) -> None:
        self.name = table.title
        self._table = table
        self._facts = facts
        self._rules: dict[str, list[Rule]] = {}
        self._lookups: dict[tuple[str, tuple[str, ...]], Lookup] = {}

    def rules(self, chain: str, packet: Packet) -> Sequence[Rule] | None:
        rules = self._rules.get(chain)
        if rules is None:
            held = self._table.chains.get(chain)
            if held is None:
                return None
            rules = [self._rule(place, form) for place, form in enumerate(held.rules, 1)]
            self._rules[chain] = rules
        return rules

    def prepare(self) -> None:
        """Read the rules and sets that all packets meet, so that the first one need not wait."""
        nobody = Packet(family=self._facts.host.family, protocol=0, source=0, destination=0)
        for name in self._table.chains:
            if "/" not in name:  # no Service's own
                for rule in self.rules(name, nobody) or ():
                    _ = rule.operations

    def bases(self) -> list[Base]:
        return [
            Base(
                chain.hook.upper(),
                chain.priority,
                self._runner(name),
                translates=chain.kind == "nat",
                prepare=self.prepare,
            )
            for name, chain in self._table.chains.items()
            if chain.hook in ("prerouting", "input", "forward", "output", "postrouting")
        ]

    def _runner(self, name: str) -> Callable[[Walk], list[Walk]]:
        drops = self._table.chains[name].policy == "drop"

        def run(walk: Walk) -> list[Walk]:
            walks = follow(self, name, walk)
            if drops:
                for each in walks:
                    if each.end is None and not each.accepted:
                        each.step(Step(each.hook, self.name, name, 0, "policy drop", "drop"))
                        each.finish("dropped", f"the policy of {self.name} {name} is drop")
            return walks

        return run

    def _rule(self, place: int, form: RuleForm) -> Rule:
        if isinstance(form, str):
            return Rule(place, form, lambda rule: self._operations(rule, None))
        statements = [dict(each) for each in form]
        return Rule(place, _shown(statements), lambda rule: self._operations(rule, statements))

    def _operations(self, rule: Rule, statements: Sequence[Statement] | None) -> Sequence[Operation]:
        if statements is None:
            statements = nft_statements.read(rule.text, self._table.family)
        found: list[Operation] = []
        acts = False
        for index, statement in enumerate(statements):
            kind, told = next(iter(statement.items()))
            if kind in ("counter", "log", "comment"):
                continue
            if kind in ("limit", "quota"):
                found.append(doubtful(_text_of(kind, told)))
                continue
            try:
                acts = acts or kind not in ("match",)
                found += self._operation(kind, told)
            except UnknownError:
                followed = index + 1 < len(statements)
                found += unknown_words(_text_of(kind, told), ends=not followed)
                acts = True
        if not acts:
            rule.harmless = True
            found.append(lambda walk: Acted("only counted"))
        return found

    def _operation(self, kind: str, told: Any) -> list[Operation]:
        if kind == "vmap":
            return self._verdict_map(told)
        if kind in ("dnat", "snat"):
            return self._translation(kind, told)
        return [self._simple_operation(kind, told)]

    def _simple_operation(self, kind: str, told: Any) -> Operation:
        match kind:
            case "match":
                return self._match(told)
            case "accept" | "drop" | "return" | "continue" | "jump" | "goto":
                return verdict(kind, told)
            case "reject":
                return reject(told, self._facts)
            case "masquerade":
                return translate.masquerade(self._facts)
            case "redirect":
                return translate.redirect(self._facts, port_range((told or {}).get("port")))
            case "mangle":
                return self._mangle(told)
            case "set":
                return self._update(told)
            case "notrack":
                return untracked
            case "queue":
                return lambda walk: Acted(
                    "queue", walk.finish("unknown", "handed to a program on the node, which decides")
                )
            case "flow" | "ct helper" | "ct timeout" | "ct expectation":
                return lambda walk: Acted(kind)
        raise UnknownError(kind)

    # --- matches

    def _selectors(self, left: Any) -> list[Selector]:
        parts = left["concat"] if isinstance(left, dict) and "concat" in left else [left]
        return [selector(part, self._facts) for part in parts]

    def _match(self, told: Mapping[str, Any]) -> Operation:
        selectors = self._selectors(told["left"])
        operator, right = told["op"], told["right"]
        if operator in ("<", ">", "<=", ">="):
            return compare(operator, selectors[0], right)
        wanted = operator != "!="
        if isinstance(right, str) and right.startswith("@"):
            return self._in_named(selectors, right[1:], wanted=wanted)
        if isinstance(right, dict) and "set" in right:
            return in_lookup(
                Lookup([each.type for each in selectors], [(key, None) for key in right["set"]]),
                selectors,
                wanted,
            )
        if isinstance(right, dict) and "concat" in right:
            return in_lookup(Lookup([each.type for each in selectors], [(right, None)]), selectors, wanted)
        kind = selectors[0].type
        constants = [span(each, kind) for each in (right if isinstance(right, list) else [right])]
        any_bit = kind in BITMASKS and operator == "in"
        ask = selectors[0].ask

        def match(walk: Walk) -> bool | Doubt:
            answer = ask(walk)
            if isinstance(answer, Spread):
                inside = sum(
                    any(holds(value, each, kind) is True for each in constants)
                    for value in range(answer.offset, answer.offset + answer.mod)
                )
                share = Fraction(inside, answer.mod)
                return chance(share if wanted else 1 - share, "numgen")
            return any_of([holds(answer, each, kind, any_bit=any_bit) for each in constants], answer, wanted)

        return match

    def _in_named(self, selectors: Sequence[Selector], name: str, *, wanted: bool) -> Operation:
        container = self._table.containers.get(name)
        if container is None:
            raise UnknownError(f"@{name}")
        lookup = self._lookup(container, selectors)
        if not container.dynamic:
            return in_lookup(lookup, selectors, wanted)
        seen = self._facts.recent.get(name, frozenset())

        def match(walk: Walk) -> bool | Doubt:
            answers = [each.ask(walk) for each in selectors]
            first = answers[0]
            if (
                len(answers) == 1
                and isinstance(first, int)
                and (first in seen or (name, first) in walk.noted)
            ):
                return wanted
            return any_of([lookup.find(answers)[0]], first, wanted)

        return match

    def _lookup(self, container: Container, selectors: Sequence[Selector]) -> Lookup:
        types = tuple(each.type for each in selectors)
        found = self._lookups.get((container.name, types))
        if found is None:
            elements = [_element(each, has_data=bool(container.data)) for each in container.elements]
            found = self._lookups[container.name, types] = Lookup(types, elements)
        return found

    def _data(self, data: Any, selectors: Sequence[Selector]) -> Lookup:
        """The map behind ``map`` or ``vmap``."""
        if isinstance(data, str) and data.startswith("@"):
            container = self._table.containers.get(data[1:])
            if container is None:
                raise UnknownError(data)
            return self._lookup(container, selectors)
        elements = data["set"] if isinstance(data, dict) else None
        if elements is None:
            raise UnknownError(str(data))
        return Lookup([each.type for each in selectors], [(key, value) for key, value in elements])

    # --- what rules do

    def _verdict_map(self, told: Mapping[str, Any]) -> list[Operation]:
        selectors = self._selectors(told["key"])
        lookup = self._data(told["data"], selectors)
        made: dict[int, Operation] = {}

        def to(data: Any) -> Operation:
            operation = made.get(id(data))
            if operation is None:
                kind, target = next(iter(data.items()))
                operation = made[id(data)] = verdict(kind, target)
            return operation

        return mapped(selectors, lookup, to)

    def _translation(self, kind: str, told: Mapping[str, Any] | None) -> list[Operation]:
        told = told or {}
        address, port = told.get("addr"), told.get("port")
        if isinstance(address, dict) and "map" in address:
            selectors = self._selectors(address["map"]["key"])
            lookup = self._data(address["map"]["data"], selectors)
            return mapped(selectors, lookup, lambda data: self._to(kind, data, port))
        return [self._to(kind, address, port)]

    def _to(self, kind: str, address: Any, port: Any) -> Operation:
        if isinstance(address, dict) and "concat" in address:
            address, port = address["concat"]
        version = "ipv4_addr" if self._facts.host.family == "IPv4" else "ipv6_addr"
        found: list[int] = []
        if address is not None:
            first, last = numbers(address, version)
            if last - first > 64:
                raise UnknownError(f"{kind} to more than 64 addresses")
            found = list(range(first, last + 1))
        if kind == "dnat":
            return translate.to_one_of(found, port_range(port))
        if len(found) != 1:
            raise UnknownError("snat to several addresses")
        return translate.to_source(found[0], port if isinstance(port, int) else None)

    def _mangle(self, told: Mapping[str, Any]) -> Operation:
        key, value = told["key"], told["value"]
        target = next(iter(key.items()))
        if target[0] not in ("meta", "ct") or target[1].get("key") != "mark":
            if target[0] in ("meta", "ct") or target[1].get("field") in ("dscp", "ecn", "ttl", "hoplimit"):
                text = f"set {target[0]} {target[1].get('key') or target[1].get('field')}"
                return lambda walk: Acted(text)
            raise UnknownError("a packet is rewritten")
        if isinstance(value, int):
            constant = value
            ask: Callable[[Walk], Answer] = lambda walk: constant  # noqa: E731
        elif isinstance(value, dict):
            ask = selector(value, self._facts).ask
        else:
            raise UnknownError(str(value))
        of_connection = target[0] == "ct"

        def act(walk: Walk) -> Result:
            mark = ask(walk)
            if not isinstance(mark, int):
                return Doubt("the new mark")
            if of_connection:
                walk.connection_mark = mark
                return Acted(f"the connection's mark becomes {mark:#x}")
            walk.change(mark=mark)
            return Acted(f"mark becomes {mark:#x}")

        return act

    def _update(self, told: Mapping[str, Any]) -> Operation:
        name = told["set"].removeprefix("@")
        element = told["elem"]
        if isinstance(element, dict) and "elem" in element:
            element = element["elem"]["val"]
        selectors = self._selectors(element)
        forget, family = told["op"] == "delete", self._facts.host.family

        def act(walk: Walk) -> Acted:
            answers = [each.ask(walk) for each in selectors]
            first = answers[0]
            if len(answers) == 1 and isinstance(first, int):
                entry = frozenset({(name, first)})
                walk.noted = walk.noted - entry if forget else walk.noted | entry
                is_address = selectors[0].type.endswith("_addr")
                text = shown(first, family) if is_address else str(first)
                return Acted(f"{'forget' if forget else 'remember'} {text} in {name}")
            return Acted(f"{told['op']} {name}")

        return act


def _element(item: Any, *, has_data: bool) -> tuple[Any, Any]:
    """Key and data of an element, from its text or its JSON form."""
    if isinstance(item, str):
        return nft_statements.element(item)
    key, data = item if has_data and isinstance(item, list) else (item, None)
    if isinstance(key, dict) and "elem" in key:
        key = key["elem"]["val"]
    return key, data


def _text_of(kind: str, told: Any) -> str:
    return told if isinstance(told, str) else _shown([{kind: told}])


def _shown(statements: Sequence[Statement]) -> str:
    """Statements of JSON in a form that can be read."""
    import json

    return json.dumps(statements, separators=(",", ":"))


def bases(tables: Iterable[Table], facts: Facts, *, without_iptables: bool = False) -> list[Base]:
    """What the kernel calls of these tables for packets of the facts' family.

    ``without_iptables`` leaves out the tables that iptables-nft keeps, whose rules were read from
    iptables-save: nft cannot print all of them.
    """
    found = []
    for table in tables:
        if facts.host.family not in FAMILIES[table.family]:
            continue
        if without_iptables and table.family != "inet" and table.name in IPTABLES_TABLES:
            continue
        made = NftTable(table, facts)
        found += made.bases()
    return found
