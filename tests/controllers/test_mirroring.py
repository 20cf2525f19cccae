"""Hand-made Endpoints: a database outside the cluster gets EndpointSlices of its own."""

from typing import Any

import pytest

from rulegen.controllers import endpoint_slices
from rulegen.controllers.mirroring import mirror, objection
from rulegen.model import EndpointSlice, Service
from tests.controllers.objects import addresses, cluster, hand_made, service, subset

HTTP = {"name": "http", "port": 80}
DNS = {"name": "dns", "port": 53, "protocol": "UDP"}


def ports(made: EndpointSlice) -> list[tuple[str | None, int | None]]:
    return [(port.name, port.port) for port in made.ports or ()]


def test_endpoints_become_a_slice_with_their_labels_and_annotations() -> None:
    given = hand_made(
        "db",
        subset("192.168.1.7", not_ready=("192.168.1.8",)),
        labels={"team": "a", "kubernetes.io/service-name": "liar"},
        annotations={
            "note": "x",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z",
        },
    )
    (made,) = endpoint_slices(cluster(service("db", selector={}), given))
    assert addresses(made) == ["192.168.1.7", "192.168.1.8"]
    assert [e.conditions.ready for e in made.endpoints or () if e.conditions] == [True, False]
    assert made.metadata.labels == {
        "team": "a",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert made.metadata.annotations == {"note": "x"}


def test_both_families_of_one_subset_go_to_slices_of_their_own() -> None:
    four, six = mirror(hand_made("db", subset("10.0.0.1", "fd00:0::1"))).slices
    assert (four.address_type, addresses(four)) == ("IPv4", ["10.0.0.1"])
    assert (six.address_type, addresses(six)) == ("IPv6", ["fd00::1"])


def test_an_address_that_two_subsets_name_serves_the_ports_of_both() -> None:
    given = hand_made("db", subset("10.0.0.1", ports=[HTTP]), subset("10.0.0.1", "10.0.0.2", ports=[DNS]))
    dns, http = mirror(given).slices
    assert (ports(dns), addresses(dns)) == ([("dns", 53)], ["10.0.0.1", "10.0.0.2"])
    assert (ports(http), addresses(http)) == ([("http", 80)], ["10.0.0.1"])


def test_ports_that_the_same_addresses_serve_share_a_slice() -> None:
    (made,) = mirror(
        hand_made("db", subset("10.0.0.1", ports=[HTTP]), subset("10.0.0.1", ports=[DNS]))
    ).slices
    assert sorted(port.name or "" for port in made.ports or ()) == ["dns", "http"]


def test_not_ready_trumps_ready() -> None:
    (made,) = mirror(hand_made("db", subset("10.0.0.1"), subset(not_ready=("10.0.0.1",)))).slices
    assert [e.conditions.ready for e in made.endpoints or () if e.conditions] == [False]


def test_of_1300_addresses_the_first_1000_are_mirrored() -> None:
    everyone = [f"10.9.{i // 250}.{i % 250 + 1}" for i in range(1300)]
    (made,) = mirror(hand_made("db", subset(*everyone))).slices
    assert len(addresses(made)) == 1000
    assert set(addresses(made)) == set(sorted(everyone)[:1000])


def test_two_ports_of_one_name_make_a_slice_that_the_api_server_refuses() -> None:
    given = hand_made(
        "db",
        subset("10.0.0.1", ports=[HTTP, {"name": "http", "port": 81}]),
        subset("10.0.0.2", ports=[DNS]),
    )
    (made,) = mirror(given).slices
    assert addresses(made) == ["10.0.0.2"]


def test_endpoints_without_addresses_have_no_slice() -> None:
    assert mirror(hand_made("db")).slices == []


@pytest.mark.parametrize(
    ("metadata", "beside", "why"),
    [
        (
            {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            service("db", selector={}),
            "they have the label endpointslice.kubernetes.io/skip-mirror",
        ),
        (
            {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}},
            service("db", selector={}),
            "they are a leader election record",
        ),
        ({}, None, "there is no Service of that name"),
        ({}, service("db"), "the Service has a selector"),
        ({"labels": {"endpointslice.kubernetes.io/skip-mirror": "no"}}, service("db", selector={}), None),
    ],
    ids=["asked not to", "leader election", "no Service", "selector", "mirrored"],
)
def test_some_endpoints_are_not_mirrored(
    metadata: dict[str, Any], beside: Service | None, why: str | None
) -> None:
    assert objection(hand_made("db", subset("10.0.0.1"), **metadata), beside) == why
