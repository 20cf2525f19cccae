"""What rules of nftables ask and do (nft(8)), as operations of a walk: verdicts, comparisons, maps.

What belongs to a table, its sets, maps and chains, is given by :mod:`nftables`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from rulegen.trace.facts import Facts
from rulegen.trace.nft_lookup import Lookup
from rulegen.trace.nft_statements import UnknownError
from rulegen.trace.nft_values import Answer, Selector, Spread, span
from rulegen.trace.walk import ACCEPT, RETURN, Acted, Doubt, Operation, Result, Verdict, Walk


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


def in_lookup(lookup: Lookup, selectors: Sequence[Selector], wanted: bool) -> Operation:
    def match(walk: Walk) -> bool | Doubt:
        answers = [each.ask(walk) for each in selectors]
        return any_of([lookup.find(answers)[0]], answers[0] if None not in answers else None, wanted)

    return match


def any_of(results: Sequence[bool | Doubt], answer: Answer, wanted: bool) -> bool | Doubt:
    """Whether any holds, or (``wanted`` false) none; a packet that has no such thing matches neither way."""
    if answer is None:
        return False
    if True in results:
        return wanted
    doubt = next((each for each in results if isinstance(each, Doubt)), None)
    if doubt is None:
        return not wanted
    return doubt if wanted else doubt.opposite()


def compare(operator: str, left: Selector, right: Any) -> Operation:
    low, high = numbers(right, left.type)

    def match(walk: Walk) -> bool | Doubt:
        answer = left.ask(walk)
        if isinstance(answer, Doubt):
            return answer
        if isinstance(answer, Spread):
            values = range(answer.offset, answer.offset + answer.mod)
            inside = sum(_compared(operator, value, low, high) for value in values)
            return chance(Fraction(inside, answer.mod), "numgen")
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


def chance(share: Fraction, text: str) -> bool | Doubt:
    return bool(share) if share in (0, 1) else Doubt(text, share)


def numbers(constant: Any, kind: str) -> tuple[int, int]:
    found = span(constant, kind)
    if isinstance(found, str):
        raise UnknownError(found)
    return found


def mapped(selectors: Sequence[Selector], lookup: Lookup, to: Callable[[Any], Operation]) -> list[Operation]:
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


def port_range(port: Any) -> tuple[int, int] | None:
    if port is None:
        return None
    return numbers(port, "inet_service")


_REJECTS = {
    "port-unreachable": "port unreachable", "host-unreachable": "host unreachable",
    "net-unreachable": "network unreachable", "no-route": "no route",
    "admin-prohibited": "administratively prohibited", "addr-unreachable": "address unreachable",
    "prot-unreachable": "protocol unreachable", "net-prohibited": "network prohibited",
    "host-prohibited": "host prohibited",
}  # fmt: skip


def reject(told: Mapping[str, Any] | None, facts: Facts) -> Operation:
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


def untracked(walk: Walk) -> Acted:
    walk.state = "UNTRACKED"
    return Acted("not tracked")


def doubtful(text: str) -> Operation:
    doubt = Doubt(text)
    return lambda walk: doubt


def unknown_words(text: str, *, ends: bool) -> list[Operation]:
    """Words that are not known: a match, or at the end of a rule something that may be done."""
    if not ends:
        return [doubtful(text)]
    doubt = Doubt(f"{text} (not known here) decides over the packet", None, f"{text} lets the packet go on")

    def end(walk: Walk) -> Acted:
        return Acted(text, walk.finish("unknown", f"{text} decides, which is not known here"))

    return [lambda walk: doubt, end]
