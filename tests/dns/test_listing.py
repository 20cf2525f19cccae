"""All names of a cluster, and the files that hold them."""

from __future__ import annotations

import dns.zone
import pytest

from rulegen.dns import listing
from rulegen.dns.names import IPV4_REVERSE
from tests.dns.clusters import CLUSTER, server

RECORDS = listing.records(server(), CLUSTER.pods)
NAMES = {(record.owner.removesuffix(".cluster.local."), record.type) for record in RECORDS}


def test_every_kind_of_name_is_listed() -> None:
    assert {
        ("web.default.svc", "A"),
        ("_http._tcp.web.default.svc", "SRV"),
        ("10-1-0-7.web.default.svc", "A"),
        ("db.prod.svc", "A"),
        ("_pg._tcp.db.prod.svc", "SRV"),
        ("mail.default.svc", "CNAME"),
        ("10-1-0-7.default.pod", "A"),
        ("fd00--7.default.pod", "AAAA"),
        ("dns-version", "TXT"),
        ("10.0.96.10.in-addr.arpa.", "PTR"),
    } <= NAMES
    assert ("10-1-0-8.web.default.svc", "A") not in NAMES


def test_every_record_is_what_the_server_answers() -> None:
    for record in RECORDS:
        assert record in server().ask(record.owner, record.type).answers


def test_a_zone_file_is_read_by_others() -> None:
    known = server()
    zone = dns.zone.from_text(listing.zone_file(RECORDS, known, known.domain))
    assert zone.get_rdataset("web.default.svc", "A").to_text() == "30 IN A 10.96.0.10"  # type: ignore[union-attr]
    reverse = dns.zone.from_text(listing.zone_file(RECORDS, known, IPV4_REVERSE))
    assert reverse.get_rdataset("10.0.96.10", "PTR") is not None


def test_the_same_cluster_gives_the_same_bytes() -> None:
    known = server()
    texts = {listing.zone_file(listing.records(server()), known, known.domain) for _ in range(3)}
    assert len(texts) == 1


def test_hosts_lines_hold_an_address_and_a_name() -> None:
    assert "10.96.0.10\tweb.default.svc.cluster.local\n" in listing.hosts(RECORDS)


def test_what_is_about_a_service_includes_the_way_back_from_its_addresses() -> None:
    about = listing.about(RECORDS, "web.default.svc.cluster.local.")
    assert {(record.owner, record.type) for record in about} == {
        ("web.default.svc.cluster.local.", "A"),
        ("web.default.svc.cluster.local.", "SRV"),
        ("_http._tcp.web.default.svc.cluster.local.", "SRV"),
        ("10-1-0-7.web.default.svc.cluster.local.", "A"),
        ("10-1-0-7.web.default.svc.cluster.local.", "SRV"),
        ("10.0.96.10.in-addr.arpa.", "PTR"),
        ("7.0.1.10.in-addr.arpa.", "PTR"),
    }


def test_a_zone_that_is_not_served_is_refused_beside_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"no zone example\.com\.; known zones: cluster\.local\."):
        listing.zone_file(RECORDS, server(), "example.com.")
