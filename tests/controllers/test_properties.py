"""What holds for whatever Pods and Services there are."""

import random
from ipaddress import ip_address

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.controllers import complete, endpoint_slices, endpoints, explain
from rulegen.controllers.address import parse
from rulegen.controllers.selector import PodIndex, matches
from rulegen.model import Cluster, Pod, Service
from tests.controllers.objects import cluster, node, pod, service

LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["web", "db"]))
FAMILIES = st.sampled_from([["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]])
TARGETS = st.sampled_from([8080, 8081, "http", "dns"])
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["http", "dns"]), "containerPort": st.integers(1, 65535)}),
    max_size=2,
)


@st.composite
def pods(draw: st.DrawFn, number: int) -> Pod:
    four, six = f"10.0.{number // 250}.{number % 250 + 1}", f"fd00::{number + 1:x}"
    return pod(
        f"p{number}",
        *draw(st.sampled_from([(four,), (six,), (four, six), (six, four), ()])),
        ready=draw(st.booleans()),
        deleted=draw(st.booleans()),
        phase=draw(st.sampled_from(["Running", "Running", "Pending", "Failed"])),
        node=draw(st.sampled_from(["n1", "n2", "gone"])),
        containers=[{"name": "main", "ports": draw(CONTAINERS)}],
        metadata={"labels": draw(LABELS)},
    )


@st.composite
def services(draw: st.DrawFn, name: str) -> Service:
    return service(
        name,
        selector=draw(LABELS),
        ipFamilies=draw(FAMILIES),
        publishNotReadyAddresses=draw(st.booleans()),
        trafficDistribution=draw(st.sampled_from(["PreferSameZone", "PreferSameNode"])),
        ports=[{"name": "http", "port": 80, "protocol": "TCP", "targetPort": draw(TARGETS)}],
    )


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    return cluster(
        node("n1", "zone-a", "4"),
        node("n2", "zone-b", "2"),
        *(draw(pods(number)) for number in range(draw(st.integers(0, 8)))),
        draw(services("web")),
        draw(services("api")),
    )


@given(clusters(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(some: Cluster, chance: random.Random) -> None:
    def shuffled(items: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(chance.sample(items, len(items)))

    other = msgspec.structs.replace(
        some, pods=shuffled(some.pods), services=shuffled(some.services), nodes=shuffled(some.nodes)
    )
    assert endpoint_slices(other) == endpoint_slices(some)
    assert endpoints(other) == endpoints(some)
    assert complete(other).cluster.slices == complete(some).cluster.slices


@given(clusters())
def test_every_endpoint_is_a_selected_pod_with_that_address(some: Cluster) -> None:
    by_name = {each.metadata.name: each for each in some.pods}
    selectors = {each.metadata.name: each.spec.selector for each in some.services}
    for made in endpoint_slices(some):
        assert made.metadata.labels is not None
        selector = selectors[made.metadata.labels["kubernetes.io/service-name"]]
        for endpoint in made.endpoints or ():
            assert endpoint.target_ref is not None
            target = by_name[endpoint.target_ref.name]
            assert matches(selector, target.metadata.labels)
            assert set(endpoint.addresses) <= {ip.ip for ip in target.status.pod_ips or ()}
            assert all(f"IPv{ip_address(text).version}" == made.address_type for text in endpoint.addresses)


@given(clusters())
def test_slices_hold_just_the_pods_that_are_explained_as_endpoints(some: Cluster) -> None:
    made = endpoint_slices(some)
    for asked in some.services:
        decisions = explain(asked, some.pods, some.nodes, require_nodes=True) if asked.spec.selector else []
        expected = {(each.family, each.pod.metadata.name) for each in decisions if each.included}
        found = {
            (each.address_type, endpoint.target_ref.name if endpoint.target_ref else "")
            for each in made
            if (each.metadata.labels or {})["kubernetes.io/service-name"] == asked.metadata.name
            for endpoint in each.endpoints or ()
        }
        assert found == expected


@given(clusters())
def test_completing_twice_changes_nothing(some: Cluster) -> None:
    once = complete(some).cluster
    again = complete(once)
    assert again.cluster == once


@given(LABELS)
def test_an_empty_selector_selects_nothing(labels: dict[str, str]) -> None:
    lonely = pod("a", "10.0.0.1", metadata={"labels": labels})
    assert not matches({}, labels)
    assert not matches(None, labels)
    assert PodIndex([lonely]).selected(service(selector={})) == []
    assert endpoint_slices(cluster(service(selector={}), lonely)) == []


@given(LABELS, st.lists(LABELS, max_size=6))
def test_the_index_finds_what_comparing_every_pod_finds(
    selector: dict[str, str], labels: list[dict[str, str]]
) -> None:
    everyone = [pod(f"p{i}", metadata={"labels": each}) for i, each in enumerate(labels)]
    asked = service(selector=selector)
    expected = [
        each for each in everyone if selector and selector.items() <= (each.metadata.labels or {}).items()
    ]
    assert PodIndex(everyone).selected(asked) == expected


@settings(max_examples=20)
@given(st.integers(0, 350))
def test_no_slice_holds_more_than_a_hundred_endpoints(count: int) -> None:
    everyone = [pod(f"p{i}", f"10.0.{i // 250}.{i % 250 + 1}") for i in range(count)]
    made = endpoint_slices(cluster(node("n1"), service(), *everyone))
    sizes = [len(each.endpoints or ()) for each in made]
    assert max(sizes) <= 100
    assert sum(sizes) == count
    assert len(made) == max(1, -(-count // 100))


@given(st.ip_addresses())
def test_addresses_are_read_as_python_reads_them(value: object) -> None:
    found = parse(str(value))
    assert found is not None
    mapped = getattr(value, "ipv4_mapped", None)
    assert found.text == str(mapped or value)


@given(st.text(alphabet="0123456789abcdef.:%", max_size=40))
def test_what_is_no_address_is_none_and_what_is_one_is_canonical(text: str) -> None:
    found = parse(text)
    if found is not None:
        assert parse(found.text) == found
        assert found.text == str(ip_address(found.packed))
