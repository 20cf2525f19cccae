"""Resource records and replies."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Rcode: TypeAlias = Literal["NOERROR", "NXDOMAIN", "REFUSED"]
Outcome: TypeAlias = Literal["found", "no such type", "no such name", "not of the cluster"]


class Record(msgspec.Struct, frozen=True, order=True):
    """A record in presentation form: absolute names, data as in a zone file. ``ttl`` is in seconds."""

    owner: str
    type: str
    data: str
    ttl: int = 30


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says to one question: the sections of a DNS message."""

    rcode: Rcode
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What the reply means: a name that is there may have no record of the type asked for."""
        if self.answers:
            return "found"
        match self.rcode:
            case "NXDOMAIN":
                return "no such name"
            case "REFUSED":
                return "not of the cluster"
        return "no such type"
