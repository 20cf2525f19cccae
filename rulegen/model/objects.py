"""Kubernetes objects as the API server stores them: typed, frozen, defaults applied.

The fields are those of the ``v1`` and ``discovery.k8s.io/v1`` APIs of Kubernetes 1.37 under their Python
names. Every known field is listed (those that no rule depends on as plain data), so that decoding can tell
an unknown field from a known one. Objects are made by :mod:`rulegen.load`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

Labels: TypeAlias = dict[str, str]


class Object(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of every API type: immutable, compared by value, field names in camelCase on the wire."""


class Metadata(Object, frozen=True, kw_only=True):
    """``metadata`` of an object (the part of ObjectMeta that matters here; the rest is kept as data)."""

    name: str = ""
    namespace: str = ""
    labels: Labels | None = None
    annotations: Labels | None = None
    uid: str = ""
    resource_version: str = ""
    generate_name: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    generation: int | None = None
    self_link: str = ""
    finalizers: list[str] | None = None
    owner_references: list[dict[str, Any]] | None = None
    managed_fields: list[dict[str, Any]] | None = None


class ServicePort(Object, frozen=True, kw_only=True):
    """One port of a Service. Ports are 1-65535; ``node_port`` is 0 where none is set."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str = 0
    node_port: int = 0
    app_protocol: str | None = None


class ClientIPConfig(Object, frozen=True, kw_only=True):
    timeout_seconds: int | None = None


class SessionAffinityConfig(Object, frozen=True, kw_only=True):
    client_ip: ClientIPConfig | None = msgspec.field(name="clientIP", default=None)


class ServiceSpec(Object, frozen=True, kw_only=True):
    ports: list[ServicePort] | None = None
    selector: Labels | None = None
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    cluster_ips: list[str] | None = msgspec.field(name="clusterIPs", default=None)
    type: str = "ClusterIP"
    external_ips: list[str] | None = msgspec.field(name="externalIPs", default=None)
    session_affinity: str = "None"
    load_balancer_ip: str = msgspec.field(name="loadBalancerIP", default="")
    load_balancer_source_ranges: list[str] | None = None
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: int = 0
    publish_not_ready_addresses: bool = False
    session_affinity_config: SessionAffinityConfig | None = None
    ip_families: list[str] | None = None
    ip_family_policy: str | None = None
    allocate_load_balancer_node_ports: bool | None = None
    load_balancer_class: str | None = None
    internal_traffic_policy: str | None = None
    traffic_distribution: str | None = None


class LoadBalancerIngress(Object, frozen=True, kw_only=True):
    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None
    ports: list[dict[str, Any]] | None = None


class LoadBalancerStatus(Object, frozen=True, kw_only=True):
    ingress: list[LoadBalancerIngress] | None = None


class ServiceStatus(Object, frozen=True, kw_only=True):
    load_balancer: LoadBalancerStatus | None = None
    conditions: list[dict[str, Any]] | None = None


class Service(Object, frozen=True, kw_only=True):
    """A ``v1`` Service."""

    api_version: str = "v1"
    kind: str = "Service"
    metadata: Metadata
    spec: ServiceSpec
    status: ServiceStatus | None = None


class ObjectReference(Object, frozen=True, kw_only=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    resource_version: str = ""
    field_path: str = ""


class EndpointConditions(Object, frozen=True):
    """A missing condition counts as ready, as serving, and as not terminating."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForZone(Object, frozen=True):
    name: str


class ForNode(Object, frozen=True):
    name: str


class EndpointHints(Object, frozen=True, kw_only=True):
    for_zones: list[ForZone] | None = None
    for_nodes: list[ForNode] | None = None


class Endpoint(Object, frozen=True, kw_only=True):
    """One endpoint of a slice; kube-proxy uses the first of its ``addresses`` only."""

    addresses: list[str]
    conditions: EndpointConditions | None = None
    hostname: str | None = None
    target_ref: ObjectReference | None = None
    deprecated_topology: Labels | None = None
    node_name: str | None = None
    zone: str | None = None
    hints: EndpointHints | None = None


