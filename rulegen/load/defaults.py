"""The defaults of the API, on typed objects (Kubernetes 1.37, core/v1 and discovery/v1).

Objects are filled in place right after they were decoded, while nothing else holds them: 10,000 Services are
not copied for a handful of fields. The exact way, on plain data, is :mod:`rulegen.load.api`.
"""

from __future__ import annotations

from msgspec.structs import force_setattr

from rulegen.model.objects import ClientIPConfig, EndpointSlice, Service, SessionAffinityConfig

CLIENT_IP_TIMEOUT = 10800
"""Seconds of session affinity where a Service with ClientIP affinity says none."""

EXTERNALLY_ACCESSIBLE = frozenset({"NodePort", "LoadBalancer"})


def fill_service(service: Service) -> Service:
    """The same Service with its defaults filled in; it must not be shared yet."""
    spec = service.spec
    if not spec.type:
        force_setattr(spec, "type", "ClusterIP")
    kind = spec.type
    for port in spec.ports or ():
        if not port.protocol:
            force_setattr(port, "protocol", "TCP")
        if not port.target_port:
            force_setattr(port, "target_port", port.port)
    if not spec.session_affinity:
        force_setattr(spec, "session_affinity", "None")
    if spec.session_affinity == "None":
        if spec.session_affinity_config is not None:
            force_setattr(spec, "session_affinity_config", None)
    elif spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config
        if config is None or config.client_ip is None or config.client_ip.timeout_seconds is None:
            timeout = ClientIPConfig(timeout_seconds=CLIENT_IP_TIMEOUT)
            force_setattr(spec, "session_affinity_config", SessionAffinityConfig(client_ip=timeout))
    accessible = kind in EXTERNALLY_ACCESSIBLE or (kind == "ClusterIP" and bool(spec.external_ips))
    if accessible and not spec.external_traffic_policy:
        force_setattr(spec, "external_traffic_policy", "Cluster")
    if spec.internal_traffic_policy is None and (kind in EXTERNALLY_ACCESSIBLE or kind == "ClusterIP"):
        force_setattr(spec, "internal_traffic_policy", "Cluster")
    if kind == "LoadBalancer":
        if spec.allocate_load_balancer_node_ports is None:
            force_setattr(spec, "allocate_load_balancer_node_ports", True)
        balancer = service.status.load_balancer if service.status else None
        for ingress in (balancer.ingress if balancer else None) or ():
            if ingress.ip and ingress.ip_mode is None:
                force_setattr(ingress, "ip_mode", "VIP")
    return service


def fill_slice(endpoint_slice: EndpointSlice) -> EndpointSlice:
    """The same EndpointSlice with its defaults filled in; it must not be shared yet."""
    for port in endpoint_slice.ports or ():
        if port.name is None:
            force_setattr(port, "name", "")
        if port.protocol is None:
            force_setattr(port, "protocol", "TCP")
    return endpoint_slice
