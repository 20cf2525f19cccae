"""IP addresses and CIDRs as Go's ``net`` package reads and prints them.

Kubernetes keeps addresses as text, in old objects also with leading zeros (``010.0.0.1``) or as IPv4-mapped
IPv6 (``::ffff:10.0.0.1``). kube-proxy reads them with ``netutils.ParseIPSloppy`` and prints them in one
canonical form (RFC 5952); rules hold that form.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TypeAlias

from rulegen.model.node import Family

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


def canonical(text: str) -> str | None:
    """The canonical text of an IP address, or None where ``text`` is none."""
    if ":" not in text:
        try:
            inet_pton(AF_INET, text)
        except (OSError, ValueError):
            return _without_leading_zeros(text)
        return text
    try:
        packed = inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return None
    if packed.startswith(b"\0" * 10):
        # The C library prints IPv4-mapped and IPv4-compatible addresses in another form than Go does.
        address = IPv6Address(packed)
        return str(address.ipv4_mapped or _hexadecimal(packed))
    return inet_ntop(AF_INET6, packed)


def _without_leading_zeros(text: str) -> str | None:
    parts = text.split(".")
    if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) <= 32 for p in parts):
        return None
    numbers = [int(p) for p in parts]
    return ".".join(map(str, numbers)) if max(numbers) <= 255 else None


def _hexadecimal(packed: bytes) -> str:
    low, high = int.from_bytes(packed[12:14], "big"), int.from_bytes(packed[14:16], "big")
    middle = int.from_bytes(packed[10:12], "big")
    if middle:
        return f"::{middle:x}:{low:x}:{high:x}"
    if low:
        return f"::{low:x}:{high:x}"
    return f"::{high:x}" if high else "::"


def parse(text: str) -> Address | None:
    """The address that ``text`` names (IPv4-mapped IPv6 counts as IPv4), or None."""
    plain = canonical(text)
    return None if plain is None else ip_address(plain)


def family_of(text: str) -> Family | None:
    """``IPv4`` or ``IPv6``, or None where ``text`` is no address."""
    plain = canonical(text)
    if plain is None:
        return None
    return "IPv6" if ":" in plain else "IPv4"


@lru_cache(maxsize=4096)
def network(text: str) -> Network | None:
    """The network of a CIDR, host bits cleared, surrounding blanks ignored; None where ``text`` is none."""
    ip, slash, length = text.strip().partition("/")
    if not slash or not (length.isascii() and length.isdigit()) or len(length) > 3:
        return None
    if ":" in ip and ip.lower().startswith("::ffff:") and "." in ip:
        return None  # neither family to kube-proxy (netutils.IPFamilyOfCIDR)
    plain = canonical(ip)
    if plain is None:
        return None
    bits = int(length)
    if ":" in plain:
        return IPv6Network((plain, bits), strict=False) if bits <= 128 else None
    return IPv4Network((plain, bits), strict=False) if bits <= 32 else None


def networks_of(texts: tuple[str, ...] | list[str], family: Family) -> list[Network]:
    """The CIDRs of one family, in order; what is no CIDR is passed over, as kube-proxy does."""
    version = 4 if family == "IPv4" else 6
    found = (network(text) for text in texts)
    return [net for net in found if net is not None and net.version == version]


def contains(net: Network, address: Address) -> bool:
    """Whether ``address`` is of the network's family and inside it."""
    return net.version == address.version and address in net


def join_host_port(ip: str, port: int) -> str:
    """``10.0.0.1:80`` or ``[fd00::1]:80``."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
