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
    such outcomes together, between 0 and 1.
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
        raise ValueError(f"--expect {text!r}: begins with a verdict ({known})")
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
                fields["source"] = canonical(value) or value
        elif word.endswith("%"):
            fields["share"] = _share(text, word)
        elif verdict == "DNAT" and "endpoint" not in fields:
            ip, port = split_port(word)
            plain = canonical(ip)
            if plain is None or port is None:
                raise ValueError(f"--expect {text!r}: {word!r} is no IP:PORT")
            fields["endpoint"] = join_host_port(plain, port)
        else:
            raise ValueError(f"--expect {text!r}: {word!r} is not understood")
    return Expectation(text=text, verdict=verdict, only=only, **fields)  # type: ignore[arg-type]


def _share(text: str, word: str) -> float:
    try:
        share = float(word[:-1]) / 100
    except ValueError:
        raise ValueError(f"--expect {text!r}: {word!r} is no share") from None
    if not 0 <= share <= 1:
        raise ValueError(f"--expect {text!r}: a share is between 0% and 100%")
    return share


def unmet(trace: Trace, expected: Sequence[Expectation]) -> list[str]:
    """What is not as expected, one line each; empty where everything is.

    Every expectation is met by some outcome (``only``: by all), with its share where it has one, and every
    outcome has one of the verdicts that are expected.
    """
    problems = []
    for each in expected:
        met = [outcome for outcome in trace.outcomes if each.meets(outcome)]
        if not met:
            problems.append(f"expected {each.text}: no outcome is like that")
        elif each.only and len(met) < len(trace.outcomes):
            problems.append(f"expected {each.text}: there are others")
        elif each.share is not None:
            share = sum(float(outcome.chance) for outcome in met)
            # A share is given as somebody writes it, with the digits that are shown.
            if abs(share - each.share) > max(WITHIN, 0.0006):
                problems.append(f"expected {each.text}: it is {share * 100:.4g}%")
    verdicts = {each.verdict for each in expected}
    if expected:
        problems += [
            f"not expected: {percent(outcome)} {headline(trace, outcome)}"
            for outcome in trace.outcomes
            if verdict_of(outcome) not in verdicts
        ]
    return problems
