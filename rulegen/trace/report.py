"""A trace in words: the answer first, then the path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from rulegen.trace.outcome import Outcome
from rulegen.trace.packet import Packet, shown
from rulegen.trace.result import Endpoint, Trace
from rulegen.trace.walk import Step

_COMMENT = re.compile(r'comment (?:"((?:[^"\\]|\\.)*)"|([^\s"-]\S*))')
_CALL = "go to "


def percent(outcome: Outcome) -> str:
    share = float(outcome.chance) * 100
    return f"{share:.1f}%" if share >= 0.1 or not share else "<0.1%"


def headline(trace: Trace, outcome: Outcome) -> str:
    """What becomes of the packet, in one line."""
    match outcome.kind:
        case "rejected":
            return f"REJECT{_reason(outcome)}: refused ({outcome.answer})"
        case "dropped":
            return f"DROP{_reason(outcome)}: no answer"
        case "unreachable":
            return f"unreachable: {outcome.why} ({outcome.answer})"
        case "unknown":
            return f"unknown: {outcome.why}"
    where = _where(trace, outcome)
    if not outcome.endpoint:
        if outcome.kind == "local" and outcome.after.is_ping:
            return "answered by this node itself"
        if outcome.kind == "local":
            port = "" if outcome.after.port is None else f", port {outcome.after.port}"
            return f"for this node itself{port}: no rule sends it elsewhere"
        nobody = "" if trace.arrives(outcome) else ", but no machine has that address"
        return f"{where}, destination unchanged{nobody}, {_source(outcome)}"
    who = trace.endpoints.get(outcome.endpoint, Endpoint())
    pod = f" (pod {who.pod})" if who.pod else ""
    how = "IPVS" if any(step.table == "ipvs" for step in outcome.steps) else "DNAT"
    back = ": it drops what comes from its own address" if outcome.is_sent_back else ""
    return f"{how} to {outcome.endpoint}{pod}, {where}, {_source(outcome)}{back}"


def _where(trace: Trace, outcome: Outcome) -> str:
    if outcome.kind == "local":
        return "taken by this node itself"
    who = trace.endpoints.get(outcome.endpoint, Endpoint())
    if who.here:
        return "delivered on this node"
    if who.node and outcome.endpoint:
        return f"forwarded to node {who.node}"
    hop = f" via {outcome.hop}" if outcome.hop else ""
    return f"leaves by {outcome.device}{hop}"


def _source(outcome: Outcome) -> str:
    if not outcome.masqueraded:
        return "source kept"
    return f"source becomes {shown(outcome.after.source, outcome.after.family)}"


def _reason(outcome: Outcome) -> str:
    """What the comment of the last rule says, or what else ended the way."""
    last = outcome.steps[-1] if outcome.steps else None
    if last is not None and last.number:
        comment = comment_of(last.rule)
        return f' "{comment}"' if comment else ""
    return f" ({outcome.why})"


def comment_of(rule: str) -> str:
    match = _COMMENT.search(rule)
    return (match[1] or match[2] or "") if match is not None else ""


class Run(msgspec.Struct, frozen=True):
    """Rules that call each other, and what the last one does."""

    hook: str
    table: str
    path: tuple[str, ...]
    effect: str


def runs(steps: Sequence[Step]) -> Iterator[Run]:
    """Steps, those that only call the next one's chain joined with it."""
    path: list[str] = []
    for index, step in enumerate(steps):
        path.append(_place(step))
        following = steps[index + 1] if index + 1 < len(steps) else None
        called = step.effect.removeprefix(_CALL) if step.effect.startswith(_CALL) else ""
        if (
            called
            and following is not None
            and (following.hook, following.table, following.chain)
            == (
                step.hook,
                step.table,
                called,
            )
        ):
            continue
        if called:
            path.append(called)
        yield Run(step.hook, step.table, tuple(path), "" if called else step.effect)
        path = []


def _place(step: Step) -> str:
    chain = "" if step.chain == step.hook else f"{step.chain} "
    return f"{chain}#{step.number}" if step.number else f"{step.chain}: {step.rule}"


def path_lines(steps: Sequence[Step], width: int, indent: str = "", *, goes_on: bool = False) -> list[str]:
    """The path, one run a line, under the names of tables and hooks.

    Chains that were called and had nothing for the packet are left out; with ``goes_on`` not the last one,
    where the path parts.
    """
    found = list(runs(steps))
    kept = [run for run in found[:-1] if run.effect] + [run for run in found[-1:] if run.effect or goes_on]
    rows = [(f"{run.table} {run.hook}", run) for run in kept]
    column = max((len(label) for label, _ in rows), default=0)
    lines: list[str] = []
    before = ""
    for label, run in rows:
        head = indent + (label if label != before else "").ljust(column) + "  "
        before = label
        pieces = [*run.path]
        if run.effect:
            pieces[-1] += f"  {run.effect}"
        lines += _wrapped(head, pieces, width)
    return lines


