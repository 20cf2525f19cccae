"""Where the endpoints of a Service come from when the input does not hold everything."""

import msgspec

from rulegen.controllers import complete
from rulegen.model import Cluster, EndpointSlice, Origin
from tests.controllers.objects import addresses, cluster, hand_made, node, pod, service, subset


def test_a_manifest_of_a_service_and_its_pods_is_enough() -> None:
    done = complete(cluster(service(), pod("a", "10.10.0.232"), pod("b", "10.10.1.86", node="n2")))
    (made,) = done.cluster.slices
    assert addresses(made) == ["10.10.0.232", "10.10.1.86"]
    assert done.sources[0].source == "pods"
    assert done.sources[0].slices == (made.metadata.name,)


def test_slices_that_were_given_are_kept_and_nothing_is_added() -> None:
    given = msgspec.convert(
        {
            "metadata": {
                "name": "web-x7k2q",
                "namespace": "shop",
                "labels": {"kubernetes.io/service-name": "web"},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"]}],
        },
        EndpointSlice,
    )
    before = cluster(service(), given, pod("a", "10.0.0.2"), hand_made("web", subset("10.0.0.3")))
    done = complete(before)
    assert done.cluster is before
    assert done.sources[0].source == "slices"


def test_endpoints_of_a_service_without_selector_are_mirrored() -> None:
    done = complete(cluster(service("db", selector={}), hand_made("db", subset("192.168.1.7"))))
    (made,) = done.cluster.slices
    assert addresses(made) == ["192.168.1.7"]
    assert done.sources[0].source == "endpoints"
    assert done.sources[0].note == ""


def test_a_dump_of_services_and_endpoints_without_pods_uses_the_endpoints() -> None:
    own_work = hand_made(
        "web", subset("10.0.0.1"), labels={"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    )
    done = complete(cluster(service(), own_work))
    assert [addresses(each) for each in done.cluster.slices] == [["10.0.0.1"]]
    assert done.sources[0].note == (
        "no Pod that its selector matches was given, so its Endpoints are taken as they are"
    )


def test_pods_know_more_than_the_endpoints_that_the_controller_made_of_them() -> None:
    own_work = hand_made(
        "web", subset("10.0.0.1"), labels={"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    )
    done = complete(cluster(service(), own_work, pod("a", "10.0.0.1"), pod("b", "10.0.0.2", deleted=True)))
    assert [addresses(each) for each in done.cluster.slices] == [["10.0.0.1", "10.0.0.2"]]
    assert done.sources[0].source == "pods"


def test_endpoints_written_by_hand_count_even_beside_a_selector() -> None:
    done = complete(cluster(service(), hand_made("web", subset("10.0.0.9")), pod("a", "10.0.0.1")))
    assert [addresses(each) for each in done.cluster.slices] == [["10.0.0.9"]]
    assert "made by hand" in done.sources[0].note


def test_endpoints_that_ask_not_to_be_mirrored_are_not() -> None:
    skipped = hand_made("db", subset("10.0.0.9"), labels={"endpointslice.kubernetes.io/skip-mirror": "true"})
    done = complete(cluster(service("db", selector={}), skipped))
    assert done.cluster.slices == ()
    assert done.sources[0].source == "none"
    assert done.sources[0].note == (
        "its Endpoints are not mirrored: they have the label endpointslice.kubernetes.io/skip-mirror"
    )


def test_the_api_servers_own_service_has_endpoints_although_they_skip_mirroring() -> None:
    home = {"namespace": "default", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}
    api = service("kubernetes", selector={}, metadata={"namespace": "default"})
    done = complete(cluster(api, hand_made("kubernetes", subset("192.168.10.1"), **home)))
    (made,) = done.cluster.slices
    assert made.metadata.name == "kubernetes"
    assert addresses(made) == ["192.168.10.1"]


def test_a_service_that_nothing_is_known_of_is_named_as_such() -> None:
    done = complete(cluster(service("db", selector={})))
    assert done.sources[0].note == "it has no selector, and neither EndpointSlices nor Endpoints were given"


def test_a_pod_on_a_node_that_was_not_given_still_counts() -> None:
    done = complete(cluster(service(), pod("a", "10.0.0.1", node="elsewhere")))
    assert [addresses(each) for each in done.cluster.slices] == [["10.0.0.1"]]


def test_slices_stand_where_the_object_stands_that_they_were_made_of() -> None:
    given = cluster(service(), pod("a", "10.0.0.1"))
    origins = {("Service", "shop", "web"): Origin("app.yaml", 12)}
    done = complete(msgspec.structs.replace(given, origins=origins))
    (made,) = done.cluster.slices
    assert str(done.cluster.origins["EndpointSlice", "shop", made.metadata.name]) == "app.yaml:12"


def test_an_empty_cluster_stays_empty() -> None:
    assert complete(Cluster()).cluster == Cluster()


def test_what_the_api_server_would_refuse_is_told_instead_of_missed() -> None:
    done = complete(cluster(service(), pod("a", "10.0.0.1"), pod("b", "169.254.1.1")))
    assert done.cluster.slices == ()
    assert done.sources[0].note == (
        "the API server refuses a slice of 2 IPv4 endpoints: the address 169.254.1.1"
        " may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    )


def test_hints_that_depend_on_nodes_which_were_not_given_are_missed_aloud() -> None:
    close = service(trafficDistribution="PreferSameZone")
    done = complete(
        cluster(node("n1", "zone-a"), close, pod("a", "10.0.0.1"), pod("b", "10.0.0.2", node="n2"))
    )
    assert done.sources[0].note == "hints of Pods on Node n2 are missing, as the Node was not given"


def test_a_service_in_auto_mode_that_gets_no_hints_says_why() -> None:
    auto = service(metadata={"annotations": {"service.kubernetes.io/topology-mode": "Auto"}})
    done = complete(cluster(node("n1", "zone-a", "4"), node("n2", "zone-b", "4"), auto, pod("a", "10.0.0.1")))
    assert done.sources[0].note == (
        "topology mode Auto gives no IPv4 hints: too few ready endpoints for the zones (1 endpoints, 2 zones)"
    )


def test_addresses_that_are_not_mirrored_are_counted() -> None:
    crowd = [f"10.9.{i // 250}.{i % 250 + 1}" for i in range(1003)]
    done = complete(cluster(service("db", selector={}), hand_made("db", subset(*crowd))))
    assert done.sources[0].note == "3 addresses beyond the first 1,000 are not mirrored"
