"""EndpointSlices of a Service as its Pods come, go and differ."""

from rulegen.controllers import endpoint_slices
from rulegen.controllers.names import generated
from rulegen.model import EndpointSlice
from tests.controllers.objects import addresses, cluster, node, pod, service


def slices(*objects: object) -> list[EndpointSlice]:
    return endpoint_slices(cluster(node("n1", zone="zone-a"), node("n2", zone="zone-b"), *objects))


def test_the_beginners_service_has_one_slice_with_both_pods() -> None:
    (made,) = slices(service("ngx-svc"), pod("ngx-2", "10.10.1.86", node="n2"), pod("ngx-1", "10.10.0.232"))
    assert made.address_type == "IPv4"
    assert addresses(made) == ["10.10.0.232", "10.10.1.86"]
    assert [(port.name, port.port, port.protocol) for port in made.ports or ()] == [("http", 8080, "TCP")]


def test_a_slice_names_its_service_its_maker_and_its_owner() -> None:
    labelled = service(metadata={"labels": {"team": "a", "kubernetes.io/service-name": "liar"}, "uid": "u-1"})
    (made,) = slices(labelled, pod("a", "10.0.0.1"))
    assert made.metadata.labels == {
        "team": "a",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert made.metadata.owner_references == [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "name": "web",
            "uid": "u-1",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_the_name_looks_generated_but_is_the_same_in_every_run() -> None:
    (first,) = slices(service(), pod("a", "10.0.0.1"))
    (again,) = slices(service(), pod("b", "10.0.0.2"))
    assert first.metadata.generate_name == "web-"
    assert first.metadata.name == again.metadata.name
    assert first.metadata.name.startswith("web-")
    assert len(first.metadata.name) == len("web-") + 5


def test_a_long_service_name_is_cut_to_make_room_for_the_generated_end() -> None:
    (made,) = slices(service("s" * 63))
    assert made.metadata.generate_name == "s" * 63 + "-"
    assert made.metadata.name.startswith("s" * 58)
    assert len(made.metadata.name) == 63


def test_a_service_without_pods_has_one_empty_slice_per_family() -> None:
    made = slices(service(ipFamilies=["IPv6", "IPv4"]))
    assert [each.address_type for each in made] == ["IPv6", "IPv4"]
    assert all(each.endpoints == [] and each.ports == [] for each in made)


def test_a_dual_stack_service_has_slices_of_both_families() -> None:
    six, four = slices(service(ipFamilies=["IPv6", "IPv4"]), pod("a", "10.0.0.1", "fd00::1"))
    assert (addresses(six), addresses(four)) == (["fd00::1"], ["10.0.0.1"])


def test_a_headless_service_is_marked_and_may_have_no_ports() -> None:
    (made,) = slices(service(clusterIP="None", ports=[]), pod("a", "10.0.0.1"))
    assert made.metadata.labels is not None
    assert made.metadata.labels["service.kubernetes.io/headless"] == ""
    assert addresses(made) == ["10.0.0.1"]
    assert made.ports == []


def test_external_names_and_services_without_selector_have_no_slices() -> None:
    external = service("away", type="ExternalName", externalName="example.org", clusterIP="")
    assert slices(external, service("manual", selector={}), pod("a", "10.0.0.1")) == []


def test_250_pods_fill_three_slices() -> None:
    made = slices(service(), *(pod(f"p{i}", f"10.0.{i // 250}.{i % 250 + 1}") for i in range(250)))
    assert [len(each.endpoints or ()) for each in made] == [100, 100, 50]
    assert len({each.metadata.name for each in made}) == 3


def test_during_a_port_change_old_and_new_pods_have_slices_of_their_own() -> None:
    web = service(ports=[{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web"}])
    old = pod(
        "old", "10.0.0.1", containers=[{"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}]
    )
    new = pod(
        "new", "10.0.0.2", containers=[{"name": "c", "ports": [{"name": "web", "containerPort": 8081}]}]
    )
    none = pod("none", "10.0.0.3")
    made = slices(web, new, old, none)
    ports = [[port.port for port in each.ports or ()] for each in made]
    assert ports == [[], [8080], [8081]]
    assert [addresses(each) for each in made] == [["10.0.0.3"], ["10.0.0.1"], ["10.0.0.2"]]


def test_a_pod_whose_node_is_gone_is_skipped_unless_the_service_publishes_everything() -> None:
    lost = pod("a", "10.0.0.1", node="gone")
    assert [addresses(each) for each in slices(service(), lost)] == [[]]
    assert [addresses(each) for each in slices(service(publishNotReadyAddresses=True), lost)] == [
        ["10.0.0.1"]
    ]


def test_a_loopback_address_spoils_the_whole_slice_as_the_api_server_refuses_it() -> None:
    assert slices(service(), pod("a", "10.0.0.1"), pod("b", "127.0.0.1")) == []


def test_a_service_says_when_it_was_created_and_its_slice_repeats_it_in_utc() -> None:
    (made,) = slices(service(metadata={"creationTimestamp": "2026-01-02T03:04:05+01:00"}))
    assert made.metadata.annotations == {
        "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T02:04:05Z"
    }


def test_services_older_than_their_family_field_follow_the_cluster_ip() -> None:
    plain = pod("a", "10.0.0.1", "fd00::1")
    assert [each.address_type for each in slices(service(ipFamilies=[], clusterIP="fd00::9"), plain)] == [
        "IPv6"
    ]
    headless = slices(service(ipFamilies=[], clusterIP="None"), plain)
    assert [each.address_type for each in headless] == ["IPv4", "IPv6"]
    unallocated = slices(service(ipFamilies=[], clusterIP=""), plain)
    assert [each.address_type for each in unallocated] == ["IPv4"]
    dual = slices(service(ipFamilies=[], clusterIP="", ipFamilyPolicy="PreferDualStack"), plain)
    assert [each.address_type for each in dual] == ["IPv4", "IPv6"]


def test_a_name_that_is_taken_is_passed_over() -> None:
    first = generated("web-", "shop", "web")
    second = generated("web-", "shop", "web", taken={first})
    assert second != first
    assert second.startswith("web-")


def test_a_creation_time_that_cannot_be_read_is_not_repeated() -> None:
    for odd in ("yesterday", "2026-01-02T03:04:05"):
        (made,) = slices(service(metadata={"creationTimestamp": odd}))
        assert made.metadata.annotations is None
