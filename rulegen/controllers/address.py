"""IP addresses as the controllers read and write them: leniently in, canonically out.

Pods and hand-made Endpoints may hold old spellings (``010.0.0.1``, ``FD00:0::1``, ``::ffff:10.0.0.1``); what
is written to EndpointSlices is the canonical text (k8s.io/utils/net ParseIPSloppy and Go's IP.String).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

from rulegen.model import Family

_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+){3}\Z")
_MAPPED = bytes(10) + b"\xff\xff"


class Address(NamedTuple):
    """An address in canonical text; ``packed`` (4 or 16 bytes) sorts addresses of a family by number."""

    family: Family
    text: str
    packed: bytes


@lru_cache(maxsize=65536)
def parse(text: str) -> Address | None:
    """The address that ``text`` spells, or None. An IPv4-mapped IPv6 address counts as IPv4."""
    try:
        packed = _packed(text)
    except (OSError, ValueError):
        try:
            packed = _packed(_decimal(text))
        except (OSError, ValueError):
            return None
    if len(packed) == 4:
        return _ipv4(packed)
    if packed.startswith(_MAPPED):
        return _ipv4(packed[12:])
    return Address("IPv6", IPv6Address(packed).compressed, packed)


def _packed(text: str) -> bytes:
    return inet_pton(AF_INET6 if ":" in text else AF_INET, text)


def _ipv4(packed: bytes) -> Address:
    return Address("IPv4", inet_ntop(AF_INET, packed), packed)


def _decimal(text: str) -> str:
    """``text`` with octets (all of it, or its end) without leading zeros, which Go once read as decimal."""
    head, colon, quad = text.rpartition(":")
    if _DOTTED.match(quad) is None:
        return text
    return head + colon + ".".join(octet.lstrip("0") or "0" for octet in quad.split("."))


def refusal(text: str) -> str | None:
    """Why the API server refuses ``text`` as the address of an endpoint, or None where it takes it.

    The wording is that of ValidateEndpointIP (pkg/apis/core/validation, Kubernetes 1.37).
    """
    address = parse(text)
    if address is None:
        return "must be a valid IP address"
    ipv4, packed = address.family == "IPv4", address.packed
    if not any(packed):
        return f"may not be unspecified ({text})"
    if packed[0] == 127 if ipv4 else packed == bytes(15) + b"\x01":
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if packed.startswith(b"\xa9\xfe") if ipv4 else (packed[0] == 0xFE and packed[1] & 0xC0 == 0x80):
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if packed.startswith(b"\xe0\x00\x00") if ipv4 else (packed[0] == 0xFF and packed[1] & 0x0F == 0x02):
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    return None
