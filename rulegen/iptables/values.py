"""Values of options as iptables-save prints them: addresses, ports, marks, lists, rates.

Each function takes a value as somebody wrote it and gives the text that iptables 1.8 prints for what the
kernel keeps. A value that is none (a host name, a service name from /etc/services) is given back as it is.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET6, inet_ntop, inet_pton

from rulegen.model import Family

_PROTOCOLS = {
    "0": "", "all": "", "1": "icmp", "2": "igmp", "4": "ipencap", "6": "tcp", "17": "udp", "33": "dccp",
    "41": "ipv6", "47": "gre", "50": "esp", "51": "ah", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp",
    "89": "ospf", "103": "pim", "112": "vrrp", "132": "sctp", "135": "mobility-header",
    "ipv6-mh": "mobility-header", "mh": "mobility-header", "136": "udplite",
}  # fmt: skip
_NUMBERS = {"tcp": "6", "udp": "17", "sctp": "132", "icmp": "1", "udplite": "136", "dccp": "33"}


def protocol(text: str) -> str:
    """A protocol by its name; empty for all of them."""
    name = text.lower()
    return _PROTOCOLS.get(name, name)


def protocol_number(text: str) -> str:
    return _NUMBERS.get(text.lower(), text)


def address(text: str, family: Family) -> str:
    """An address or network with its prefix length, host bits cleared."""
    if "/" not in text:
        if family == "IPv4":
            return f"{text}/32" if text.count(".") == 3 else _network(text, family)
        return f"{ipv6(text)}/128"
    return _network(text, family)


@lru_cache(maxsize=4096)
def ipv6(text: str) -> str:
    """An IPv6 address as inet_ntop(3) of the GNU C library writes it."""
    if not text.startswith("::"):
        try:
            return inet_ntop(AF_INET6, inet_pton(AF_INET6, text))
        except OSError:
            return text
    try:
        value = int(IPv6Address(text))
    except ValueError:
        return text
    if value >> 32 == 0xFFFF:
        return f"::ffff:{IPv4Address(value & 0xFFFFFFFF)}"
    if value >> 16 and not value >> 32:
        return f"::{IPv4Address(value)}"
    return str(IPv6Address(value))


@lru_cache(maxsize=4096)
def _network(text: str, family: Family) -> str:
    host, _, length = text.partition("/")
    bits = 32 if family == "IPv4" else 128
    try:
        if family == "IPv4":
            if host.count(".") < 3:  # iptables takes 10/8 and 127.1 as inet_aton does; networks are meant
                host += ".0" * (3 - host.count("."))
            value = int(IPv4Address(host))
        else:
            value = int(IPv6Address(host))
        mask = _mask(length, bits)
    except ValueError:
        return text
    value &= mask
    shown = str(IPv4Address(value)) if family == "IPv4" else ipv6(str(IPv6Address(value)))
    ones = mask.bit_count()
    if mask == ((1 << bits) - 1) ^ ((1 << (bits - ones)) - 1):
        return f"{shown}/{ones}"
    return f"{shown}/{IPv4Address(mask)}" if family == "IPv4" else f"{shown}/{ipv6(str(IPv6Address(mask)))}"


def _mask(text: str, bits: int) -> int:
    if not text:
        return (1 << bits) - 1
    if text.isdigit():
        ones = int(text)
        if ones > bits:
            raise ValueError(text)
        return ((1 << bits) - 1) ^ ((1 << (bits - ones)) - 1)
    return int(IPv4Address(text)) if bits == 32 else int(IPv6Address(text))


def number(text: str) -> int:
    """A number as strtoul(3) reads it: hexadecimal after 0x, octal after 0. Raises ValueError."""
    if len(text) > 1 and text[0] == "0" and text[1] in "01234567":
        return int(text, 8)
    return int(text, 0)


@lru_cache(maxsize=256)
def mark(text: str) -> str:
    """A mark to compare with, and its mask where it is not all bits."""
    value, _, mask = text.partition("/")
    try:
        bits = number(mask) if mask else 0xFFFFFFFF
        return f"{number(value):#x}" if bits == 0xFFFFFFFF else f"{number(value):#x}/{bits:#x}"
    except ValueError:
        return text


@lru_cache(maxsize=256)
def xmark(option: str, text: str) -> str:
    """What MARK does, as the one form in which the kernel keeps it: ``VALUE/MASK`` of --set-xmark."""
    value_text, _, mask_text = text.partition("/")
    try:
        value = number(value_text)
        mask = number(mask_text) if mask_text else 0xFFFFFFFF
    except ValueError:
        return text
    match option:
        case "--set-mark":
            mask |= value
        case "--or-mark":
            mask = value
        case "--xor-mark":
            mask = 0
        case "--and-mark":
            value, mask = 0, ~value & 0xFFFFFFFF
    return f"{value:#x}/{mask:#x}"


@lru_cache(maxsize=8192)
def probability(text: str) -> str:
    """A probability as the kernel keeps it: in units of 2 ** -31, rounded to the nearest."""
    try:
        units = int(float(text) * 0x80000000 + 0.5)
    except ValueError:
        return text
    return f"{units / 0x80000000:.11f}"


def ports(text: str) -> str:
    """One port, or a range with both its ends."""
    first, colon, last = text.partition(":")
    if not colon:
        return text
    first, last = first or "0", last or "65535"
    return first if first == last else f"{first}:{last}"


_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def tcp_flags(text: str) -> str:
    """The mask and what must be set, in the order of the bits."""
    return " ".join(map(_flags, text.split()))


def _flags(text: str) -> str:
    if text == "ALL":
        return ",".join(_FLAGS)
    given = text.upper().split(",")
    return ",".join(flag for flag in _FLAGS if flag in given) or "NONE"


_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
_TYPES = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE",
    "PROHIBIT", "THROW", "NAT", "XRESOLVE",
)  # fmt: skip


def _listed(text: str, order: tuple[str, ...]) -> str:
    given = text.upper().split(",")
    if any(word not in order for word in given):
        return text
    return ",".join(word for word in order if word in given)


@lru_cache(maxsize=256)
def states(text: str) -> str:
    return _listed(text, _STATES)


@lru_cache(maxsize=256)
def address_types(text: str) -> str:
    return _listed(text, _TYPES)


_REJECTS = {
    "IPv4": {
        "net-unreach": "icmp-net-unreachable", "host-unreach": "icmp-host-unreachable",
        "proto-unreach": "icmp-proto-unreachable", "port-unreach": "icmp-port-unreachable",
        "net-prohib": "icmp-net-prohibited", "host-prohib": "icmp-host-prohibited",
        "tcp-rst": "tcp-reset", "admin-prohib": "icmp-admin-prohibited",
    },
    "IPv6": {
        "no-route": "icmp6-no-route", "adm-prohibited": "icmp6-adm-prohibited",
        "addr-unreach": "icmp6-addr-unreachable", "port-unreach": "icmp6-port-unreachable",
    },
}  # fmt: skip


def reject_with(text: str, family: Family) -> str:
    return _REJECTS[family].get(text, text)


_ICMP = {
    "IPv4": {
        "echo-reply": "0", "pong": "0", "destination-unreachable": "3", "network-unreachable": "3/0",
        "host-unreachable": "3/1", "protocol-unreachable": "3/2", "port-unreachable": "3/3",
        "fragmentation-needed": "3/4", "source-quench": "4", "redirect": "5", "echo-request": "8",
        "ping": "8", "router-advertisement": "9", "router-solicitation": "10", "time-exceeded": "11",
        "ttl-exceeded": "11", "parameter-problem": "12", "timestamp-request": "13", "timestamp-reply": "14",
    },
    "IPv6": {
        "destination-unreachable": "1", "packet-too-big": "2", "time-exceeded": "3", "ttl-exceeded": "3",
        "parameter-problem": "4", "echo-request": "128", "ping": "128", "echo-reply": "129", "pong": "129",
        "router-solicitation": "133", "router-advertisement": "134", "neighbour-solicitation": "135",
        "neighbor-solicitation": "135", "neighbour-advertisement": "136", "neighbor-advertisement": "136",
        "redirect": "137",
    },
}  # fmt: skip


def icmp_type(text: str, family: Family) -> str:
    return _ICMP[family].get(text, text)


_UNITS = (("day", 86400), ("hour", 3600), ("min", 60), ("sec", 1))


def rate(text: str) -> str:
    """A rate of -m limit in the unit in which iptables prints it."""
    count, slash, unit = text.partition("/")
    seconds = next((size for name, size in _UNITS if slash and unit and name.startswith(unit[:3])), None)
    if unit in ("s", "m", "h", "d"):
        seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    if not slash:
        seconds = 1
    if seconds is None or not count.isdigit() or not int(count):
        return text
    period = 10000 * seconds // int(count)
    shown = _UNITS[0]
    for name, size in _UNITS[1:]:
        if period > size * 10000 or (size * 10000 // period) < (size * 10000 % period):
            break
        shown = (name, size)
    return f"{shown[1] * 10000 // period}/{shown[0]}" if period else text


_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_LEVEL_NAMES = {"panic": "0", "error": "3", "warn": "4"} | {name: str(i) for i, name in enumerate(_LEVELS)}


def log_level(text: str) -> str:
    return _LEVEL_NAMES.get(text.lower(), text)


_PLAIN = frozenset("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def quoted(text: str) -> str:
    """A string as iptables-save prints it: in quotes unless it is of letters, digits, ``_`` and ``-``."""
    if text and _PLAIN.issuperset(text):
        return text
    if "\\" in text or '"' in text or "'" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'")
    return f'"{text}"'
