"""Plain, frozen, typed values: Kubernetes objects, the node, kube-proxy's configuration."""

from rulegen.model.cluster import Cluster, Origin
from rulegen.model.node import FAMILIES, Family, Mode, Node, ProxyConfig
from rulegen.model.objects import (
    Endpoint,
    Endpoints,
    EndpointSlice,
    KubeNode,
    Pod,
    Service,
    ServiceCIDR,
    ServicePort,
)

__all__ = [
    "FAMILIES",
    "Cluster",
    "Endpoint",
    "EndpointSlice",
    "Endpoints",
    "Family",
    "KubeNode",
    "Mode",
    "Node",
    "Origin",
    "Pod",
    "ProxyConfig",
    "Service",
    "ServiceCIDR",
    "ServicePort",
]
