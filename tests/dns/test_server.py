"""Questions that programs in pods ask."""

from __future__ import annotations

import pytest

from rulegen.dns import Directory, DnsServer
from rulegen.model import Cluster
from tests.dns.clusters import CLUSTER, DB, WEB, ask, server
from tests.objects import service, slice_of


def test_a_service_has_its_cluster_ip() -> None:
    assert ask("web.default.svc.cluster.local") == ["10.96.0.10"]


def test_a_name_that_exists_may_lack_the_type() -> None:
    assert ask("web.default.svc.cluster.local", "AAAA") == "no such type"
    assert ask("nothere.default.svc.cluster.local", "AAAA") == "no such name"


def test_a_headless_service_has_the_addresses_of_its_ready_endpoints() -> None:
    assert ask("db.prod.svc.cluster.local") == ["10.1.0.9", "10.1.0.10"]


def test_an_endpoint_that_is_not_ready_has_no_name() -> None:
    assert ask("10-1-0-7.web.default.svc.cluster.local") == ["10.1.0.7"]
    assert ask("10-1-0-8.web.default.svc.cluster.local") == "no such name"


def test_a_headless_service_without_ready_endpoints_does_not_exist() -> None:
    empty = Cluster(services=(DB,))
    assert ask("db.prod.svc.cluster.local", cluster=empty) == "no such name"


def test_a_named_port_has_an_srv_record_that_leads_to_an_address() -> None:
    reply = server().ask("_pg._tcp.db.prod.svc.cluster.local", "SRV")
    assert [record.data for record in reply.answers] == [
        "0 50 5432 10-1-0-9.db.prod.svc.cluster.local.",
        "0 50 5432 10-1-0-10.db.prod.svc.cluster.local.",
    ]
    assert [(record.owner, record.data) for record in reply.additional] == [
        ("10-1-0-9.db.prod.svc.cluster.local.", "10.1.0.9"),
        ("10-1-0-10.db.prod.svc.cluster.local.", "10.1.0.10"),
    ]


def test_an_external_name_is_followed_inside_the_cluster_and_left_open_outside() -> None:
    inside = server().ask("alias.default.svc.cluster.local", "A").answers
    assert [(record.type, record.data) for record in inside] == [
        ("CNAME", "web.default.svc.cluster.local."),
        ("A", "10.96.0.10"),
    ]
    assert ask("mail.default.svc.cluster.local") == ["mx.example.com."]


def test_external_names_in_a_circle_lead_nowhere() -> None:
    def to(name: str, target: str) -> object:
        return service(name, ip="", ports=[], type="ExternalName", external_name=f"{target}.default.svc.{D}")

    circle = Cluster(services=(to("a", "b"), to("b", "c"), to("c", "a")))  # type: ignore[arg-type]
    assert ask(f"a.default.svc.{D}", cluster=circle) == "no such type"


def test_a_chain_of_external_names_ends_after_ten() -> None:
    chain = [
        service(f"s{i}", ip="", ports=[], type="ExternalName", external_name=f"s{i + 1}.default.svc.{D}")
        for i in range(30)
    ]
    assert ask(f"s0.default.svc.{D}", cluster=Cluster(services=tuple(chain))) == "no such type"


def test_a_pods_name_is_answered_without_any_pod_but_only_in_a_namespace_that_exists() -> None:
    assert ask("10-1-99-99.prod.pod.cluster.local") == ["10.1.99.99"]
    assert ask("fd00--1.prod.pod.cluster.local", "AAAA") == ["fd00::1"]
    assert ask("10-1-99-99.nowhere.pod.cluster.local") == "no such name"
    assert ask("my-pod.prod.pod.cluster.local") == "no such name"


def test_an_address_leads_back_to_its_service_or_its_endpoint() -> None:
    assert ask("10.0.96.10.in-addr.arpa", "PTR") == ["web.default.svc.cluster.local."]
    assert ask("9.0.1.10.in-addr.arpa", "PTR") == ["10-1-0-9.db.prod.svc.cluster.local."]
    assert ask("99.0.1.10.in-addr.arpa", "PTR") == "no such name"


def test_upper_and_lower_case_are_the_same_and_the_question_is_echoed() -> None:
    (record,) = server().ask("WEB.Default.svc.Cluster.Local", "A").answers
    assert (record.owner, record.data) == ("WEB.Default.svc.Cluster.Local.", "10.96.0.10")


def test_the_version_of_the_specification_can_be_asked_for() -> None:
    assert ask("dns-version.cluster.local", "TXT") == ['"1.1.0"']


def test_names_outside_of_the_cluster_are_refused() -> None:
    assert ask("example.com") == "not of the cluster"


def test_the_name_server_of_the_zone_is_the_service_that_it_is_an_endpoint_of() -> None:
    dns = service("kube-dns", namespace="kube-system", ip="10.96.0.53")
    cluster = Cluster(services=(dns,), slices=(slice_of(dns, ["10.1.0.53"]),))
    known = DnsServer(Directory(cluster), addresses=["10.1.0.53"])
    assert known.ask("cluster.local", "NS").answers[0].data == "kube-dns.kube-system.svc.cluster.local."
    unknown = DnsServer(Directory(CLUSTER), addresses=["192.0.2.1"])
    assert unknown.ask("ns.dns.cluster.local", "A").answers[0].data == "192.0.2.1"


def test_a_headless_name_server_is_known_by_the_slice_that_it_is_in() -> None:
    dns = service("dns", namespace="kube-system", ip="None")
    slices = (slice_of(dns, ["10.1.0.53", "10.1.0.54"], name="a"), slice_of(dns, ["10.1.0.55"], name="b"))
    known = DnsServer(Directory(Cluster(services=(dns,), slices=slices)), addresses=["10.1.0.53"])
    assert [record.data for record in known.ask("cluster.local", "NS").answers] == [
        "10-1-0-53.dns.kube-system.svc.cluster.local.",
        "10-1-0-54.dns.kube-system.svc.cluster.local.",
    ]


def test_a_missing_answer_comes_with_the_zones_soa() -> None:
    (soa,) = server().ask("nothere.default.svc.cluster.local", "A").authority
    assert soa.data.startswith("ns.dns.cluster.local. hostmaster.cluster.local. ")


def test_the_cluster_may_have_another_domain() -> None:
    other = server(domain="k8s.example.org")
    assert other.ask("web.default.svc.k8s.example.org", "A").outcome == "found"
    assert other.ask("web.default.svc.cluster.local", "A").outcome == "not of the cluster"


@pytest.mark.parametrize("name", ["a..b", "x" * 64, ".".join(["x" * 60] * 5), ".a", "a\\"])
def test_what_is_no_name_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match="no domain name"):
        server().ask(name, "A")


def test_a_service_that_was_never_in_a_cluster_has_a_name_without_address() -> None:
    assert ask(f"web.default.svc.{D}", cluster=Cluster(services=(service("web", ip=""),))) == "no such type"


def test_a_service_of_five_thousand_endpoints_is_asked_by_endpoint_in_no_time() -> None:
    big = slice_of(DB, [f"10.{n // 65536 + 1}.{n // 256 % 256}.{n % 256}" for n in range(5000)])
    known = server(Cluster(services=(DB, WEB), slices=(big,)))
    for n in range(0, 5000, 10):
        assert known.ask(f"10-1-{n // 256}-{n % 256}.db.prod.svc.{D}", "A").outcome == "found"


D = "cluster.local"
