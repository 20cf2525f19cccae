"""Rules of nftables, read from their text, as the loop of :mod:`walk` follows them (nft(8))."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from rulegen.model import Family
from rulegen.trace import nft_statements, translate
from rulegen.trace.facts import Facts
from rulegen.trace.nft_lookup import Lookup
from rulegen.trace.nft_statements import Statement, UnknownError
from rulegen.trace.nft_text import Container, RuleForm, Table
from rulegen.trace.nft_values import BITMASKS, Answer, Selector, Spread, holds, selector, span
from rulegen.trace.packet import Packet, shown
from rulegen.trace.stages import Base
from rulegen.trace.walk import (
    ACCEPT,
    RETURN,
    Acted,
    Doubt,
    Operation,
    Result,
    Rule,
    Step,
    Verdict,
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
                found.append(_doubtful(_text_of(kind, told)))
                continue
            try:
                acts = acts or kind not in ("match",)
                found += self._operation(kind, told)
            except UnknownError:
                followed = index + 1 < len(statements)
                found += _unknown(_text_of(kind, told), ends=not followed)
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
                return _reject(told, self._facts)
            case "masquerade":
                return translate.masquerade(self._facts)
            case "redirect":
                return translate.redirect(self._facts, _port_range((told or {}).get("port")))
            case "mangle":
                return self._mangle(told)
            case "set":
                return self._update(told)
            case "notrack":
                return _untracked
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
            return _compare(operator, selectors[0], right)
        wanted = operator != "!="
        if isinstance(right, str) and right.startswith("@"):
            return self._in_named(selectors, right[1:], wanted=wanted)
        if isinstance(right, dict) and "set" in right:
            return _in(
                Lookup([each.type for each in selectors], [(key, None) for key in right["set"]]),
                selectors,
                wanted,
            )
        if isinstance(right, dict) and "concat" in right:
            return _in(Lookup([each.type for each in selectors], [(right, None)]), selectors, wanted)
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
                return _chance(share if wanted else 1 - share, "numgen")
            return _any([holds(answer, each, kind, any_bit=any_bit) for each in constants], answer, wanted)

        return match

    def _in_named(self, selectors: Sequence[Selector], name: str, *, wanted: bool) -> Operation:
        container = self._table.containers.get(name)
        if container is None:
            raise UnknownError(f"@{name}")
        lookup = self._lookup(container, selectors)
        if not container.dynamic:
            return _in(lookup, selectors, wanted)
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
            return _any([lookup.find(answers)[0]], first, wanted)

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

        return _mapped(selectors, lookup, to)

    def _translation(self, kind: str, told: Mapping[str, Any] | None) -> list[Operation]:
        told = told or {}
        address, port = told.get("addr"), told.get("port")
        if isinstance(address, dict) and "map" in address:
            selectors = self._selectors(address["map"]["key"])
            lookup = self._data(address["map"]["data"], selectors)
            return _mapped(selectors, lookup, lambda data: self._to(kind, data, port))
        return [self._to(kind, address, port)]

    def _to(self, kind: str, address: Any, port: Any) -> Operation:
        if isinstance(address, dict) and "concat" in address:
            address, port = address["concat"]
        version = "ipv4_addr" if self._facts.host.family == "IPv4" else "ipv6_addr"
        found: list[int] = []
        if address is not None:
            first, last = _numbers(address, version)
            if last - first > 64:
                raise UnknownError(f"{kind} to more than 64 addresses")
            found = list(range(first, last + 1))
        if kind == "dnat":
            return translate.to_one_of(found, _port_range(port))
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


def verdict(kind: str, told: Any) -> Operation:
    """``accept``, ``drop``, ``jump`` and the like."""
    match kind:
        case "accept":
            return lambda walk: _ACCEPTED
        case "return":
            return lambda walk: _RETURNED
        case "continue":
            return lambda walk: True
        case "drop":
            return lambda walk: Acted("drop", walk.finish("dropped", "dropped by a rule"))
        case "jump" | "goto":
            done = Acted(f"go to {told['target']}", Verdict(kind, told["target"]))
            return lambda walk: done
    raise UnknownError(kind)


_ACCEPTED = Acted("accept", ACCEPT)
_RETURNED = Acted("return", RETURN)


def _in(lookup: Lookup, selectors: Sequence[Selector], wanted: bool) -> Operation:
    def match(walk: Walk) -> bool | Doubt:
        answers = [each.ask(walk) for each in selectors]
        return _any([lookup.find(answers)[0]], answers[0] if None not in answers else None, wanted)

    return match


def _any(results: Sequence[bool | Doubt], answer: Answer, wanted: bool) -> bool | Doubt:
    """Whether any holds, or (``wanted`` false) none; a packet that has no such thing matches neither way."""
    if answer is None:
        return False
    if True in results:
        return wanted
    doubt = next((each for each in results if isinstance(each, Doubt)), None)
    if doubt is None:
        return not wanted
    return doubt if wanted else doubt.opposite()


def _compare(operator: str, left: Selector, right: Any) -> Operation:
    low, high = _numbers(right, left.type)

    def match(walk: Walk) -> bool | Doubt:
        answer = left.ask(walk)
        if isinstance(answer, Doubt):
            return answer
        if isinstance(answer, Spread):
            values = range(answer.offset, answer.offset + answer.mod)
            inside = sum(_compared(operator, value, low, high) for value in values)
            return _chance(Fraction(inside, answer.mod), "numgen")
        return isinstance(answer, int) and _compared(operator, answer, low, high)

    return match


def _compared(operator: str, value: int, low: int, high: int) -> bool:
    match operator:
        case "<":
            return value < low
        case ">":
            return value > high
        case "<=":
            return value <= low
    return value >= high


def _chance(share: Fraction, text: str) -> bool | Doubt:
    return bool(share) if share in (0, 1) else Doubt(text, share)


def _numbers(constant: Any, kind: str) -> tuple[int, int]:
    found = span(constant, kind)
    if isinstance(found, str):
        raise UnknownError(found)
    return found


def _mapped(selectors: Sequence[Selector], lookup: Lookup, to: Callable[[Any], Operation]) -> list[Operation]:
    """Do what a map has for the packet; without an element the rule does not match."""
    spreads: dict[Spread, list[tuple[Fraction, Operation]]] = {}

    def match(walk: Walk) -> bool | Doubt:
        answers = [each.ask(walk) for each in selectors]
        return True if isinstance(answers[0], Spread) else lookup.find(answers)[0]

    def act(walk: Walk) -> Result:
        answers = [each.ask(walk) for each in selectors]
        first = answers[0]
        if not isinstance(first, Spread):
            return to(lookup.find(answers)[1])(walk)
        alternatives = spreads.get(first)
        if alternatives is None:
            alternatives = spreads[first] = [
                (Fraction(count, first.mod), _no_match if data is None else to(data))
                for count, data in lookup.alternatives(first)
            ]
        return alternatives

    return [match, act]


def _no_match(walk: Walk) -> bool:
    return False


def _element(item: Any, *, has_data: bool) -> tuple[Any, Any]:
    """Key and data of an element, from its text or its JSON form."""
    if isinstance(item, str):
        return nft_statements.element(item)
    key, data = item if has_data and isinstance(item, list) else (item, None)
    if isinstance(key, dict) and "elem" in key:
        key = key["elem"]["val"]
    return key, data


def _port_range(port: Any) -> tuple[int, int] | None:
    if port is None:
        return None
    return _numbers(port, "inet_service")


_REJECTS = {
    "port-unreachable": "port unreachable", "host-unreachable": "host unreachable",
    "net-unreachable": "network unreachable", "no-route": "no route",
    "admin-prohibited": "administratively prohibited", "addr-unreachable": "address unreachable",
    "prot-unreachable": "protocol unreachable", "net-prohibited": "network prohibited",
    "host-prohibited": "host prohibited",
}  # fmt: skip


def _reject(told: Mapping[str, Any] | None, facts: Facts) -> Operation:
    told = told or {}
    icmp = "ICMP" if facts.host.family == "IPv4" else "ICMPv6"
    if told.get("type") == "tcp reset":
        answer = "TCP reset"
    else:
        code = str(told.get("expr", "port-unreachable"))
        answer = f"{icmp} {_REJECTS.get(code, code)}"

    def act(walk: Walk) -> Acted:
        return Acted(f"reject with {answer}", walk.finish("rejected", "refused by a rule", answer))

    return act


def _untracked(walk: Walk) -> Acted:
    walk.state = "UNTRACKED"
    return Acted("not tracked")


def _doubtful(text: str) -> Operation:
    doubt = Doubt(text)
    return lambda walk: doubt


def _unknown(text: str, *, ends: bool) -> list[Operation]:
    """Words that are not known: a match, or at the end of a rule something that may be done."""
    if not ends:
        return [_doubtful(text)]
    doubt = Doubt(f"{text} (not known here) decides over the packet", None, f"{text} lets the packet go on")

    def end(walk: Walk) -> Acted:
        return Acted(text, walk.finish("unknown", f"{text} decides, which is not known here"))

    return [lambda walk: doubt, end]


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
