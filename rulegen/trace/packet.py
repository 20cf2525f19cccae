"""A packet as rules see it, and the addresses in it.

Addresses are numbers here: a lookup compares them with thousands of rules, and text has many forms.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_pton
from typing import Literal, TypeAlias

import msgspec

from rulegen.model import Family
from rulegen.plan.addresses import join_host_port

State: TypeAlias = Literal["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"]
"""What conntrack says of a packet (iptables-extensions(8), ctstate)."""

BITS: dict[Family, int] = {"IPv4": 32, "IPv6": 128}

EPHEMERAL = (32768, 60999)
"""Where Linux takes a client's port from (net.ipv4.ip_local_port_range), unless it binds one."""

NUMBERS: dict[str, int] = {
    "icmp": 1, "igmp": 2, "ipencap": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47, "esp": 50,
    "ah": 51, "ipv6-icmp": 58, "ospf": 89, "pim": 103, "vrrp": 112, "sctp": 132, "udplite": 136,
}  # fmt: skip
"""Protocols by the names that iptables prints."""

NAMES = {number: name for name, number in NUMBERS.items()}
PORTED = frozenset({6, 17, 33, 132, 136})
"""Protocols that have ports."""


@lru_cache(maxsize=65536)
def number(text: str) -> int:
    """An address as a number. Raises ValueError for text that is no address."""
    six = ":" in text
    try:
        return int.from_bytes(inet_pton(AF_INET6 if six else AF_INET, text))
    except OSError:
        # It may have a zone; if not, this knows what is wrong with it.
        return int(IPv6Address(text)) if six else int(IPv4Address(text))


@lru_cache(maxsize=65536)
def shown(value: int, family: Family) -> str:
    """The text of an address."""
    return str(IPv6Address(value)) if family == "IPv6" else str(IPv4Address(value))


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """The first packet of a connection, or an echo request.

    ``protocol`` is its number. ``source_port`` is None for a port that the client's kernel picks, ``port``
    (of the destination) None for a protocol without ports. ``mark`` is that of the packet in the kernel.
    """

    family: Family
    protocol: int
    source: int
    destination: int
    source_port: int | None = None
    port: int | None = None
    mark: int = 0

    @property
    def protocol_name(self) -> str:
        return NAMES.get(self.protocol, str(self.protocol))

    @property
    def from_text(self) -> str:
        """Source address, with its port where that is known."""
        return _with_port(shown(self.source, self.family), self.source_port)

    @property
    def to_text(self) -> str:
        """Destination address and port."""
        return _with_port(shown(self.destination, self.family), self.port)

    @property
    def is_ping(self) -> bool:
        return self.protocol in (1, 58)

    def __str__(self) -> str:
        name = "ping" if self.is_ping else self.protocol_name
        return f"{name} {self.from_text} -> {self.to_text}"


def _with_port(ip: str, port: int | None) -> str:
    return ip if port is None else join_host_port(ip, port)


def packet(source: str, destination: str, port: int | None = None, protocol: str = "tcp") -> Packet:
    """A packet from its texts; ``protocol`` is ``tcp``, ``udp``, ``sctp``, ``icmp`` (for both families)...

    Raises ValueError for what is no address or protocol, and for addresses of two families.
    """
    family: Family = "IPv6" if ":" in destination else "IPv4"
    if (":" in source) != (":" in destination):
        raise ValueError(f"{source} and {destination} are of different families")
    name = protocol.lower()
    if name in ("icmp", "icmpv6", "ping") and family == "IPv6":
        name = "ipv6-icmp"
    elif name == "ping":
        name = "icmp"
    known = NUMBERS.get(name)
    if known is None:
        if not name.isdecimal() or int(name) > 255:
            raise ValueError(f"{protocol!r} is no protocol; known: {', '.join(NUMBERS)}")
        known = int(name)
    if known in PORTED and port is None:
        raise ValueError(f"a {name} packet needs a port: {destination}")
    return Packet(
        family=family,
        protocol=known,
        source=number(source),
        destination=number(destination),
        port=port if known in PORTED else None,
    )
