"""Names and addresses as text."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.dns.names import (
    absolute,
    address_label,
    is_within,
    labelled_address,
    labels,
    packed_address,
    reverse_name,
    reversed_address,
)

ADDRESSES = st.ip_addresses()


@settings(derandomize=True, deadline=None)
@given(ADDRESSES)
def test_reverse_names_lead_back_to_the_address(address: IPv4Address | IPv6Address) -> None:
    again = reversed_address(reverse_name(str(address)))
    assert again is not None and packed_address(again) == packed_address(str(address))


@settings(derandomize=True, deadline=None)
@given(ADDRESSES)
def test_an_endpoints_label_spells_its_address(address: IPv4Address | IPv6Address) -> None:
    label = address_label(address.compressed)
    assert "." not in label and ":" not in label and not label.endswith("-")
    again = labelled_address(label)
    # ::1.2.3.4 has dots inside colons, which three dashes cannot tell from IPv4; CoreDNS loses it, too.
    if packed_address(again) is not None and address.version == ip_address(again).version:
        assert packed_address(again) == packed_address(str(address))


@pytest.mark.parametrize(
    ("address", "label"), [("10.1.2.3", "10-1-2-3"), ("fd00::1", "fd00--1"), ("fd00:1::", "fd00-1--0")]
)
def test_labels_of_addresses(address: str, label: str) -> None:
    assert address_label(address) == label


@pytest.mark.parametrize("text", ["010.0.0.1", "fe80::1%eth0", "1.2.3", "", "x", "1:2:3:4:5:6:7::8"])
def test_what_go_takes_for_no_address(text: str) -> None:
    assert packed_address(text) is None


def test_ipv4_in_ipv6_is_ipv4() -> None:
    assert packed_address("::ffff:10.0.0.1") == bytes([10, 0, 0, 1])


def test_a_dot_inside_a_label_is_escaped() -> None:
    assert labels(r"a\.b.c") == (r"a\.b", "c")
    assert absolute(r"a\.b.c") == r"a\.b.c."
    assert not is_within(labels(r"x\.cluster.local"), labels("cluster.local"))


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = absolute(text)
    except ValueError:
        return
    assert absolute(name) == name
