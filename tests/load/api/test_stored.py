"""Objects that come from a cluster: nothing that only a create checks refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.load.api.objects import endpoint_slice, faults, manual_endpoints, remarks, service, taken

STORED = {"uid": "0c7e", "resourceVersion": "12", "generation": 3}


def test_metadata_and_status_stay_as_they_are() -> None:
    balancer = service(type="LoadBalancer", clusterIP="10.0.0.7", metadata=STORED)
    balancer["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    stored = taken(balancer, stored=True)
    assert {**stored["metadata"], **STORED} == stored["metadata"]
    assert stored["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]


def test_a_service_that_is_older_than_dual_stack_is_read_as_single_stack() -> None:
    old = taken(service(clusterIP="fd00::7", metadata=STORED), stored=True)["spec"]
    assert (old["clusterIPs"], old["ipFamilies"], old["ipFamilyPolicy"]) == (
        ["fd00::7"],
        ["IPv6"],
        "SingleStack",
    )


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"clusterIP": "10.43.0.1"}, id="an address outside of the ranges"),
        pytest.param({"clusterIP": "010.043.000.007"}, id="leading zeros"),
        pytest.param({"clusterIP": "::ffff:10.43.0.7"}, id="an address mapped to IPv6"),
        pytest.param(
            {"type": "NodePort", "clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 8080}]},
            id="a node port outside of the range",
        ),
        pytest.param(
            {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "loadBalancerSourceRanges": ["10.0.0.1/8"]},
            id="host bits",
        ),
        pytest.param(
            {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "externalTrafficPolicy": "Local"},
            id="no health check",
        ),
    ],
)
def test_what_is_stored_already_is_taken(spec: dict[str, Any]) -> None:
    assert taken(service(metadata=STORED, **spec), stored=True)
    assert faults(service(metadata={"resourceVersion": "12"}, **spec))


def test_what_would_break_rules_is_refused_all_the_same() -> None:
    wrong = service(name="x\ny", clusterIP="10.0.0", metadata=STORED, ports=[{"port": 70000, "name": "a b"}])
    assert [fault.partition(":")[0] for fault in faults(wrong, stored=True)] == [
        "metadata.name",
        "spec.ports[0].name",
        "spec.ports[0].port",
        "spec.ports[0].targetPort",
        "spec.clusterIPs[0]",
    ]


def test_an_object_to_be_created_has_no_version_yet() -> None:
    assert faults(service(metadata={"resourceVersion": "12"})) == [
        "metadata.resourceVersion: resourceVersion should not be set on objects to be created"
    ]


def test_slices_and_endpoints_keep_legacy_addresses() -> None:
    legacy = endpoint_slice({"addresses": ["2001:DB8::1"]}, addressType="IPv6", metadata=STORED)
    assert taken(legacy, stored=True)
    assert remarks(legacy, stored=True) == [
        'endpoints[0].addresses[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format '
        '("2001:db8::1")'
    ]
    assert faults(legacy) == [
        'endpoints[0].addresses[0]: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")'
    ]
    old = manual_endpoints({"addresses": [{"ip": "010.0.0.1"}]}, **STORED)
    assert taken(old, stored=True)
    assert faults(endpoint_slice({"addresses": ["10.0.0.300"]}, metadata=STORED), stored=True)
