"""No input can add a line to the rules, or break out of one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rulegen
from rulegen.iptables import compile_rules, restore
from rulegen.model import ProxyConfig
from rulegen.plan import plan
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "prod", "uid": "1"},
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.96.0.10",
        "clusterIPs": ["10.96.0.10"],
        "ipFamilies": ["IPv4"],
        "externalIPs": ["198.51.100.1"],
        "loadBalancerSourceRanges": ["203.0.113.0/24"],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}],
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.2"}]}},
}
SLICE: dict[str, Any] = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "web-1", "namespace": "prod", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    "endpoints": [{"addresses": ["10.10.0.1"], "nodeName": "n1", "zone": "a"}],
}
LINES = len(restore(compile_rules(plan(rulegen.load([SERVICE, SLICE]), NODE, CONFIG, "IPv4"))).splitlines())


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all strings in an object."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))
    elif isinstance(value, str):
        yield path


def replaced(value: Any, path: tuple[Any, ...], text: str) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = text
    return changed


EVIL = st.one_of(
    st.sampled_from(
        [
            "web\n-A INPUT -j DROP",
            'web" -j DROP',
            "web -j ACCEPT",
            "web\r\n*filter",
            "web\u2028COMMIT",
            "10.0.0.1\nCOMMIT",
            "10.0.0.0/8 -j DROP",
            "web\x00",
            "$(reboot)",
            "web\\",
            "-A",
        ]
    ),
    st.text(max_size=20),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([(0, p) for p in places(SERVICE)] + [(1, p) for p in places(SLICE)]), EVIL)
def test_text_from_a_manifest_is_refused_or_stays_inside_its_rule(place: tuple[int, Any], text: str) -> None:
    objects = [SERVICE, SLICE]
    objects[place[0]] = replaced(objects[place[0]], place[1], text)
    try:
        loaded = rulegen.load(objects)
    except rulegen.LoadError:
        return
    for family in ("IPv4", "IPv6"):
        for line in restore(compile_rules(plan(loaded, NODE, CONFIG, family))).split("\n"):
            assert (
                line == "" or line in ("*filter", "*nat", "COMMIT") or line.startswith((":KUBE-", "-A KUBE-"))
            )
            assert line.isascii() and line.isprintable() and line.count('"') in (0, 2)
            assert line.count(" -j ") <= 1


def test_the_manifest_itself_is_accepted() -> None:
    assert LINES == 40


@pytest.mark.parametrize("evil", ['web" -j ACCEPT', "web\nCOMMIT", "web -j DROP", ""])
def test_objects_made_by_hand_cannot_carry_text_into_rules_either(evil: str) -> None:
    for bad in (
        service(name=evil or " "),
        service(namespace=evil or "\t"),
        service(ip=evil or "10.0.0.256"),
    ):
        with pytest.raises(ValueError, match="Service"):
            plan(cluster(bad), NODE, CONFIG, "IPv4")
    web = service()
    with pytest.raises(ValueError, match="no IP address"):
        plan(cluster(web, slice_of(web, [endpoint(evil or "x")])), NODE, CONFIG, "IPv4")


@pytest.mark.parametrize("device", ["", "eth0 -j DROP", "eth0\n", "a" * 16, 'eth"'])
def test_devices_that_the_kernel_would_not_know_are_refused(device: str) -> None:
    config = ProxyConfig(detect_local_mode="BridgeInterface", bridge_interface=device)
    with pytest.raises(ValueError, match="no name of a network device"):
        plan(cluster(), NODE, config, "IPv4")
