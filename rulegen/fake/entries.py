"""Entries of ipsets: what the tool and the kernel take, and how both print it (ipset 7.17, Linux 6).

A kind of set is a list of parts. Ranges of addresses, networks where hosts are meant, and ranges of ports are
as many entries as they hold.
"""

from __future__ import annotations

import ipaddress
import shlex
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from rulegen.model import Family

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132, "udplite": 136}
"""Protocols with ports. Others (icmp and such) are not known here."""

_NAMES = {number: name for name, number in PROTOCOLS.items()}
_PORTS = 65535
_BITS: Mapping[Family, int] = {"IPv4": 32, "IPv6": 128}


_TOOLS_BUG = (
    "There are not allowed options (28) but can't resolve them. It's a bug, please report the problem."
)
"""What ipset 7.17 says to a second address with the length of a host."""


class Kind(msgspec.Struct, frozen=True):
    """A type of sets. ``ip`` may be a range, ``host`` may not; ``bit`` is a port without a protocol.

    ``revision`` is what ``ipset list`` says.
    """

    name: str
    parts: tuple[str, ...]
    revision: int

    @property
    def hashes(self) -> bool:
        return self.name.startswith("hash:")


KINDS = {
    kind.name: kind
    for kind in (
        Kind("hash:ip", ("ip",), 6),
        Kind("hash:net", ("net",), 7),
        Kind("hash:ip,port", ("ip", "port"), 7),
        Kind("hash:net,port", ("net", "port"), 8),
        Kind("hash:ip,port,ip", ("ip", "port", "host"), 6),
        Kind("hash:ip,port,net", ("ip", "port", "net"), 8),
        Kind("bitmap:port", ("bit",), 3),
        Kind("list:set", ("set",), 3),
    )
}
"""The types that there are here; a kernel has more."""


class SyntaxFaultError(ValueError):
    """What the tool itself refuses, before the kernel is asked."""


def split(line: str) -> list[str]:
    """The words of a line for ``ipset restore``, without the quotes of comments."""
    return shlex.split(line) if '"' in line else line.split()


def expanded(kind: Kind, family: Family, text: str) -> Iterator[str]:
    """The entries that a text stands for, as ``ipset save`` prints them.

    Raises SyntaxFaultError for what is none.
    """
    given = text.split(",")
    if len(given) > len(kind.parts):
        raise SyntaxFaultError(_too_many(kind, text))
    if len(given) < len(kind.parts):
        missing = ("Second", "Third")[len(given) - 1]
        raise SyntaxFaultError(f"Syntax error: {missing} element is missing from {text}.")
    found = [_part(part, piece, family) for part, piece in zip(kind.parts, given, strict=True)]
    return (",".join(values) for values in _product(found))


def _product(parts: Sequence[Iterable[str]]) -> Iterator[tuple[str, ...]]:
    """As itertools.product, one by one: a network may have millions of addresses, and a set room for few."""
    if not parts:
        yield ()
        return
    for value in parts[0]:
        for rest in _product(parts[1:]):
            yield (value, *rest)


def _too_many(kind: Kind, text: str) -> str:
    if kind.parts == ("set",):
        return "you must specify elements as setname,[before|after],setname"
    seen, most = ("Elem separator", "Two elem separators", "Three elem separators"), ("none", "one", "two")
    count = len(kind.parts) - 1
    return f"Syntax error: {seen[count]} in {text}, but settype {kind.name} supports {most[count]}."


def _part(part: str, text: str, family: Family) -> Iterable[str]:
    match part:
        case "ip":
            return _addresses(text, family, ranges=family == "IPv4")
        case "host":
            if text.endswith(f"/{_BITS[family]}"):
                raise SyntaxFaultError(_TOOLS_BUG)
            return _addresses(text, family, ranges=False)
        case "net":
            return _networks(text, family)
        case "port":
            protocol, numbers = _ports(text)
            return [f"{protocol}:{number}" for number in numbers]
        case "bit":
            protocol, numbers = _ports(text)
            if protocol not in ("tcp", "udp"):
                raise SyntaxFaultError("Syntax error: Only protocols TCP and UDP are valid")
            return [str(number) for number in numbers]
    return [text]