def _wrapped(head: str, pieces: Sequence[str], width: int) -> list[str]:
    lines = [head + pieces[0]]
    for piece in pieces[1:]:
        if len(lines[-1]) + 4 + len(piece) > width and len(lines[-1]) > len(head):
            lines.append(" " * len(head) + f"-> {piece}")
        else:
            lines[-1] += f" -> {piece}"
    return lines


def tree(trace: Trace, width: int = 110) -> str:
    """What all outcomes begin with, each outcome with its own part of the path, what all end with."""
    outcomes = trace.outcomes
    lines = [_title(trace)]
    if len(outcomes) == 1:
        lines += path_lines(outcomes[0].steps, width)
        lines += ["  " + line for line in _outcome_lines(trace, outcomes[0], with_chance=False)]
        return "\n".join([*lines, *trace.remarks]) + "\n"
    paths = [outcome.steps for outcome in outcomes]
    first = _shared(paths)
    last = _shared([path[first:][::-1] for path in paths])
    lines += path_lines(paths[0][:first], width, goes_on=True)
    with_chance = any(outcome.chance != 1 for outcome in outcomes)
    for outcome, path in zip(outcomes, paths, strict=True):
        lines += ["  " + line for line in _outcome_lines(trace, outcome, with_chance=with_chance)]
        lines += path_lines(path[first : len(path) - last], width, " " * 10)
    if last:
        lines += path_lines(paths[0][-last:], width)
    return "\n".join([*lines, *trace.remarks]) + "\n"


def _shared(paths: Sequence[Sequence[Step]]) -> int:
    """How many steps all paths begin with."""
    first = paths[0]
    length = min(map(len, paths))
    for path in paths[1:]:
        while first[:length] != path[:length]:
            length = next(i for i in range(length) if first[i] != path[i])
    return length


def _title(trace: Trace) -> str:
    if trace.entry == "":
        return f"{trace.packet}, sent by this node"
    by = trace.entry if trace.entry is not None else "a device that is not known"
    return f"{trace.packet}, in by {by}"


def _outcome_lines(trace: Trace, outcome: Outcome, *, with_chance: bool) -> list[str]:
    told = headline(trace, outcome)
    lines = [f"{percent(outcome):>6}  {told}" if with_chance else told]
    indent = " " * 8 if with_chance else ""
    return [*lines, *[f"{indent}if {text}" for text in outcome.assumed]]


def short(trace: Trace) -> str:
    """One line an outcome: its chance, where it leads, by which chains."""
    lines = []
    for outcome in trace.outcomes:
        if outcome.endpoint and outcome.kind in ("local", "forwarded"):
            chains = [step.chain for step in outcome.steps if step.chain != step.hook]
            services = [chain for chain in dict.fromkeys(chains) if _is_own(chain)]
            via = f" via {' -> '.join(services)}" if services else ""
            back = ": it drops what comes from its own address" if outcome.is_sent_back else ""
            told = f"-> {outcome.endpoint}{via}, {_source(outcome)}{back}"
        else:
            told = headline(trace, outcome)
        assumed = "".join(f"; if {text}" for text in outcome.assumed)
        lines.append(f"{percent(outcome)} {told}{assumed}")
    return "\n".join([*lines, *trace.remarks]) + "\n"


_OWN = re.compile(
    r"KUBE-(?:SVC|SVL|EXT|FW|SEP|XLB)-|(?:service|external|local|firewall|endpoint)-\w{8}-|\[?[\da-f.:]+]?:\d+$"
)


def _is_own(chain: str) -> bool:
    """A chain (or virtual server) of one Service."""
    return _OWN.match(chain) is not None


def as_data(trace: Trace) -> dict[str, Any]:
    return {
        "packet": _packet(trace.packet),
        "inInterface": trace.entry,
        "delivered": trace.delivered,
        "outcomes": [_outcome(trace, outcome) for outcome in trace.outcomes],
        "remarks": list(trace.remarks),
    }


def _outcome(trace: Trace, outcome: Outcome) -> dict[str, Any]:
    who = trace.endpoints.get(outcome.endpoint, Endpoint())
    return {
        "probability": float(outcome.chance),
        "exactly": str(outcome.chance) if outcome.chance.denominator < 1 << 64 else None,
        "assumed": list(outcome.assumed),
        "verdict": outcome.kind,
        "delivered": trace.arrives(outcome),
        "why": outcome.why,
        "answer": outcome.answer,
        "endpoint": outcome.endpoint,
        "pod": who.pod,
        "node": who.node,
        "masqueraded": outcome.masqueraded,
        "outInterface": outcome.device,
        "nextHop": outcome.hop,
        "before": _packet(outcome.before),
        "after": _packet(outcome.after),
        "path": [msgspec.to_builtins(step) for step in outcome.steps],
    }


def _packet(packet: Packet) -> dict[str, Any]:
    return {
        "family": packet.family,
        "protocol": packet.protocol_name,
        "source": shown(packet.source, packet.family),
        "sourcePort": packet.source_port,
        "destination": shown(packet.destination, packet.family),
        "port": packet.port,
        "mark": packet.mark,
    }
