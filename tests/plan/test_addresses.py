"""Addresses as Go reads and prints them."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulegen.plan.addresses import canonical, network


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("010.000.0.01", "10.0.0.1"),
        ("10.0.0.256", None),
        ("10.0.0", None),
        ("10.0.0.1.", None),
        (" 10.0.0.1", None),
        ("FD00::00A", "fd00::a"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:a00:1", "10.0.0.1"),
        ("::10.0.0.1", "::a00:1"),
        ("::1", "::1"),
        ("::", "::"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("fe80::1%eth0", None),
        ("", None),
        ("١٠.0.0.1", None),
        ("10.0.0.1\0", None),
    ],
)
def test_addresses_have_one_canonical_form(text: str, expected: str | None) -> None:
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("010.0.0.0/08", "10.0.0.0/8"),
        ("10.0.0.0", None),
        ("10.0.0.0/33", None),
        ("fd00::1/64", "fd00::/64"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_cidrs_lose_their_host_bits(text: str, expected: str | None) -> None:
    found = network(text)
    assert (None if found is None else str(found)) == expected


@given(st.ip_addresses(v=6))
def test_ipv6_is_printed_as_rfc_5952_says(address: IPv6Address) -> None:
    if address.ipv4_mapped is None:
        assert canonical(address.exploded) == str(address)
