"""Domain names and addresses as text, read as CoreDNS reads them.

Names are in presentation form (RFC 1035, section 5.1): labels joined by dots, a backslash in front of a dot
that belongs to a label. An absolute name ends in a dot.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

MAX_LABEL = 63
MAX_NAME = 255
"""Bytes of a label, and of a name with its length bytes (RFC 1035, section 2.3.4)."""

IPV4_REVERSE = "in-addr.arpa."
IPV6_REVERSE = "ip6.arpa."

_LABEL = re.compile(r"(?:[^.\\]|\\[0-9]{3}|\\[^0-9])+")
_ESCAPE = re.compile(r"\\(?:[0-9]{3}|.)")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def lower(name: str) -> str:
    """``name`` with its ASCII letters in lower case: names are compared so (RFC 4343)."""
    return name.lower() if name.isascii() else name.translate(_LOWER)


def labels(name: str) -> tuple[str, ...]:
    """The labels of a name, the leftmost first; the root has none.

    Raises ValueError for text that is no name: an empty label, one above 63 bytes, a name above 255.
    """
    if name in ("", "."):
        return ()
    if "\\" not in name and name.isascii() and len(name) < MAX_NAME:
        # Nothing is escaped: nearly all names go this way.
        parts = tuple(name.removesuffix(".").split("."))
        if all(parts) and len(max(parts, key=len)) <= MAX_LABEL:
            return parts
    found: list[str] = []
    place, length = 0, 1
    while place < len(name):
        match = _LABEL.match(name, place)
        size = len(_ESCAPE.sub("x", match.group()).encode()) if match else 0
        if match is None or size > MAX_LABEL:
            raise ValueError(f"{name!r} is no domain name: a label has 1 to {MAX_LABEL} bytes")
        found.append(match.group())
        length += size + 1
        place = match.end()
        if place < len(name):
            if name[place] != ".":
                raise ValueError(f"{name!r} is no domain name: a backslash stands at its end")
            place += 1
    if length > MAX_NAME:
        raise ValueError(f"{name!r} is no domain name: it has more than {MAX_NAME} bytes")
    return tuple(found)


def absolute(name: str) -> str:
    """``name`` with the dot at its end that makes it absolute. Raises ValueError for what is no name."""
    return ".".join(labels(name)) + "."


def is_within(name: tuple[str, ...], zone: tuple[str, ...]) -> bool:
    """Whether a name (its labels) is ``zone`` or below it."""
    start = len(name) - len(zone)
    return start >= 0 and all(lower(a) == lower(b) for a, b in zip(name[start:], zone, strict=True))


@lru_cache(maxsize=65536)
def packed_address(text: str) -> bytes | None:
    """The address that ``text`` spells (4 bytes or 16), or None: what Go's ``net.ParseIP`` takes.

    An IPv4-mapped IPv6 address counts as IPv4, as Go's ``IP.To4`` has it.
    """
    try:
        if ":" not in text:
            return IPv4Address(text).packed
        if "%" in text:
            return None
        address = IPv6Address(text)
    except AddressValueError:
        return None
    return address.ipv4_mapped.packed if address.ipv4_mapped is not None else address.packed


def address_text(packed: bytes) -> str:
    """The canonical text of an address (Go's ``IP.String``)."""
    return str(IPv4Address(packed)) if len(packed) == 4 else IPv6Address(packed).compressed


def address_label(address: str) -> str:
    """The label that stands for an endpoint's address where it has no hostname: ``10-1-2-3``, ``fd00--1``.

    A label cannot end in a dash, so that ``fd00::`` becomes ``fd00--0`` (CoreDNS ``endpointHostname``).
    """
    if "." in address:
        return address.replace(".", "-")
    label = address.replace(":", "-")
    return label + "0" if label.endswith("-") else label


def labelled_address(label: str) -> str:
    """The address that a pod's label stands for, as text that need not be an address.

    Three single dashes are the dots of IPv4, anything else the colons of IPv6 (CoreDNS ``findPods``).
    """
    return label.replace("-", "." if label.count("-") == 3 and "--" not in label else ":")


def reverse_name(address: str) -> str:
    """The name whose PTR record belongs to an address (RFC 1035, section 3.5; RFC 3596, section 2.5).

    Raises ValueError where ``address`` is none.
    """
    packed = packed_address(address)
    if packed is None:
        raise ValueError(f"{address!r} is no IP address")
    if len(packed) == 4:
        return ".".join(str(byte) for byte in reversed(packed)) + "." + IPV4_REVERSE
    return ".".join(reversed(packed.hex())) + "." + IPV6_REVERSE


def reversed_address(name: str) -> str | None:
    """The address that a reverse name (absolute, lower case) belongs to, or None where it spells none.

    As CoreDNS ``ExtractAddressFromReverse``: of IPv6, labels are taken by four from the zone on, and up to
    three that are left over at the front are passed over.
    """
    if name.endswith("." + IPV4_REVERSE):
        octets = name.removesuffix("." + IPV4_REVERSE).split(".")
        packed = packed_address(".".join(reversed(octets)))
        return address_text(packed) if packed is not None and len(packed) == 4 else None
    if not name.endswith("." + IPV6_REVERSE):
        return None
    nibbles = name.removesuffix("." + IPV6_REVERSE).split(".")[::-1]
    groups = ("".join(nibbles[at : at + 4]) for at in range(0, len(nibbles) // 4 * 4, 4))
    packed = packed_address(":".join(groups))
    return address_text(packed) if packed is not None else None
