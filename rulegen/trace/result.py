"""A trace as a whole: the packet, everything that can become of it, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rulegen.trace.outcome import Outcome
from rulegen.trace.packet import Packet


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind an ``ip:port``, as far as objects tell; ``here`` is None where they do not say."""

    pod: str = ""
    node: str = ""
    here: bool | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """All outcomes of a packet, the likelier path first met first.

    ``entry`` is the device that it came in by (``""``: the node's own packet). ``endpoints`` says who is
    behind an address, ``virtual`` are the addresses that only Services have, ``remarks`` are said of the
    whole, one sentence each.
    """

    packet: Packet
    entry: str | None
    outcomes: tuple[Outcome, ...]
    endpoints: Mapping[str, Endpoint] = {}
    virtual: frozenset[int] = frozenset()
    remarks: tuple[str, ...] = ()

    def arrives(self, outcome: Outcome) -> bool:
        """Whether an outcome is a delivery.

        An address that only Services have is nobody's on the wire, and who is sent to itself drops what
        comes from its own address.
        """
        if outcome.kind == "local":
            return True
        if outcome.kind != "forwarded" or outcome.is_sent_back:
            return False
        return outcome.after.destination not in self.virtual

    @property
    def delivered(self) -> bool:
        """Whether the packet arrives, whatever chance and assumptions make of it."""
        return all(self.arrives(outcome) for outcome in self.outcomes)

    def data(self) -> dict[str, Any]:
        """The trace as plain data (``-o json``); probabilities as numbers and, exactly, as fractions."""
        from rulegen.trace.report import as_data

        return as_data(self)

    def text(self, form: str = "tree", width: int = 110) -> str:
        """The trace for people: ``tree``, with every path, or ``short``, one line an outcome."""
        from rulegen.trace.report import short, tree

        return tree(self, width) if form == "tree" else short(self)

    def __str__(self) -> str:
        return self.text("short")
