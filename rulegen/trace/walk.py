"""One way of a packet through the rules, and the loop that follows it.

A rule is a list of operations. An operation looks at the walk and says whether it goes on, or cannot be sure:
then the walk splits in two, each with its chance or its assumption. Nothing here knows a rule's language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from rulegen.trace.packet import Packet, State

Kind: TypeAlias = Literal["local", "forwarded", "dropped", "rejected", "unreachable", "unknown"]
"""How a packet ends: taken by this node itself, sent on, dropped, refused with an answer, without a route, or
handed to something whose decision no rule tells."""

MOST_WALKS = 20000
"""Unknown matches double the ways; beyond this nobody reads them."""


class TraceError(ValueError):
    """A trace that cannot be made: rules that cannot be read, a chain that calls itself, too many ways."""


class Step(msgspec.Struct, frozen=True):
    """A rule that was met: its hook (``PREROUTING``), table, chain, line number from 1, text and effect.

    ``depth`` counts the chains above it that it was called from. ``number`` is 0 for what is no rule: a
    policy, a virtual server.
    """

    hook: str
    table: str
    chain: str
    number: int
    rule: str
    effect: str
    depth: int = 0


class End(msgspec.Struct, frozen=True):
    """How a walk ends, with what there is to say of it; ``answer`` is what the sender gets to hear."""

    kind: Kind
    why: str
    answer: str = ""


class Doubt(NamedTuple):
    """A match that holds with a chance, or (``chance`` None) under an assumption.

    ``text`` is the match; where ``otherwise`` is given, ``text`` is the assumption and that its opposite.
    ``lasting`` says that it is a fact about the packet: asked again, the answer is the same. ``negated``
    says that the match holds where ``text`` does not.
    """

    text: str
    chance: Fraction | None = None
    otherwise: str = ""
    lasting: bool = False
    negated: bool = False

    @property
    def assumptions(self) -> tuple[str, str]:
        """What has to be so that the match holds, and that it does not."""
        if self.otherwise:
            return self.text, self.otherwise
        found = f"{self.text} matches", f"{self.text} does not match"
        return found[::-1] if self.negated else found

    def opposite(self) -> Doubt:
        return self._replace(
            negated=not self.negated, chance=None if self.chance is None else 1 - self.chance
        )


class Verdict(NamedTuple):
    """``jump``, ``goto``, ``return``, ``accept``, or ``end`` (the walk's own end says how)."""

    kind: str
    chain: str = ""


class Acted(NamedTuple):
    """What an operation did, in words, and where the walk goes from there (None: to the next operation)."""

    effect: str
    verdict: Verdict | None = None


Result: TypeAlias = "bool | Doubt | Acted | list[tuple[Fraction, Operation]]"
"""Holds or not, a doubt, something done, or several operations of which one is picked by chance."""

Operation: TypeAlias = "Callable[[Walk], Result]"

RETURN = Verdict("return")
ACCEPT = Verdict("accept")
END = Verdict("end")

_WHOLE = Fraction(1)

MOST_DEPTH = 512
"""Chains that call each other; the kernel refuses loops, a text may have one."""


class Walk:
    """A packet on its way, and everything that rules can ask of it.

    ``entry`` and ``exit`` are devices: ``""`` where there is none (the node's own packets have no entry),
    None where it is not known. ``original`` is destination and port before any translation. ``served`` is the
    virtual server of IPVS that took the packet.
    """

    __slots__ = (
        "accepted", "answers", "assumed", "bridged", "chance", "connection_mark", "dnat", "dnat_done", "end",
        "entry", "exit", "hook", "noted", "order", "original",
        "packet", "served", "snat", "snat_done", "state",
        "trail",
    )  # fmt: skip

    def __init__(self, packet: Packet, entry: str | None = "", state: State = "NEW") -> None:
        self.packet = packet
        self.entry = entry
        self.exit: str | None = ""
        self.state: State = state
        self.hook = ""
        self.original = packet
        self.dnat = False
        self.snat = False
        # Translation is settled once in each direction, whether or not a rule changed anything.
        self.dnat_done = False
        self.snat_done = False
        self.connection_mark = 0
        self.bridged = False
        self.served: Any = None
        self.noted: frozenset[tuple[str, int]] = frozenset()
        self.chance: Fraction = Fraction(1)
        self.assumed: tuple[str, ...] = ()
        # Which side was taken where the walk split: outcomes are told in the order of the rules.
        self.order: tuple[int, ...] = ()
        self.trail: tuple[Any, Step] | None = None
        self.end: End | None = None
        self.accepted = False
        self.answers: frozenset[tuple[object, bool]] = frozenset()

    def copy(self) -> Walk:
        twin: Walk = Walk.__new__(Walk)
        for name in Walk.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    def branch(self, number: int, chance: Fraction = _WHOLE) -> Walk:
        """A copy that takes another side of a split."""
        twin = self.copy()
        twin.order += (number,)
        twin.chance *= chance
        return twin

    def change(self, **fields: Any) -> None:
        self.packet = msgspec.structs.replace(self.packet, **fields)

    def step(self, step: Step) -> None:
        self.trail = (self.trail, step)

    def also(self, effect: str) -> None:
        """Add to what the last rule did."""
        assert self.trail is not None
        before, step = self.trail
        self.trail = (before, msgspec.structs.replace(step, effect=f"{step.effect}; {effect}"))

    def steps(self) -> tuple[Step, ...]:
        found = []
        trail = self.trail
        while trail is not None:
            trail, step = trail
            found.append(step)
        return tuple(reversed(found))

    def known(self, doubt: Doubt) -> bool | None:
        """What this walk has assumed already about a lasting fact."""
        if doubt.lasting:
            question = self._question(doubt)
            for answer in (True, False):
                if (question, answer) in self.answers:
                    return answer is not doubt.negated
        return None

    def assume(self, doubt: Doubt, answer: bool) -> None:
        if doubt.lasting:
            self.answers |= {(self._question(doubt), answer is not doubt.negated)}

    def _question(self, doubt: Doubt) -> object:
        packet = self.packet
        return (doubt.text, packet.source, packet.destination, packet.port)

    def finish(self, kind: Kind, why: str, answer: str = "") -> Verdict:
        self.end = End(kind, why, answer)
        return END


class Rule:
    """One rule: its place and text, and its operations, which are made when it is first met.

    ``harmless`` says that nothing depends on whether it matches (it logs, or only counts).
    """

    __slots__ = ("_make", "_operations", "harmless", "number", "text")

    def __init__(self, number: int, text: str, make: Callable[[Rule], Sequence[Operation]]) -> None:
        self.number = number
        self.text = text
        self.harmless = False
        self._make = make
        self._operations: Sequence[Operation] | None = None

    @property
    def operations(self) -> Sequence[Operation]:
        if self._operations is None:
            self._operations = self._make(self)
        return self._operations


class Rules(Protocol):
    """The chains of one table, as the loop asks for them."""

    name: str

    def rules(self, chain: str, packet: Packet) -> Sequence[Rule] | None:
        """The rules that a packet may match, in their order; None where there is no such chain."""


class _Frame(NamedTuple):
    """A place in a chain: the rules still to come begin at ``at``."""

    chain: str
    rules: Sequence[Rule]
    at: int
    above: _Frame | None
    depth: int


class _Rest(NamedTuple):
    """What is left of a walk that split: operations of a rule from ``at`` on, ``first`` before them.

    Without a rule it goes on in ``frame``, which is behind the rule.
    """

    walk: Walk
    frame: _Frame
    rule: Rule | None = None
    at: int = 0
    first: Operation | None = None


def follow(table: Rules, chain: str, walk: Walk) -> list[Walk]:
    """All ways through a chain that the kernel calls, in the order of the rules that part them.

    A walk comes out with an ``end``, or with ``accepted`` saying whether a rule accepted it or the chain's
    policy has to decide. Raises TraceError for rules that cannot be followed.
    """
    walk.accepted = False
    rules = table.rules(chain, walk.packet)
    if not rules:
        return [walk]
    done: list[Walk] = []
    todo = [_Rest(walk, _Frame(chain, rules, 0, None, 0))]
    while todo:
        rest = todo.pop()
        _run(table, rest, todo)
        done.append(rest.walk)
        if len(done) + len(todo) > MOST_WALKS:
            raise TraceError(f"more than {MOST_WALKS} ways through {table.name} {chain}")
    return done


def _run(table: Rules, rest: _Rest, todo: list[_Rest]) -> None:
    """Follow one walk to its end, leaving the other sides of its splits in ``todo``."""
    walk = rest.walk
    frame: _Frame | None = rest.frame
    if rest.rule is not None:
        frame = _after(table, walk, rest.frame, _meet(table, rest, todo))
    while frame is not None:
        chain, rules, at, above, depth = frame
        if at == len(rules):
            frame = above
            continue
        following = _Frame(chain, rules, at + 1, above, depth)
        frame = _after(table, walk, following, _meet(table, _Rest(walk, following, rules[at]), todo))


def _after(table: Rules, walk: Walk, frame: _Frame, verdict: Verdict | None) -> _Frame | None:
    """Where a verdict leads from a rule, ``frame`` being the place behind it; None: out of the base chain."""
    if verdict is None:
        return frame
    kind = verdict.kind
    if kind == "return":
        return frame.above
    if kind in ("accept", "end"):
        walk.accepted = kind == "accept"
        return None
    called = table.rules(verdict.chain, walk.packet)
    if called is None:
        raise TraceError(f"{table.name} {frame.chain} calls {verdict.chain}, which is not there")
    if frame.depth >= MOST_DEPTH:
        raise TraceError(f"{table.name} {frame.chain}: chains call each other without end")
    above = frame if kind == "jump" else frame.above
    return _Frame(verdict.chain, called, 0, above, frame.depth + 1)


def _meet(table: Rules, rest: _Rest, todo: list[_Rest]) -> Verdict | None:
    """Try one rule on a walk, from any of its operations; None where the walk goes on behind the rule."""
    walk, frame, rule, at, first = rest
    assert rule is not None
    operations = rule.operations
    met = first is not None and _last_met(walk) == (walk.hook, frame.chain, rule.number)
    while first is not None or at < len(operations):
        if first is not None:
            operation, first = first, None
        else:
            operation = operations[at]
            at += 1
        result = operation(walk)
        if result is True:
            continue
        if result is False:
            return None
        if isinstance(result, Acted):
            if met:
                walk.also(result.effect)
            else:
                walk.step(
                    Step(
                        walk.hook, table.name, frame.chain, rule.number, rule.text, result.effect, frame.depth
                    )
                )
                met = True
            if result.verdict is not None:
                return result.verdict
        elif isinstance(result, Doubt):
            if rule.harmless:
                return None
            known = walk.known(result)
            if known is None:
                _split(result, walk, frame, rule, todo)
            elif not known:
                return None
        else:
            for number, (chance, alternative) in reversed(list(enumerate(result[1:], 1))):
                twin = walk.branch(number, chance)
                todo.append(_Rest(twin, frame, rule, at, alternative))
            chance, first = result[0]
            walk.order += (0,)
            walk.chance *= chance
    return None


def _last_met(walk: Walk) -> tuple[str, str, int] | None:
    if walk.trail is None:
        return None
    step = walk.trail[1]
    return (step.hook, step.chain, step.number)


def _split(doubt: Doubt, walk: Walk, frame: _Frame, rule: Rule, todo: list[_Rest]) -> None:
    """Go on as if the match held, and leave a walk for which it does not."""
    other = walk.branch(1)
    walk.order += (0,)
    if doubt.chance is not None:
        other.chance *= 1 - doubt.chance
        walk.chance *= doubt.chance
    else:
        place = f"{walk.hook} {frame.chain} #{rule.number}"
        so, otherwise = doubt.assumptions
        walk.assume(doubt, True)
        other.assume(doubt, False)
        walk.assumed += (f"{place}: {so}",)
        other.assumed += (f"{place}: {otherwise}",)
    todo.append(_Rest(other, frame))
