"""A difference found in a crowd is told as a small story."""

import copy
from typing import Any

from rulegen.conformance.shrink import shrink


def crowd() -> dict[str, Any]:
    services = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"svc-{number}", "namespace": "default", "labels": {"app": "web"}},
            "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}], "type": "NodePort"},
        }
        for number in range(9)
    ]
    slices = [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"slice-{number}"},
            "endpoints": [{"addresses": [f"10.0.{number}.{last}"], "zone": "a"} for last in range(50)],
            "ports": [{"name": "a", "port": 80}],
        }
        for number in range(9)
    ]
    return {
        "name": "crowd",
        "version": "1.37",
        "mode": "iptables",
        "families": ["IPv4", "IPv6"],
        "config": {"kind": "KubeProxyConfiguration", "mode": "iptables", "clusterCIDR": "10.0.0.0/8"},
        "node": {"name": "node-a", "ips": ["192.168.10.11"]},
        "services": services,
        "slices": slices,
    }


def test_one_service_and_one_endpoint_remain_of_a_crowd() -> None:
    asked = 0

    def interesting(scenario: dict[str, Any]) -> bool:
        nonlocal asked
        asked += 1
        names = {item.get("metadata", {}).get("name") for item in scenario["services"]}
        endpoints = [e for item in scenario["slices"] for e in item.get("endpoints", ())]
        return "svc-4" in names and any(e.get("addresses") == ["10.0.7.33"] for e in endpoints)

    original = crowd()
    small = shrink(original, interesting)
    assert small == {
        "name": "crowd",
        "version": "1.37",
        "mode": "iptables",
        "families": [],
        "config": {"kind": "KubeProxyConfiguration", "mode": "iptables"},
        "node": {"name": "node-a"},
        "services": [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc-4"}}],
        "slices": [
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "endpoints": [{"addresses": ["10.0.7.33"]}],
            }
        ],
    }
    assert original == crowd()
    assert asked < 300


def test_what_is_only_interesting_together_stays_together() -> None:
    def interesting(scenario: dict[str, Any]) -> bool:
        return len(scenario["services"]) >= 3 and "IPv6" in scenario["families"]

    small = shrink(crowd(), interesting)
    assert len(small["services"]) == 3
    assert small["families"] == ["IPv6"]
    assert small["slices"] == []


def test_a_scenario_without_the_difference_is_left_alone() -> None:
    original = crowd()
    assert shrink(original, lambda scenario: False) == original


def test_fields_keep_their_order() -> None:
    original = crowd()
    kept = copy.deepcopy(original)
    shrink(original, lambda scenario: scenario == kept)
    assert list(original["services"][0]["spec"]) == list(kept["services"][0]["spec"])
