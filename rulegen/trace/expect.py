"""Expectations of a trace, for tests and CI: ``DNAT 10.10.1.86:80``, ``REJECT``, ``DNAT masqueraded``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rulegen.model.node import Family
from rulegen.plan.addresses import canonical, join_host_port
from rulegen.trace.outcome import Outcome
from rulegen.trace.places import split_port
from rulegen.trace.report import headline, percent
from rulegen.trace.result import Trace

VERDICTS = {
    "DNAT": "sent to an endpoint, by iptables, nftables or IPVS",
    "LOCAL": "taken by the node itself, its destination unchanged",
    "FORWARD": "sent on, its destination unchanged",
    "DROP": "dropped",
    "REJECT": "refused with an answer",
    "UNREACHABLE": "no route",
}
WITHIN = 1e-6


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict, and what else is said of an outcome; None where it does not matter.

    ``endpoint`` is ``IP:PORT``, ``source`` the address that the other end sees, ``share`` the chance of all
    such outcomes together, between 0 and 1. ``only``: there are no outcomes but those that are expected.
    """

    text: str
    verdict: str
    endpoint: str | None = None
    masqueraded: bool | None = None
    source: str | None = None
    share: float | None = None
    only: bool = False

    def meets(self, outcome: Outcome) -> bool:
        if verdict_of(outcome) != self.verdict:
            return False
        if self.endpoint is not None and outcome.endpoint != self.endpoint:
            return False
        if self.masqueraded is not None and outcome.masqueraded is not self.masqueraded:
            return False
        return self.source is None or self.source in (outcome.after.from_text, _source(outcome))


def _source(outcome: Outcome) -> str:
    from rulegen.trace.packet import shown

    return shown(outcome.after.source, outcome.after.family)


def verdict_of(outcome: Outcome) -> str:
    """The verdict of an outcome in the words of expectations; ``UNKNOWN`` where no rule tells it."""
    if outcome.kind in ("local", "forwarded"):
        if outcome.endpoint:
            return "DNAT"
        return "LOCAL" if outcome.kind == "local" else "FORWARD"
    return {"dropped": "DROP", "rejected": "REJECT", "unreachable": "UNREACHABLE"}.get(
        outcome.kind, "UNKNOWN"
    )


def expectation(text: str, family: Family | None = None) -> Expectation:
    """Read an expectation: ``[only] VERDICT [IP:PORT] [masqueraded | kept | source IP] [N%]``.

    Raises ValueError, with what there is, for anything else.
    """
    words = text.replace(",", " ").split()
    only = words[:1] == ["only"]
    words = words[only:]
    if not words or words[0].upper() not in VERDICTS:
        known = "; ".join(f"{name}: {about}" for name, about in VERDICTS.items())
        raise ValueError(f"{text!r}: begins with a verdict ({known})")
    verdict = words[0].upper()
    fields: dict[str, object] = {}
    rest = iter(words[1:])
    for word in rest:
        if word in ("masqueraded", "masquerade", "snat"):
            fields["masqueraded"] = True
        elif word in ("kept", "unmasqueraded"):
            fields["masqueraded"] = False
        elif word == "source":
            value = next(rest, "")
            if value == "kept":
                fields["masqueraded"] = False
            else:
                fields["source"] = _address(text, value)
        elif word.endswith("%"):
            fields["share"] = _share(text, word)
        elif verdict == "DNAT" and "endpoint" not in fields:
            ip, port = split_port(word)
            plain = canonical(ip)
            if plain is None or port is None:
                raise ValueError(f"{text!r}: {word!r} is no IP:PORT")
            fields["endpoint"] = join_host_port(plain, port)
        else:
            raise ValueError(f"{text!r}: {word!r} is not understood")
    return Expectation(text=text, verdict=verdict, only=only, **fields)  # type: ignore[arg-type]


def _address(text: str, value: str) -> str:
    ip, port = split_port(value)
    plain = canonical(ip)
    if plain is None:
        raise ValueError(f"{text!r}: source is followed by an address, or by kept")
    return plain if port is None else join_host_port(plain, port)


def _share(text: str, word: str) -> float:
    try:
        share = float(word[:-1]) / 100
    except ValueError:
        raise ValueError(f"{text!r}: {word!r} is no share") from None
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r}: a share is between 0% and 100%")
    return share


def expectations_of(trace: Trace) -> list[str]:
    """What to expect of a packet so that this trace is as expected, one text for each kind of outcome.

    Raises ValueError where outcomes depend on what no rule tells: that is nothing to expect.
    """
    found: dict[str, float] = {}
    for outcome in trace.outcomes:
        verdict = verdict_of(outcome)
        if verdict == "UNKNOWN" or outcome.assumed:
            why = "; ".join(outcome.assumed) or outcome.why
            raise ValueError(f"what becomes of it depends on what no rule tells ({why})")
        text = f"{verdict} {outcome.endpoint}" if verdict == "DNAT" else verdict
        if verdict in ("DNAT", "FORWARD"):
            source = "masqueraded" if outcome.masqueraded else "source kept"
            text = f"{text} {source}"
        found[text] = found.get(text, 0.0) + float(outcome.chance)
    if len(found) == 1:
        return list(found)
    return [f"{text} {share * 100:.4g}%" for text, share in found.items()]


def unmet(trace: Trace, expected: Sequence[Expectation]) -> list[str]:
    """What is not as expected, one line each; empty where everything is.

    Every expectation is met by some outcome, with its share where it has one, and every outcome has one of
    the verdicts that are expected. Where one of them says ``only``, every outcome meets one of them.
    """
    problems = []
    for each in expected:
        met = [outcome for outcome in trace.outcomes if each.meets(outcome)]
        if not met:
            problems.append(f"expected {each.text}: no outcome is like that")
        elif each.share is not None:
            share = sum(float(outcome.chance) for outcome in met)
            # A share is given as somebody writes it, with the digits that are shown.
            if abs(share - each.share) > max(WITHIN, 0.0006):
                problems.append(f"expected {each.text}: it is {share * 100:.4g}%")
    exact = any(each.only for each in expected)
    verdicts = {each.verdict for each in expected}
    for outcome in trace.outcomes if expected else ():
        known = any(each.meets(outcome) for each in expected) if exact else verdict_of(outcome) in verdicts
        if not known:
            problems.append(f"not expected: {percent(outcome)} {headline(trace, outcome)}")
    return problems