class EndpointPort(Object, frozen=True, kw_only=True):
    """A port of a slice. Name, port and protocol may each be absent in stored objects."""

    name: str | None = None
    port: int | None = None
    protocol: str | None = None
    app_protocol: str | None = None


class EndpointSlice(Object, frozen=True, kw_only=True):
    """A ``discovery.k8s.io/v1`` EndpointSlice."""

    api_version: str = "discovery.k8s.io/v1"
    kind: str = "EndpointSlice"
    metadata: Metadata
    address_type: str
    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None


class EndpointAddress(Object, frozen=True, kw_only=True):
    ip: str
    hostname: str = ""
    node_name: str | None = None
    target_ref: ObjectReference | None = None


class SubsetPort(Object, frozen=True, kw_only=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None


class EndpointSubset(Object, frozen=True, kw_only=True):
    addresses: list[EndpointAddress] | None = None
    not_ready_addresses: list[EndpointAddress] | None = None
    ports: list[SubsetPort] | None = None


class Endpoints(Object, frozen=True, kw_only=True):
    """A ``v1`` Endpoints object, hand-made or from the endpoints controller."""

    api_version: str = "v1"
    kind: str = "Endpoints"
    metadata: Metadata
    subsets: list[EndpointSubset] | None = None


class Partial(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True):
    """Base of API types of which only some fields are of interest; the others are passed over."""


class ContainerPort(Partial, frozen=True, kw_only=True):
    container_port: int
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0


class Container(Partial, frozen=True, kw_only=True):
    name: str = ""
    image: str = ""
    ports: list[ContainerPort] | None = None
    restart_policy: str | None = None


class PodReadinessGate(Partial, frozen=True, kw_only=True):
    condition_type: str = ""


class PodSpec(Partial, frozen=True, kw_only=True):
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    node_name: str = ""
    host_network: bool = False
    hostname: str = ""
    subdomain: str = ""
    restart_policy: str = "Always"
    readiness_gates: list[PodReadinessGate] | None = None


class PodIP(Partial, frozen=True):
    ip: str = ""


class Condition(Partial, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class PodStatus(Partial, frozen=True, kw_only=True):
    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    pod_ips: list[PodIP] | None = msgspec.field(name="podIPs", default=None)
    conditions: list[Condition] | None = None
    host_ip: str = msgspec.field(name="hostIP", default="")


class Pod(Partial, frozen=True, kw_only=True):
    """A ``v1`` Pod: what endpoints, names and tables are made from."""

    api_version: str = "v1"
    kind: str = "Pod"
    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class NodeAddress(Partial, frozen=True):
    type: str = ""
    address: str = ""


class NodeSpec(Partial, frozen=True, kw_only=True):
    pod_cidr: str = msgspec.field(name="podCIDR", default="")
    pod_cidrs: list[str] | None = msgspec.field(name="podCIDRs", default=None)
    unschedulable: bool = False


class NodeStatus(Partial, frozen=True, kw_only=True):
    addresses: list[NodeAddress] | None = None
    conditions: list[Condition] | None = None
    allocatable: dict[str, Any] | None = None
    capacity: dict[str, Any] | None = None


class KubeNode(Partial, frozen=True, kw_only=True):
    """A ``v1`` Node object. What rules depend on is drawn from it into :class:`rulegen.model.Node`."""

    api_version: str = "v1"
    kind: str = "Node"
    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServiceCIDRSpec(Partial, frozen=True):
    cidrs: list[str] | None = None


class ServiceCIDR(Partial, frozen=True, kw_only=True):
    """A ``networking.k8s.io/v1`` ServiceCIDR."""

    api_version: str = "networking.k8s.io/v1"
    kind: str = "ServiceCIDR"
    metadata: Metadata
    spec: ServiceCIDRSpec = ServiceCIDRSpec()
