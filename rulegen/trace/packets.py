"""Packets whose outcome is expected, checked by tracing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from rulegen.load.packets import Expected
from rulegen.load.problems import LoadError, Problem
from rulegen.model import Family
from rulegen.trace.ask import QuestionError
from rulegen.trace.expect import expectation, expectations_of, unmet
from rulegen.trace.result import Trace
from rulegen.trace.tracer import Tracer


class Checked(msgspec.Struct, frozen=True):
    """A packet with its trace, and what is not as expected, one line each."""

    packet: Expected
    trace: Trace
    problems: tuple[str, ...]

    def text(self, width: int = 110) -> str:
        """What differs, with the whole path below it."""
        where = f"{self.packet.file}:{self.packet.line}: {self.packet.title}"
        path = self.trace.text("tree", width).splitlines()
        return "\n".join([*[f"{where}: {each}" for each in self.problems], *[f"  {line}" for line in path]])

    def anew(self) -> list[str]:
        """What to expect instead. Raises ValueError where that cannot be said."""
        if self.packet.place is None:
            raise ValueError("its expectations are an alias of something elsewhere in the file")
        return expectations_of(self.trace)


def applicable(packets: Iterable[Expected], mode: str, family: Family) -> list[Expected]:
    """The packets that are for the rules of a mode and family."""
    return [
        packet
        for packet in packets
        if (not packet.modes or mode in packet.modes) and packet.family in (None, family)
    ]


def check(tracer: Tracer, packets: Sequence[Expected], family: Family) -> list[Checked]:
    """Trace packets, each beside its expectations; one without any is nowhere as expected.

    Raises LoadError with all packets and expectations that cannot be understood, ValueError for rules that
    cannot be read.
    """
    faults: list[Problem] = []
    found = []
    for packet in packets:
        expected = []
        for text in packet.expect:
            try:
                expected.append(expectation(text))
            except ValueError as fault:
                faults.append(packet.problem("expect", f"Invalid value: {fault}"))
        try:
            trace = tracer.trace(
                packet.source,
                packet.to,
                family=family,
                protocol=packet.protocol,
                interface=packet.interface,
                state=packet.state,  # type: ignore[arg-type]
            )
        except QuestionError as fault:
            faults.append(_of_question(packet, fault, family))
            continue
        problems = unmet(trace, expected) if packet.expect else ["expect: Required value"]
        found.append(Checked(packet, trace, tuple(problems)))
    if faults:
        raise LoadError(faults)
    return found


def _of_question(packet: Expected, fault: QuestionError, family: Family) -> Problem:
    """A question that cannot be asked, in the words of the file instead of those of the command line."""
    message = str(fault)
    written = {"from": packet.source, "to": packet.to}.get(fault.field)
    if written is not None:
        return packet.problem(
            fault.field, f'Invalid value: "{written}": {message.removeprefix(f"--{fault.field} {written}: ")}'
        )
    if fault.field == "family" and packet.family is None:
        message += f" (these are the rules of {family}: the field family says for which ones a packet is)"
    return packet.problem(fault.field, message)
