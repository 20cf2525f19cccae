"""IP addresses and CIDRs as Go reads them, strictly and as it once did.

Kubernetes long read addresses with a parser that takes octets with leading zeros and IPv4-mapped IPv6
addresses; since 1.36 (StrictIPCIDRValidation) what is new must be free of both, and a CIDR of bits below its
prefix. What is stored already may keep them. Go's ``net.IP`` knows no mapped addresses: they are IPv4.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

from rulegen.load.api.answers import Errors, FieldError, invalid, quoted

_MAPPED = bytes(10) + b"\xff\xff"
_hex = re.compile("[0-9a-fA-F]+").match
_digits = re.compile("[0-9]+").fullmatch
_prefix_length = re.compile("0|[1-9][0-9]*").fullmatch


class IP(NamedTuple):
    """An address: 4 or 16 bytes; whether it is written as it should be; whether it is IPv4-mapped."""

    packed: bytes
    strict: bool
    mapped: bool

    @property
    def family(self) -> str:
        return "IPv4" if len(self.packed) == 4 else "IPv6"

    def __str__(self) -> str:
        return str(ipaddress.ip_address(self.packed))


class CIDR(NamedTuple):
    """A network with the address it is written with; ``length`` counts bits of the address as written."""

    ip: IP
    length: int
    strict: bool

    @property
    def bits(self) -> int:
        """32 or 128: of the address as it is written, so 128 for a mapped one."""
        return 128 if self.ip.mapped else len(self.ip.packed) * 8

    @property
    def written(self) -> bytes:
        return _MAPPED + self.ip.packed if self.ip.mapped else self.ip.packed

    @property
    def network(self) -> bytes:
        """The address without the bits below the prefix, as it is written."""
        host_bits = self.bits - self.length
        number = int.from_bytes(self.written, "big") >> host_bits << host_bits
        return number.to_bytes(self.bits // 8, "big")

    def __str__(self) -> str:
        """As Go prints the network."""
        packed, length = self.network, self.length
        if packed[:12] == _MAPPED:
            packed, length = packed[12:], max(length - 96, 0)
        return f"{ipaddress.ip_address(packed)}/{length}"


def parse_ip(text: str) -> IP | None:
    """The address as ``ParseIPSloppy`` of k8s.io/utils reads it, or None."""
    try:
        if ":" in text:
            packed = socket.inet_pton(socket.AF_INET6, text)
            mapped = packed.startswith(_MAPPED)
            return IP(packed[12:] if mapped else packed, True, mapped)
        return IP(socket.inet_pton(socket.AF_INET, text), True, False)
    except (OSError, ValueError):
        pass
    # Which of the two comes first decides how it is read: "1.2.3.4:5" is no IPv6 address.
    dot, colon = text.find("."), text.find(":")
    if colon < 0 or 0 <= dot < colon:
        packed_v4 = _sloppy_v4(text)
        return None if packed_v4 is None else IP(packed_v4, False, False)
    packed_v6 = _sloppy_v6(text)
    if packed_v6 is None:
        return None
    mapped = packed_v6.startswith(_MAPPED)
    return IP(packed_v6[12:] if mapped else packed_v6, False, mapped)


def _sloppy_v4(text: str) -> bytes | None:
    octets = text.split(".")
    if len(octets) != 4 or not all(_digits(octet) for octet in octets):
        return None
    numbers = [int(octet[-4:]) if not octet[:-4].strip("0") else 256 for octet in octets]
    return bytes(numbers) if max(numbers) <= 255 else None


def _sloppy_v6(text: str) -> bytes | None:
    """Groups of any number of hex digits that fit 16 bits, one ``::``, an IPv4 address at the end."""
    head, ellipsis, tail = text.partition("::")
    if ellipsis:
        before, after = _groups(head, ends=False), _groups(tail, ends=True)
        if before is None or after is None or len(before) + len(after) > 14:
            return None
        return before + bytes(16 - len(before) - len(after)) + after
    whole = _groups(text, ends=True)
    return whole if whole is not None and len(whole) == 16 else None


def _groups(text: str, *, ends: bool) -> bytes | None:
    """The groups between colons as bytes; the last may be an IPv4 address where the text ends there."""
    if not text:
        return b""
    out = b""
    groups = text.split(":")
    for i, group in enumerate(groups):
        if "." in group:
            packed = _sloppy_v4(group) if ends and i == len(groups) - 1 else None
            if packed is None:
                return None
            return out + packed
        found = _hex(group)
        if found is None or found.end() != len(group) or group[:-4].strip("0"):
            return None
        out += int(group[-4:], 16).to_bytes(2, "big")
    return out


def parse_cidr(text: str) -> CIDR | None:
    """The network as ``ParseCIDRSloppy`` of k8s.io/utils reads it, or None."""
    address, slash, length = text.partition("/")
    if not slash or not _digits(length) or length[:-4].strip("0"):
        return None
    ip = parse_ip(address)
    if ip is None:
        return None
    found = CIDR(ip, int(length[-4:]), ip.strict and _prefix_length(length) is not None)
    return found if found.length <= found.bits else None


def family_of(text: str) -> str:
    """``IPv4``, ``IPv6``, or nothing for what is no address."""
    ip = parse_ip(text)
    return "" if ip is None else ip.family


def check_ip(field: str, text: str, *, strict: bool) -> Errors:
    """The errors of an address in a field that is older than strict validation."""
    ip = parse_ip(text)
    if ip is None:
        return [invalid(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    if not strict:
        return []
    errors = []
    if not ip.strict:
        errors.append(invalid(field, text, "must not have leading 0s"))
    elif ip.mapped:
        errors.append(invalid(field, text, "must not be an IPv4-mapped IPv6 address"))
    return errors


def check_canonical_ip(field: str, text: str) -> Errors:
    """The errors of an address that must also be written in its canonical form."""
    errors = check_ip(field, text, strict=True)
    if not errors:
        canonical = str(parse_ip(text))
        if canonical != text:
            errors.append(invalid(field, text, f"must be in canonical form ({quoted(canonical)})"))
    return errors


def check_cidr(field: str, text: str, *, strict: bool) -> Errors:
    """The errors of a CIDR in a field that is older than strict validation."""
    cidr = parse_cidr(text)
    if cidr is None:
        return [invalid(field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    if not strict:
        return []
    if not cidr.strict:
        return [invalid(field, text, "must not have leading 0s in IP or prefix length")]
    if cidr.ip.mapped:
        return [invalid(field, text, "must not have an IPv4-mapped IPv6 address")]
    if cidr.written != cidr.network:
        return [invalid(field, text, "must not have bits set beyond the prefix length")]
    return []


def check_canonical_cidr(field: str, text: str) -> Errors:
    errors = check_cidr(field, text, strict=True)
    if not errors:
        canonical = str(parse_cidr(text))
        if canonical != text:
            errors.append(invalid(field, text, f"must be in canonical form ({quoted(canonical)})"))
    return errors


def check_endpoint_ip(field: str, text: str) -> Errors:
    """The errors of an address that is no endpoint's: unspecified, loopback, link-local."""
    ip = parse_ip(text)
    if ip is None:
        return [invalid(field, text, "must be a valid IP address")]
    packed = ip.packed
    if len(packed) == 4:
        unspecified = packed == bytes(4)
        loopback = packed[0] == 127
        link_local = packed[:2] == b"\xa9\xfe"
        link_local_multicast = packed[:3] == b"\xe0\x00\x00"
    else:
        unspecified = packed == bytes(16)
        loopback = packed == bytes(15) + b"\x01"
        link_local = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
        link_local_multicast = packed[0] == 0xFF and packed[1] & 0x0F == 0x02
    errors = []
    if unspecified:
        errors.append(invalid(field, text, f"may not be unspecified ({text})"))
    if loopback:
        errors.append(invalid(field, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if link_local:
        errors.append(invalid(field, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    if link_local_multicast:
        ranges = "224.0.0.0/24, ff02::/10"
        errors.append(invalid(field, text, f"may not be in the link-local multicast range ({ranges})"))
    return errors


def ip_warnings(field: str, text: str) -> list[FieldError]:
    """What the server warns about an address that it takes."""
    ip = parse_ip(text)
    if ip is None:
        return []
    if not ip.strict or ip.mapped:
        return [
            FieldError(field, f"non-standard IP address {quoted(text)} is invalid: use {quoted(str(ip))}")
        ]
    if len(ip.packed) == 16 and str(ip) != text:
        wanted = f"should be in RFC 5952 canonical format ({quoted(str(ip))})"
        return [FieldError(field, f"IPv6 address {quoted(text)} {wanted}")]
    return []


def cidr_warnings(field: str, text: str) -> list[FieldError]:
    """What the server warns about a CIDR that it takes."""
    cidr = parse_cidr(text)
    if cidr is None:
        return []
    warnings = []
    if cidr.written != cidr.network:
        single = f"{cidr.ip}/{cidr.bits}"
        choice = f"should be {quoted(str(cidr))} or {quoted(single)}?"
        warnings.append(
            FieldError(field, f"CIDR value {quoted(text)} is ambiguous in this context ({choice})")
        )
    if not cidr.strict or cidr.ip.mapped:
        warnings.append(
            FieldError(field, f"non-standard CIDR value {quoted(text)} is invalid: use {quoted(str(cidr))}")
        )
    elif not warnings and cidr.bits == 128 and str(cidr) != text:
        wanted = f"should be in RFC 5952 canonical format ({quoted(str(cidr))})"
        warnings.append(FieldError(field, f"IPv6 CIDR value {quoted(text)} {wanted}"))
    return warnings
