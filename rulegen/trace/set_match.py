"""The match ``set`` of iptables (iptables-extensions(8)): whether a packet is in an ipset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rulegen.trace.facts import Facts
from rulegen.trace.ipsets import ANY_PROTOCOL, Ipset
from rulegen.trace.packet import PORTED, Packet
from rulegen.trace.walk import Doubt, Operation, Walk


def in_set(name: str, directions: str, facts: Facts) -> Operation:
    """Whether the packet's ``src`` or ``dst``, one for each part of the set's entries, are in a set."""
    doubt = Doubt(f"set {name} {directions} (no listing has that set)", lasting=True)
    if facts.sets is None or name not in facts.sets:
        return lambda walk: doubt
    found, sides = facts.sets[name], directions.split(",")

    def match(walk: Walk) -> bool | Doubt:
        held = _holds(found, sides, walk, facts.sets or {})
        return Doubt(f"set {name} {directions}", lasting=True) if held is None else held

    return match


def _holds(found: Ipset, sides: Sequence[str], walk: Walk, sets: Mapping[str, Ipset]) -> bool | None:
    if found.kinds == ("set",):
        results = [_holds(sets[name], sides, walk, sets) for name in found.members if name in sets]
        if any(results):
            return True
        return None if None in results or len(results) < len(found.members) else False
    packet = walk.packet
    asked: list[object] = []
    if found.family != packet.family and found.kinds != ("port",):
        return False
    for kind, side in zip(found.kinds, sides, strict=False):
        of_source = side == "src"
        if kind in ("ip", "net"):
            asked.append(packet.source if of_source else packet.destination)
        elif kind == "port":
            port = _port_in_set(packet, of_source=of_source)
            if port is False or (not found.has_protocols and packet.protocol not in (6, 17)):
                return False
            protocol_in_set = packet.protocol if found.has_protocols else ANY_PROTOCOL
            asked.append(None if port is None else (protocol_in_set, port))
        elif kind == "iface":
            asked.append(walk.entry if of_source else walk.exit)
        elif kind == "mark":
            asked.append(packet.mark)
        else:
            asked.append(None)
    if len(asked) < len(found.kinds):
        return False
    return found.holds(asked)


def _port_in_set(packet: Packet, *, of_source: bool) -> int | Literal[False] | None:
    """The port that sets see: of a ping its type and code; None where not known, False where none."""
    if packet.protocol in (1, 58):
        return 8 << 8 if packet.protocol == 1 else 128 << 8
    if packet.protocol not in PORTED:
        return False
    return packet.source_port if of_source else packet.port
