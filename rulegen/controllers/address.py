"""IP addresses as the controllers read and write them: leniently in, canonically out.

Pods and hand-made Endpoints may hold old spellings (``010.0.0.1``, ``FD00:0::1``, ``::ffff:10.0.0.1``); what
is written to EndpointSlices is the canonical text (k8s.io/utils/net ParseIPSloppy and Go's IP.String).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from rulegen.model import Family

_DOTTED = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\Z")


class Address(NamedTuple):
    """An address in canonical text; ``packed`` (4 or 16 bytes) sorts addresses of a family by number."""

    family: Family
    text: str
    packed: bytes


@lru_cache(maxsize=65536)
def parse(text: str) -> Address | None:
    """The address that ``text`` spells, or None. An IPv4-mapped IPv6 address counts as IPv4."""
    try:
        if ":" not in text:
            return _ipv4(text)
        if "%" in text:
            return None
        head, colon, tail = text.rpartition(":")
        if _DOTTED.match(tail):
            quad = _ipv4(tail)
            if quad is None:
                return None
            text = head + colon + quad.text
        wide = IPv6Address(text)
    except AddressValueError:
        return None
    if wide.ipv4_mapped is not None:
        return Address("IPv4", str(wide.ipv4_mapped), wide.ipv4_mapped.packed)
    return Address("IPv6", wide.compressed, wide.packed)


def _ipv4(text: str) -> Address | None:
    if not _DOTTED.match(text):
        return None
    # A leading zero never meant octal here: Go read such octets as decimal until 1.17.
    address = IPv4Address(".".join(octet.lstrip("0") or "0" for octet in text.split(".")))
    return Address("IPv4", str(address), address.packed)


def refusal(text: str) -> str | None:
    """Why the API server refuses ``text`` as the address of an endpoint, or None where it takes it.

    The wording is that of ValidateEndpointIP (pkg/apis/core/validation, Kubernetes 1.37).
    """
    address = parse(text)
    if address is None:
        return "must be a valid IP address"
    value = IPv4Address(address.packed) if address.family == "IPv4" else IPv6Address(address.packed)
    if value.is_unspecified:
        return f"may not be unspecified ({text})"
    if value.is_loopback:
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if value.is_link_local:
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if _is_link_local_multicast(address):
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    return None


def _is_link_local_multicast(address: Address) -> bool:
    if address.family == "IPv4":
        return address.packed[:3] == b"\xe0\x00\x00"
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02