def _addresses(text: str, family: Family, *, ranges: bool) -> Iterable[str]:
    plain = text.strip("[]")
    if "/" in plain or "-" in plain:
        if plain.endswith(f"/{_BITS[family]}"):
            return [_address(plain.partition("/")[0], family)]
        if not ranges:
            raise SyntaxFaultError(f"Syntax error: plain IP address must be supplied: {text}")
        return _Addresses(_summary(plain, family))
    return [_address(plain, family)]


class _Addresses:
    """The addresses of networks; one without a length is told as it is, for the kernel to refuse it."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = networks

    def __iter__(self) -> Iterator[str]:
        for net in self._networks:
            yield from map(str, net if net.prefixlen else [net])


def _networks(text: str, family: Family) -> Sequence[str]:
    return [
        str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)
        for net in _summary(text.strip("[]"), family)
    ]


def _summary(text: str, family: Family) -> list[Network]:
    """The networks that a network, a range or an address is made of."""
    first, dash, last = text.partition("-")
    if dash:
        if family == "IPv6":
            raise SyntaxFaultError(f"Syntax error: IP address or IP/cidr must be specified: {text}")
        low, high = sorted(_value(each, family) for each in (first, last))
        ends = ipaddress.IPv4Address(low), ipaddress.IPv4Address(high)
        return list(ipaddress.summarize_address_range(*ends))
    ip, slash, length = text.partition("/")
    bits = _BITS[family]
    number = _within(length, bits) if slash else bits
    value = _value(ip, family) >> (bits - number) << (bits - number)
    if family == "IPv4":
        return [ipaddress.IPv4Network((value, number))]
    return [ipaddress.IPv6Network((value, number))]


def _address(text: str, family: Family) -> str:
    value = _value(text, family)
    return str(ipaddress.IPv4Address(value) if family == "IPv4" else ipaddress.IPv6Address(value))


def _value(text: str, family: Family) -> int:
    """An address as a number, as getaddrinfo(3) reads numeric ones; names are not looked up."""
    try:
        if family == "IPv6":
            return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")
        return int.from_bytes(socket.inet_aton(text), "big")
    except OSError:
        raise SyntaxFaultError(
            f"Syntax error: cannot parse {text}: resolving to {family} address failed"
        ) from None


def _ports(text: str) -> tuple[str, Sequence[int]]:
    """The protocol, and the ports of a port or a range of them."""
    name, colon, numbers = text.partition(":")
    if not name or not colon:
        name, colon, numbers = "", "", text
    protocol = (_NAMES.get(int(name)) if name.isdecimal() else name.lower()) if colon else "tcp"
    if protocol not in PROTOCOLS:
        raise SyntaxFaultError(f"Syntax error: cannot parse '{name}' as a protocol")
    first, dash, last = numbers.partition("-") if numbers[:1] != "-" else (numbers, "", "")
    end = _port(last) if dash else _port(first)
    low, high = sorted((_port(first), end))
    return protocol, range(low, high + 1)


def _port(text: str) -> int:
    try:
        return _within(text, _PORTS)
    except SyntaxFaultError as fault:
        raise SyntaxFaultError(
            f"{fault}\nSyntax error: 'tcp' is invalid as number\ncannot parse '{text}' as a tcp port"
        ) from None


def _within(text: str, most: int) -> int:
    """A number of the tool's. Raises SyntaxFaultError."""
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdecimal():
        raise SyntaxFaultError(f"Syntax error: '{text}' is invalid as number")
    if not 0 <= int(text) <= most:
        raise SyntaxFaultError(f"Syntax error: '{text}' is out of range 0-{most}")
    return int(text)


def number(text: str, most: int = 0xFFFFFFFF) -> int:
    """A number in the options of a set, also a hexadecimal one. Raises SyntaxFaultError."""
    if text.startswith("0x"):
        try:
            return int(text, 16)
        except ValueError:
            raise SyntaxFaultError(f"Syntax error: '{text}' is invalid as number") from None
    return _within(text, most)


def span(text: str) -> tuple[int, int]:
    """The ports of a bitmap. Raises SyntaxFaultError."""
    numbers = _ports(text)[1]
    return numbers[0], numbers[-1]
