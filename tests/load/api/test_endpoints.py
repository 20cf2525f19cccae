"""EndpointSlices and Endpoints: what they may hold, and how much of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.load.api.objects import endpoint_slice, faults, manual_endpoints, remarks, taken

POD = {"addresses": ["10.0.0.1"]}


def test_a_port_without_a_name_or_protocol_gets_both() -> None:
    stored = taken(endpoint_slice(POD, ports=[{"port": 80}]))
    assert stored["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]


def test_an_empty_protocol_is_none() -> None:
    assert faults(endpoint_slice(POD, ports=[{"port": 80, "protocol": ""}])) == [
        'ports[0].protocol: Unsupported value: "": supported values: "SCTP", "TCP", "UDP"'
    ]
    assert faults(endpoint_slice(POD, ports=[{}, {}])) == ['ports[1].name: Duplicate value: ""']


def test_topology_of_the_beta_api_is_dropped() -> None:
    old = {**POD, "deprecatedTopology": {"topology.kubernetes.io/zone": "not a label value!"}}
    assert taken(endpoint_slice(old))["endpoints"] == [{**POD, "conditions": {}}]


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ({}, ["endpoints[0].addresses: Required value"]),
        (
            {"addresses": ["10.0.0.300"]},
            [
                'endpoints[0].addresses[0]: Invalid value: "10.0.0.300": '
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            ],
        ),
        (
            {"addresses": ["2001:db8::1"]},
            ['endpoints[0].addresses: Invalid value: "2001:db8::1": must be an IPv4 address'],
        ),
        (
            {"addresses": ["0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1"]},
            [
                'endpoints[0].addresses[0]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
                'endpoints[0].addresses[1]: Invalid value: "127.0.0.1": '
                "may not be in the loopback range (127.0.0.0/8, ::1/128)",
                'endpoints[0].addresses[2]: Invalid value: "169.254.1.1": '
                "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
                'endpoints[0].addresses[3]: Invalid value: "224.0.0.1": '
                "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
            ],
        ),
        (
            {"addresses": [f"10.0.1.{i}" for i in range(101)]},
            ["endpoints[0].addresses: Too many: 101: must have at most 100 items"],
        ),
        (
            {**POD, "hints": {"forZones": [{"name": f"z{i}"} for i in range(9)]}},
            ["endpoints[0].hints.forZones: Too many: 9: must have at most 8 items"],
        ),
        (
            {**POD, "hints": {"forNodes": [{"name": "a"}, {"name": "a"}]}},
            ['endpoints[0].hints.forNodes[1].name: Duplicate value: "a"'],
        ),
    ],
)
def test_endpoints_that_are_refused(endpoint: dict[str, Any], said: list[str]) -> None:
    assert faults(endpoint_slice(endpoint)) == said


def test_too_many_endpoints_are_counted_and_not_looked_at_one_by_one() -> None:
    many = [{"addresses": ["x"]} for _ in range(1001)]
    many[7] = {}
    assert faults(endpoint_slice(*many)) == [
        "endpoints[7].addresses: Required value",
        "endpoints: Too many: 1001: must have at most 1000 items",
    ]
    ports = [{"name": f"p{i}", "protocol": "x"} for i in range(20001)]
    assert faults(endpoint_slice(ports=ports)) == ["ports: Too many: 20001: must have at most 20000 items"]


def test_names_of_hosts_are_domain_names() -> None:
    names = endpoint_slice({"addresses": ["db.example.com.", "db", "", "a_.example.com"]}, addressType="FQDN")
    assert [fault.partition(": a ")[0].partition(" must ")[0] for fault in faults(names)] == [
        'endpoints[0].addresses[1]: Invalid value: "db": '
        "should be a domain with at least two segments separated by dots",
        "endpoints[0].addresses[2]: Required value",
        'endpoints[0].addresses[3]: Invalid value: "a_.example.com"',
    ]
    fine = endpoint_slice({"addresses": ["db.example.com"]}, addressType="FQDN")
    assert remarks(fine) == ["addressType: FQDN endpoints are deprecated"]


def test_addresses_of_controllers_are_not_warned_about() -> None:
    odd = {"addresses": ["10.0.0.1"]}
    ours = {"labels": {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}
    stored = endpoint_slice({"addresses": ["010.0.0.1"]}, metadata=ours)
    assert remarks(stored, stored=True) == []
    assert remarks(endpoint_slice(odd)) == []


def test_a_subset_has_addresses_and_its_ports_have_names() -> None:
    assert faults(manual_endpoints({"ports": [{"port": 80}, {"port": 81, "name": "b"}]})) == [
        "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
        "subsets[0].ports[0].name: Required value",
    ]


def test_an_address_that_is_none_is_said_twice_of_a_subset() -> None:
    wrong = manual_endpoints({"notReadyAddresses": [{"ip": "x", "nodeName": "a_b"}]})
    assert [fault.partition(": a ")[0] for fault in faults(wrong)] == [
        'subsets[0].notReadyAddresses[0].ip: Invalid value: "x": '
        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        'subsets[0].notReadyAddresses[0].nodeName: Invalid value: "a_b"',
        'subsets[0].notReadyAddresses[0].ip: Invalid value: "x": must be a valid IP address',
    ]


def test_the_same_fault_twice_is_said_once() -> None:
    twice = endpoint_slice({"addresses": ["10.0.0.1", "10.0.0.1"]}, addressType="IPv6")
    assert faults(twice) == ['endpoints[0].addresses: Invalid value: "10.0.0.1": must be an IPv6 address']
