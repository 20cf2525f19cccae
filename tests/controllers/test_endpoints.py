"""The Endpoints object of a Service, which `kubectl get endpoints` still shows."""

from rulegen.controllers import endpoints
from rulegen.model import Endpoints
from tests.controllers.objects import cluster, hand_made, pod, service, subset

PORTS = [
    {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"},
    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
]


def made(*objects: object) -> Endpoints:
    (only,) = endpoints(cluster(*objects))
    return only


def listed(given: Endpoints) -> list[tuple[list[str], list[str], list[int]]]:
    """Per subset: ready addresses, others, ports."""
    return [
        (
            [each.ip for each in part.addresses or ()],
            [each.ip for each in part.not_ready_addresses or ()],
            [port.port for port in part.ports or ()],
        )
        for part in given.subsets or ()
    ]


def test_ready_and_unready_pods_share_a_subset() -> None:
    found = made(service(), pod("a", "10.0.0.1"), pod("b", "10.0.0.2", ready=False))
    assert listed(found) == [(["10.0.0.1"], ["10.0.0.2"], [8080])]
    assert found.metadata.labels == {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def test_a_terminating_pod_is_not_listed_even_while_it_serves() -> None:
    assert listed(made(service(), pod("a", "10.0.0.1", deleted=True))) == []
    everything = service(publishNotReadyAddresses=True)
    assert listed(made(everything, pod("a", "10.0.0.1", deleted=True))) == [(["10.0.0.1"], [], [8080])]


def test_only_the_first_family_of_a_dual_stack_service_is_listed() -> None:
    found = made(service(ipFamilies=["IPv6", "IPv4"]), pod("a", "10.0.0.1", "fd00::1"), pod("b", "10.0.0.2"))
    assert listed(found) == [(["fd00::1"], [], [8080])]


def test_a_headless_service_without_ports_lists_addresses_only() -> None:
    found = made(service(clusterIP="None", ports=[]), pod("a", "10.0.0.1"))
    assert listed(found) == [(["10.0.0.1"], [], [])]
    assert found.metadata.labels is not None
    assert "service.kubernetes.io/headless" in found.metadata.labels


def test_pods_on_the_network_of_one_node_are_told_apart() -> None:
    found = made(service(), pod("a", "192.168.10.1"), pod("b", "192.168.10.1"))
    assert listed(found) == [(["192.168.10.1", "192.168.10.1"], [], [8080])]


def test_subsets_come_in_the_order_of_the_real_controller() -> None:
    """The order is that of a hash over the Pods' uids; these three were seen from Kubernetes 1.37.2."""

    def subsets(prefix: str) -> list[tuple[list[str], list[str], list[int]]]:
        def web(name: str, ip: str, port: int) -> object:
            named = [
                {"name": "http", "containerPort": port},
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            ]
            number = ip[-1]
            uid = {"uid": f"{prefix}{number}"}
            return pod(name, ip, containers=[{"name": "main", "ports": named}], metadata=uid)

        return listed(made(service(ports=PORTS), web("a", "10.0.0.1", 8080), web("b", "10.0.0.2", 8081)))

    nobody: list[str] = []
    a, b = (["10.0.0.1"], nobody, [8080]), (["10.0.0.2"], nobody, [8081])
    dns = (["10.0.0.1", "10.0.0.2"], nobody, [53])
    assert subsets("u") == [a, dns, b]
    assert subsets("v") == [b, a, dns]
    assert subsets("w") == [dns, b, a]


def test_beyond_1000_addresses_the_unready_are_cut_first() -> None:
    ready = [pod(f"r{i}", f"10.1.{i // 250}.{i % 250 + 1}") for i in range(990)]
    waiting = [pod(f"w{i}", f"10.2.0.{i + 1}", ready=False) for i in range(60)]
    found = made(service(), *ready, *waiting)
    ((addresses, others, _),) = listed(found)
    assert (len(addresses), len(others)) == (990, 10)
    assert found.metadata.annotations == {"endpoints.kubernetes.io/over-capacity": "truncated"}


def test_beyond_1000_ready_addresses_only_ready_ones_are_left() -> None:
    ready = [pod(f"r{i}", f"10.1.{i // 250}.{i % 250 + 1}") for i in range(1100)]
    ((addresses, others, _),) = listed(made(service(), *ready, pod("w", "10.2.0.1", ready=False)))
    assert (len(addresses), others) == (1000, [])


def test_what_stood_there_before_keeps_its_annotations_and_loses_its_labels() -> None:
    before = hand_made("web", subset("10.9.9.9"), labels={"old": "x"}, annotations={"note": "x"}, uid="u-1")
    found = made(service(metadata={"labels": {"team": "a"}}), pod("a", "10.0.0.1"), before)
    assert listed(found) == [(["10.0.0.1"], [], [8080])]
    assert found.metadata.uid == "u-1"
    assert found.metadata.annotations == {"note": "x"}
    assert found.metadata.labels == {"team": "a", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}


def test_endpoints_that_are_up_to_date_are_left_as_they_are() -> None:
    first = made(service(), pod("a", "10.0.0.1"))
    created = service(metadata={"creationTimestamp": "2026-01-01T00:00:00Z"})
    assert made(created, pod("a", "10.0.0.1"), first) is first


def test_a_pod_on_no_node_makes_an_object_that_the_api_server_refuses() -> None:
    given = cluster(service(), pod("a", "10.0.0.1", node=""))
    assert endpoints(given) == []
    (lenient,) = endpoints(given, require_nodes=False)
    assert listed(lenient) == [(["10.0.0.1"], [], [8080])]
