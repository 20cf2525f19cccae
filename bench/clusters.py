"""Clusters of any size for benchmarks: the same objects every time."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

import msgspec

from rulegen.model import Cluster, Endpoint, EndpointSlice, Node, ProxyConfig, Service, ServicePort
from rulegen.model.objects import EndpointConditions, EndpointPort, Metadata, ObjectReference, ServiceSpec

NODE = Node(
    name="node-0",
    labels={"topology.kubernetes.io/zone": "zone-a"},
    ips=("192.168.0.1",),
    pod_cidrs=("10.128.0.0/24",),
    interfaces={"lo": ("127.0.0.1/8",), "eth0": ("192.168.0.1/16",)},
)
CONFIG = ProxyConfig(cluster_cidrs=("10.128.0.0/9",))
CLUSTER_IPS = (96 << 16) + 16  # the first addresses are reserved, 10.96.0.1 is taken
POD_IPS = 128 << 16


def size(text: str) -> tuple[int, int]:
    """Services and endpoints of each, of ``10000x10``: for argparse."""
    services, _, endpoints = text.partition("x")
    if not (services.isdecimal() and endpoints.isdecimal() and int(services) and int(endpoints)):
        raise ArgumentTypeError(f"{text!r} is no size: SERVICESxENDPOINTS, such as 1000x10")
    return int(services), int(endpoints)


def address(base: int, number: int) -> str:
    value = base + number
    return f"10.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def service(number: int) -> Service:
    ip = address(CLUSTER_IPS, number)
    return Service(
        metadata=Metadata(name=f"svc-{number}", namespace=f"ns-{number % 50}"),
        spec=ServiceSpec(
            ports=[ServicePort(port=80, name="http", target_port=8080)],
            selector={"app": f"svc-{number}"},
            cluster_ip=ip,
            cluster_ips=[ip],
            ip_families=["IPv4"],
            ip_family_policy="SingleStack",
            internal_traffic_policy="Cluster",
        ),
    )


def endpoint_slice(number: int, endpoints: int, shift: int = 0) -> EndpointSlice:
    """The slice of a Service; ``shift`` gives its last endpoint another address."""
    ends = []
    for index in range(endpoints):
        ip = address(POD_IPS, number * endpoints + index)
        if shift and index == endpoints - 1:
            ip = address(255 << 16, shift)
        ends.append(
            Endpoint(
                addresses=[ip],
                conditions=EndpointConditions(True, True, False),
                node_name=f"node-{index}",
                zone="zone-a",
                target_ref=ObjectReference(
                    kind="Pod", namespace=f"ns-{number % 50}", name=f"svc-{number}-{index}"
                ),
            )
        )
    return EndpointSlice(
        metadata=Metadata(
            name=f"svc-{number}-abcde",
            namespace=f"ns-{number % 50}",
            labels={"kubernetes.io/service-name": f"svc-{number}"},
        ),
        address_type="IPv4",
        endpoints=ends,
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
    )


def cluster(services: int, endpoints: int) -> Cluster:
    """ClusterIP Services with one port each, every endpoint ready, one slice a Service."""
    return Cluster(
        services=tuple(service(number) for number in range(services)),
        slices=tuple(endpoint_slice(number, endpoints) for number in range(services)),
    )


def listing(services: int, endpoints: int) -> bytes:
    """The same objects as ``kubectl get services,endpointslices -A -o json`` prints them of a cluster."""
    objects = cluster(services, endpoints)
    # Kind and version are defaults of the types, which encoding leaves out.
    both: list[Service | EndpointSlice] = [*objects.services, *objects.slices]
    items: list[dict[str, Any]] = [
        {"apiVersion": item.api_version, "kind": item.kind, **msgspec.to_builtins(item)} for item in both
    ]
    for number, item in enumerate(items):
        _as_stored(item, number)
    text = msgspec.json.encode({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {}})
    return msgspec.json.format(text, indent=4)


def _as_stored(item: dict[str, Any], number: int) -> None:
    """What the API server and the controller add to an object."""
    metadata = item["metadata"]
    metadata["creationTimestamp"] = "2026-01-02T03:04:05Z"
    metadata["resourceVersion"] = str(1000 + number)
    metadata["uid"] = _uid(number)
    if item["kind"] == "Service":
        item["spec"] |= {"sessionAffinity": "None", "type": "ClusterIP"}
        for port in item["spec"]["ports"]:
            port["protocol"] = "TCP"
        item["status"] = {"loadBalancer": {}}
        return
    name = metadata["labels"]["kubernetes.io/service-name"]
    metadata["generateName"] = f"{name}-"
    metadata["generation"] = 2
    metadata["labels"]["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
    owner = {"apiVersion": "v1", "blockOwnerDeletion": True, "controller": True, "kind": "Service"}
    metadata["ownerReferences"] = [{**owner, "name": name, "uid": _uid(number)}]
    for index, endpoint in enumerate(item["endpoints"]):
        endpoint["targetRef"]["uid"] = _uid(number * 1000 + index)


def _uid(number: int) -> str:
    return str(UUID(int=number * 0x9E3779B97F4A7C15 % 2**128, version=4))
