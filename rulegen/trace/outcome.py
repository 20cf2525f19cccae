"""What becomes of a packet, and how it is told."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from rulegen.trace.packet import Packet
from rulegen.trace.walk import Kind, Step


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One way that a packet may take, with everything that led there.

    ``chance`` is exact, given that what is ``assumed`` holds. ``device`` is what the packet leaves by,
    ``hop`` the next router there, empty where the destination itself is on the link. ``answer`` is what the
    sender gets to hear.
    """

    kind: Kind
    why: str
    answer: str
    chance: Fraction
    assumed: tuple[str, ...]
    steps: tuple[Step, ...]
    before: Packet
    after: Packet
    device: str = ""
    hop: str = ""

    @property
    def endpoint(self) -> str:
        """Where rules sent the packet instead of where it was going; empty where they left that alone."""
        before, after = self.before, self.after
        if (before.destination, before.port) == (after.destination, after.port):
            return ""
        return after.to_text

    @property
    def masqueraded(self) -> bool:
        """Whether the other end sees another address than the sender's own."""
        return self.after.source != self.before.source

    @property
    def is_sent_back(self) -> bool:
        """Whether a client on another machine is sent to itself, and would be answered by itself."""
        return self.kind == "forwarded" and self.after.source == self.after.destination


class Connection(msgspec.Struct, frozen=True):
    """A connection that conntrack knows: its packets as they come, and what becomes of them."""

    original: Packet
    translated: Packet
