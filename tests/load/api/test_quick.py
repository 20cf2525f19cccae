"""The fast look: what it calls plainly right is right, and comes out the same."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulegen.load.api import Server, admit
from rulegen.load.api.quick import default_service, default_slice, service_is_plain, slice_is_plain
from rulegen.model import EndpointSlice, Service
from tests.load.api.objects import STEADY, endpoint_slice, service
from tests.recorded import cases

STORED = {"uid": "0c7e", "resourceVersion": "12", "creationTimestamp": "2024-01-01T00:00:00Z"}
FULL: dict[str, Any] = {
    "clusterIP": "10.96.0.7",
    "clusterIPs": ["10.96.0.7"],
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
}


def typed(obj: dict[str, Any]) -> Service | EndpointSlice | None:
    kind: type[Any] = Service if obj["kind"] == "Service" else EndpointSlice
    try:
        found: Service | EndpointSlice = msgspec.convert(obj, kind)
    except msgspec.ValidationError:
        return None
    return found


def agrees(obj: dict[str, Any]) -> bool:
    """Whether the fast look takes the object; then the exact way has to give the same."""
    value = typed(copy.deepcopy(obj))
    if value is None:
        return False
    plain = service_is_plain(value) if isinstance(value, Service) else slice_is_plain(value)
    if plain:
        stored = bool(value.metadata.uid or value.metadata.resource_version)
        admission = admit(obj, stored=stored, keep_status=True)
        assert admission.errors == ()
        assert admission.warnings == ()
        completed = default_service(value) if isinstance(value, Service) else default_slice(value)
        assert completed == typed(admission.result or {})
    return plain


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="the shortest"),
        pytest.param({"clusterIP": "10.96.0.7"}, id="an old client's"),
        pytest.param(FULL, id="with its addresses"),
        pytest.param({"clusterIP": "None"}, id="headless"),
        pytest.param({"clusterIP": "None", "selector": {"app": "web"}}, id="headless with a selector"),
        pytest.param({"clusterIP": "None", "ports": None}, id="headless without ports"),
        pytest.param({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}, id="a node port"),
        pytest.param({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, id="a load balancer"),
        pytest.param(
            {"ports": [{"name": "a", "port": 53, "protocol": "UDP"}, {"name": "b", "port": 53}]}, id="DNS"
        ),
        pytest.param({"sessionAffinity": "ClientIP", "trafficDistribution": "PreferSameNode"}, id="affinity"),
    ],
)
def test_services_that_clusters_are_full_of_are_plain(spec: dict[str, Any]) -> None:
    assert agrees(service(**spec))


def test_stored_objects_are_plain() -> None:
    stored = service(metadata={**STORED, "labels": {"app": "web"}, "generation": 2}, **FULL)
    stored["status"] = {"loadBalancer": {}}
    assert agrees(stored)
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "1", "controller": True}
    metadata = {**STORED, "generateName": "web-", "ownerReferences": [owner], "labels": {"a": ""}}
    endpoint = {
        "addresses": ["10.0.0.1"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": "n1.example",
        "zone": "z",
        "targetRef": {"kind": "Pod", "name": "web-0"},
        "hints": {"forZones": [{"name": "z"}]},
    }
    assert agrees(
        endpoint_slice(endpoint, {"addresses": ["10.0.0.2"]}, metadata=metadata, ports=[{"port": 80}])
    )
    assert agrees(endpoint_slice(metadata=metadata, ports=[]))


@pytest.mark.parametrize(
    "spec",
    [
        {"externalIPs": ["192.0.2.1"]},
        {"type": "ExternalName", "externalName": "db.example.com"},
        {"clusterIP": "10.96.0.1"},
        {"clusterIP": "010.96.0.7"},
        {"ports": [{"port": 0}]},
        {"ports": [{"port": 80, "nodePort": 30080}]},
        {"selector": {}},
        {"trafficDistribution": "PreferClose"},
    ],
)
def test_anything_unusual_goes_the_exact_way(spec: dict[str, Any]) -> None:
    assert not agrees(service(**spec))


def test_the_clusters_own_ranges_count() -> None:
    value = typed(service(clusterIP="10.43.0.7"))
    assert isinstance(value, Service)
    assert not service_is_plain(value)
    assert service_is_plain(value, Server(service_cidrs=("10.43.0.0/16",)))


@pytest.mark.parametrize("name", ["1.37-iptables", "1.37-nftables"])
def test_objects_of_recorded_scenarios_come_out_the_same_both_ways(name: str) -> None:
    plain = total = 0
    for case in cases(name):
        for obj in (*case["scenario"]["services"], *case["scenario"]["slices"]):
            plain += agrees(obj)
            total += 1
    assert plain > total / 3


@pytest.mark.parametrize("case", [case["object"] for case in cases("api-1.37")])
def test_no_recorded_fault_is_called_plain(case: dict[str, Any]) -> None:
    if case["kind"] != "Endpoints":
        agrees(case)


TEXTS = st.sampled_from(
    ["", "a", "a.b", "A", "a b", "-", "10.96.0.7", "fd00:10:96::7", "127.0.0.1", "x" * 64, "é"]
)
SCALARS = TEXTS | st.sampled_from([0, 1, 80, -1, 65536, 30080]) | st.booleans() | st.none()
PLACES = [
    *(
        ("metadata", key)
        for key in ("name", "namespace", "generateName", "uid", "resourceVersion", "generation")
    ),
    *(("spec", key) for key in ("type", "clusterIP", "sessionAffinity", "externalName", "loadBalancerIP")),
    *(("spec", key) for key in ("ipFamilyPolicy", "externalTrafficPolicy", "internalTrafficPolicy")),
    *(("spec", key) for key in ("healthCheckNodePort", "loadBalancerClass", "trafficDistribution")),
    *(
        ("spec", "ports", 0, key)
        for key in ("name", "port", "protocol", "targetPort", "nodePort", "appProtocol")
    ),
    *(("spec", key, 0) for key in ("clusterIPs", "ipFamilies")),
    ("metadata", "labels", "app"),
    ("metadata", "annotations", "app"),
]


@STEADY
@given(st.lists(st.tuples(st.sampled_from(PLACES), SCALARS), max_size=3), st.booleans())
def test_a_service_that_is_called_plain_is_what_admission_makes_of_it(
    changes: list[tuple[tuple[Any, ...], Any]], full: bool
) -> None:
    written = copy.deepcopy(service(metadata={"labels": {}, "annotations": {}}, **(FULL if full else {})))
    for (*way, last), value in changes:
        place: Any = written
        for step in way:
            place = place.setdefault(step, [None]) if isinstance(place, dict) else place[step]
        place[last] = value
    for part in ("labels", "annotations"):
        if not written["metadata"][part]:
            del written["metadata"][part]
    agrees(written)


ENDPOINT = st.fixed_dictionaries(
    {"addresses": st.lists(TEXTS | st.sampled_from(["10.0.0.1", "10.0.0.2"]), max_size=2)},
    optional={
        "nodeName": TEXTS,
        "hostname": TEXTS,
        "zone": TEXTS,
        "conditions": st.sampled_from([{}, {"ready": True}, {"ready": None}]),
        "hints": st.sampled_from([{}, {"forZones": []}, {"forZones": [{"name": "a"}, {"name": "a"}]}]),
    },
)


@STEADY
@given(st.lists(ENDPOINT, max_size=3), st.sampled_from(["IPv4", "IPv6", "FQDN", ""]), TEXTS, SCALARS)
def test_a_slice_that_is_called_plain_is_what_admission_makes_of_it(
    endpoints: list[dict[str, Any]], kind: str, name: str, port: Any
) -> None:
    ports = [{"name": name, "port": port}, {"protocol": "UDP"}]
    agrees(endpoint_slice(*endpoints, addressType=kind, ports=ports))
