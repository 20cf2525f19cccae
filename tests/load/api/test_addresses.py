"""Addresses as Go reads them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulegen.load.api.addresses import check_cidr, check_ip, cidr_warnings, parse_cidr, parse_ip
from tests.load.api.objects import STEADY


@pytest.mark.parametrize(
    ("text", "canonical", "strict"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("010.000.0000.1", "10.0.0.1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:010.0.0.1", "10.0.0.1", False),
        ("2001:DB8::1", "2001:db8::1", True),
        ("::00001", "::1", False),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", True),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", True),
    ],
)
def test_forms_of_an_address(text: str, canonical: str, strict: bool) -> None:
    ip = parse_ip(text)
    assert ip is not None
    assert (str(ip), ip.strict) == (canonical, strict)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "x",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.4:5",
            "0x1.2.3.4",
            "１.2.3.4",
            " 1.2.3.4",
            "1.2.3.4\n",
        ),
        *(
            ":",
            ":::",
            "1::2::3",
            "12345::",
            "::10000:1",
            "::2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7",
            "g::",
            "fe80::1%eth0",
        ),
        *("::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::\x00", "\ud800"),
    ],
)
def test_texts_that_are_no_address(text: str) -> None:
    assert parse_ip(text) is None
    assert parse_cidr(f"{text}/8") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.0.0.0/8", ""),
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("10.0.0.0/00008", "must not have leading 0s in IP or prefix length"),
        ("::ffff:10.0.0.0/104", "must not have an IPv4-mapped IPv6 address"),
        ("10.0.0.1/8", "must not have bits set beyond the prefix length"),
        ("10.0.0.0/33", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
        ("10.0.0.0/+8", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
        ("10.0.0.0/8/8", "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    ],
)
def test_forms_of_a_cidr(text: str, said: str) -> None:
    assert [error.message.partition('": ')[2] for error in check_cidr("x", text, strict=True)] == [said][
        : len(said)
    ]


def test_an_ambiguous_cidr_is_warned_about_where_it_is_stored() -> None:
    [warning] = cidr_warnings("spec.loadBalancerSourceRanges[0]", "192.168.1.7/24")
    assert warning.message == (
        'CIDR value "192.168.1.7/24" is ambiguous in this context '
        '(should be "192.168.1.0/24" or "192.168.1.7/32"?)'
    )


@STEADY
@given(st.ip_addresses())
def test_canonical_addresses_are_read_as_they_are(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    ip = parse_ip(str(address))
    assert ip is not None
    mapped = getattr(address, "ipv4_mapped", None)
    assert ip.packed == (mapped or address).packed
    assert bool(check_ip("x", str(address), strict=True)) == (mapped is not None)


@STEADY
@given(st.text(alphabet="0123456789abcdef:./", max_size=45))
def test_no_text_is_read_strictly_that_python_does_not_read(text: str) -> None:
    ip = parse_ip(text)
    if ip is not None and ip.strict:
        assert ipaddress.ip_address(text)
