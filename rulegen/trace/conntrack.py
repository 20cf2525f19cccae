"""Connections that conntrack knows, from what ``conntrack -L`` or /proc/net/nf_conntrack prints."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from rulegen.model import Family
from rulegen.trace.outcome import Connection
from rulegen.trace.packet import NUMBERS, PORTED, Packet, number

_TUPLE = re.compile(r"src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?")


def read(text: str) -> list[Connection]:
    """All connections of a listing. Raises ValueError for a line that is none."""
    found = []
    for line_number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("conntrack v"):
            continue
        connection = _connection(line)
        if connection is None:
            raise ValueError(f"line {line_number}: not a connection of conntrack -L: {line.strip()!r}")
        found.append(connection)
    return found


def _connection(line: str) -> Connection | None:
    tuples = _TUPLE.findall(line)
    words = line.split()
    if words[:1] and words[0] in ("ipv4", "ipv6"):
        words = words[2:]
    if len(tuples) != 2 or not words:
        return None
    protocol = NUMBERS.get(words[0]) or (58 if words[0] == "icmpv6" else None)
    if protocol is None:
        if len(words) < 2 or not words[1].isdecimal():
            return None
        protocol = int(words[1])
    (source, destination, sport, dport), (reply_from, reply_to, reply_sport, reply_dport) = tuples
    family: Family = "IPv6" if ":" in source else "IPv4"
    ported = protocol in PORTED
    original = Packet(
        family=family,
        protocol=protocol,
        source=number(source),
        destination=number(destination),
        source_port=int(sport) if ported and sport else None,
        port=int(dport) if ported and dport else None,
    )
    # Replies come from where the packets go in the end, to where they seem to come from.
    translated = msgspec.structs.replace(
        original,
        source=number(reply_to),
        destination=number(reply_from),
        source_port=int(reply_dport) if ported and reply_dport else None,
        port=int(reply_sport) if ported and reply_sport else None,
    )
    return Connection(original, translated)


def matching(connections: Sequence[Connection], packet: Packet) -> Connection | None:
    """The connection that a packet belongs to; with a source port that is not known, any of its client."""
    for connection in connections:
        own = connection.original
        if (own.protocol, own.source, own.destination, own.port) == (
            packet.protocol,
            packet.source,
            packet.destination,
            packet.port,
        ) and packet.source_port in (None, own.source_port):
            return connection
    return None
