"""Why an endpoint is used on this node, or not: every "no" has a reason that is true."""

from __future__ import annotations

import msgspec

from rulegen.model import Endpoint, ServicePort
from rulegen.model.objects import ObjectReference
from rulegen.plan import plan
from rulegen.plan.explain import PortVerdicts, explain
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of


def explained(endpoints: list[Endpoint], **spec: object) -> PortVerdicts:
    web = service(**spec)  # type: ignore[arg-type]
    given = cluster(web, slice_of(web, endpoints))
    return explain(plan(given, NODE, CONFIG, "IPv4"), given.slices, "default", "web")[0]


def reasons(endpoints: list[Endpoint], **spec: object) -> list[str]:
    return [verdict.why for verdict in explained(endpoints, **spec).verdicts]


def of_pod(name: str, what: Endpoint) -> Endpoint:
    return msgspec.structs.replace(what, target_ref=ObjectReference(kind="Pod", name=name))


def draining(ip: str, node: str = "n2") -> Endpoint:
    return endpoint(ip, node, ready=False, terminating=True)


NODE_PORT = {"type": "NodePort", "ports": [ServicePort(port=80, node_port=30080)]}


def test_under_the_policy_local_an_endpoint_elsewhere_never_counts_draining_or_not() -> None:
    found = explained([draining("10.10.1.1")], internal_traffic_policy="Local")
    assert found.verdicts[0].why == "policy Local, and it is on node n2"
    assert found.summary == (
        "0 of 1 is ready; internal traffic is dropped: policy Local, and no usable endpoint is on this node."
    )
    assert reasons([endpoint("10.10.1.1", None)], internal_traffic_policy="Local") == [
        "policy Local, and it is on no node that is known"
    ]


def test_an_endpoint_that_drains_waits_for_the_ready_ones_of_its_policy_to_go() -> None:
    here = [endpoint("10.10.0.1", "n1"), draining("10.10.0.2", "n1")]
    assert reasons(here, internal_traffic_policy="Local")[1] == (
        "terminating, and others on this node are ready"
    )
    assert reasons(here)[1] == "terminating, and others are ready"
    assert reasons([draining("10.10.0.2", "n1")]) == [
        "terminating but still serving: nothing is ready anywhere"
    ]


def test_the_last_one_to_drain_here_serves_only_what_may_not_leave_the_node() -> None:
    endpoints = [draining("10.10.0.2", "n1"), endpoint("10.10.1.1")]
    assert reasons(endpoints, external_traffic_policy="Local", **NODE_PORT) == [
        "terminating but still serving: nothing is ready on this node;"
        " only for traffic under the policy Local",
        "ready; not for external traffic: policy Local, on node n2",
    ]


def test_with_both_policies_local_remote_endpoints_serve_this_side_of_external_addresses() -> None:
    remote = explained(
        [endpoint("10.10.0.1", "n1"), endpoint("10.10.1.1")],
        internal_traffic_policy="Local",
        external_traffic_policy="Local",
        **NODE_PORT,
    ).verdicts[1]
    assert remote.cluster and not (remote.local or remote.internal or remote.external)
    assert remote.why == (
        "ready; only for traffic of this node and of pods to external addresses: policy Local, on node n2"
    )


def test_hints_keep_a_local_endpoint_for_what_must_stay_on_the_node() -> None:
    endpoints = [endpoint("10.10.0.1", "n1", zones=["zone-b"]), endpoint("10.10.1.1", zones=["zone-a"])]
    assert reasons(endpoints)[0] == "zone hints: this node is in zone-a, the endpoint is for zone-b"
    assert reasons(endpoints, external_traffic_policy="Local", **NODE_PORT)[0] == (
        "ready; only for traffic under the policy Local: hints keep other traffic away"
    )


def test_what_the_service_published_before_it_was_ready_is_said_to_be_so() -> None:
    assert reasons([endpoint("10.10.0.1", serving=False), endpoint("10.10.0.2", terminating=True)]) == [
        "marked ready though not serving, as publishNotReadyAddresses does",
        "marked ready though terminating, as publishNotReadyAddresses does",
    ]


def test_an_address_that_is_listed_twice_counts_once_and_the_other_says_where() -> None:
    web = service()
    old = slice_of(
        web, [of_pod("a", endpoint("10.10.0.1")), of_pod("b", draining("10.10.0.2"))], name="web-1"
    )
    new = slice_of(
        web, [of_pod("a", endpoint("10.10.0.1")), of_pod("c", endpoint("10.10.0.2"))], name="web-2"
    )
    given = cluster(web, old, new)
    found = explain(plan(given, NODE, CONFIG, "IPv4"), given.slices, "default", "web")[0]
    assert [(v.pod, v.source, v.order, v.why) for v in found.verdicts] == [
        ("a", "web-2", 1, "ready"),
        ("c", "web-2", 2, "ready"),
        ("a", "web-1", 0, "listed again in slice web-2, and that counts"),
        ("b", "web-1", 0, "c in slice web-2 has the same address, and counts"),
    ]


def test_the_second_address_of_an_endpoint_is_listed_as_not_used() -> None:
    two = msgspec.structs.replace(endpoint("10.10.0.1"), addresses=["10.10.0.1", "10.10.0.9"])
    assert [(v.address, v.order, v.why) for v in explained([two]).verdicts] == [
        ("10.10.0.1:8080", 1, "ready"),
        ("10.10.0.9:8080", 0, "kube-proxy uses the first address of an endpoint only"),
    ]


def test_slices_that_serve_another_port_or_family_say_so() -> None:
    web = service()
    others = [
        slice_of(web, ["10.10.0.1"], name="web-1", port_name="metrics"),
        slice_of(web, ["fd00::1"], name="web-2", family="IPv6"),
        slice_of(web, ["10.10.0.3"], name="web-3", protocol="UDP"),
    ]
    given = cluster(web, *others)
    found = explain(plan(given, NODE, CONFIG, "IPv4"), given.slices, "default", "web")[0]
    assert [v.why for v in found.verdicts] == [
        "port not served: the Service wants (unnamed)/TCP, the slice has metrics/TCP",
        "wrong family: IPv6, these are the IPv4 rules",
        "port not served: the Service wants (unnamed)/TCP, the slice has (unnamed)/UDP",
    ]
    assert found.summary == "No endpoint was found: connections are refused."
