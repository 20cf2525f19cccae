"""Objects for tests, as short as a sentence; everything that is not said is a plain default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rulegen.model import Cluster, Endpoint, EndpointSlice, Node, ProxyConfig, Service, ServicePort
from rulegen.model.objects import (
    ClientIPConfig,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    ForNode,
    ForZone,
    LoadBalancerIngress,
    LoadBalancerStatus,
    Metadata,
    ServiceSpec,
    ServiceStatus,
    SessionAffinityConfig,
)

NODE = Node(
    name="n1",
    labels={"topology.kubernetes.io/zone": "zone-a"},
    ips=("192.168.10.1",),
    pod_cidrs=("10.10.0.0/24",),
    interfaces={"lo": ("127.0.0.1/8", "::1/128"), "eth0": ("192.168.10.1/24",)},
)
CONFIG = ProxyConfig(cluster_cidrs=("10.10.0.0/16",))


def service(
    name: str = "web",
    *,
    namespace: str = "default",
    ip: str = "10.96.0.10",
    ports: Sequence[ServicePort] | None = None,
    affinity: int = 0,
    vips: Sequence[str] = (),
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Service:
    """A Service with one TCP port 80; ``affinity`` in seconds, ``vips`` of its load balancer."""
    family = "IPv6" if ":" in ip else "IPv4"
    if affinity:
        spec["session_affinity"] = "ClientIP"
        spec["session_affinity_config"] = SessionAffinityConfig(
            client_ip=ClientIPConfig(timeout_seconds=affinity)
        )
    status = None
    if vips:
        ingress = [LoadBalancerIngress(ip=vip) for vip in vips]
        status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress))
    return Service(
        metadata=Metadata(name=name, namespace=namespace, labels=labels),
        spec=ServiceSpec(
            ports=list(ports) if ports is not None else [ServicePort(port=80)],
            cluster_ip=ip,
            cluster_ips=[ip],
            ip_families=[family],
            **spec,
        ),
        status=status,
    )


def endpoint(
    ip: str,
    node: str | None = "n2",
    *,
    ready: bool = True,
    serving: bool = True,
    terminating: bool = False,
    zones: Sequence[str] = (),
    nodes: Sequence[str] = (),
) -> Endpoint:
    hints = None
    if zones or nodes:
        hints = EndpointHints(
            for_zones=[ForZone(zone) for zone in zones] or None,
            for_nodes=[ForNode(name) for name in nodes] or None,
        )
    return Endpoint(
        addresses=[ip],
        conditions=EndpointConditions(ready, serving, terminating),
        node_name=node,
        hints=hints,
    )


def slice_of(
    owner: Service,
    endpoints: Sequence[Endpoint | str],
    *,
    name: str = "",
    port: int = 8080,
    port_name: str = "",
    protocol: str = "TCP",
    family: str = "IPv4",
) -> EndpointSlice:
    """A slice of a Service; an endpoint may be given as its address alone."""
    return EndpointSlice(
        metadata=Metadata(
            name=name or f"{owner.metadata.name}-abc",
            namespace=owner.metadata.namespace,
            labels={"kubernetes.io/service-name": owner.metadata.name},
        ),
        address_type=family,
        endpoints=[endpoint(e) if isinstance(e, str) else e for e in endpoints],
        ports=[EndpointPort(name=port_name, port=port, protocol=protocol)],
    )


def cluster(*objects: Service | EndpointSlice) -> Cluster:
    return Cluster(
        services=tuple(o for o in objects if isinstance(o, Service)),
        slices=tuple(o for o in objects if isinstance(o, EndpointSlice)),
    )
