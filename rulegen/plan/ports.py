"""Service ports: what one port of one Service asks of a node, for one IP family."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from rulegen.model import Family, Service
from rulegen.plan.addresses import canonical, networks_of

# What rules are labelled with. Loading has checked names already, in the API server's words; this is for
# objects that were made by hand: text that could break out of its line never enters a rule.
_SAFE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP"})

PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    """One port of a Service as kube-proxy sees it (pkg/proxy/serviceport.go, 1.37).

    ``name`` is ``namespace/service`` or ``namespace/service:port``, the text that rules are labelled with.
    ``protocol`` is ``TCP``, ``UDP`` or ``SCTP``. Addresses are canonical text of ``family``. ``node_port``
    and ``health_check_node_port`` are 0 where there is none; ``affinity_seconds`` is 0 without session
    affinity. ``external_ips`` are those that get rules; ``accessible`` also counts external IPs that a
    feature gate keeps from getting any.
    """

    namespace: str
    service: str
    port_name: str
    protocol: str
    name: str
    family: Family
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_vips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0
    health_check_node_port: int = 0
    external_local: bool = False
    internal_local: bool = False
    accessible: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The order of everything: namespace, Service, port name, protocol."""
        return (self.namespace, self.service, self.port_name, self.protocol)

    @property
    def uses_cluster(self) -> bool:
        """Whether any traffic goes to endpoints anywhere.

        That is so for internal traffic under the policy Cluster, and for external destinations under either:
        traffic from the node and its pods to them is short-circuited to all endpoints.
        """
        return not self.internal_local or self.accessible

    @property
    def uses_local(self) -> bool:
        """Whether any traffic goes to this node's endpoints only."""
        return self.internal_local or (self.external_local and self.accessible)


def skip_reason(service: Service, family: Family) -> str | None:
    """Why kube-proxy makes no rules for the Service in this family; None where it does make some."""
    labels = service.metadata.labels
    if labels and PROXY_NAME_LABEL in labels:
        return f"label {PROXY_NAME_LABEL} gives it to another proxy"
    spec = service.spec
    if spec.type == "ExternalName":
        return "type ExternalName: a DNS name, no address to capture"
    if spec.cluster_ip == "None":
        return "headless: clients connect to the endpoints themselves"
    if not spec.cluster_ip:
        return "no clusterIP has been allocated; with one in its manifest it gets rules"
    if not cluster_ip_of(service, family):
        return f"no {family} cluster IP"
    return None


def cluster_ip_of(service: Service, family: Family) -> str:
    """The cluster IP of one family as the object has it, or ``""``."""
    spec = service.spec
    if not spec.ip_families:
        # Written before dual stack: clusterIP alone tells the family.
        ip = spec.cluster_ip
        return ip if ip and ip != "None" and (":" in ip) == (family == "IPv6") else ""
    ips = spec.cluster_ips or ()
    for index, candidate in enumerate(spec.ip_families):
        if candidate == family and index < len(ips):
            return ips[index]
    return ""


def service_ports(
    services: Iterable[Service],
    family: Family,
    feature_gates: Mapping[str, bool],
    *,
    ip_mode: bool = True,
) -> list[ServicePort]:
    """The ports of all Services that get rules in ``family``, in their fixed order.

    ``ip_mode`` says that load balancers' addresses of ipMode Proxy are left out, as since Kubernetes 1.30.

    Raises ValueError for names, protocols and addresses that have no place in a rule.
    """
    with_external_ips = feature_gates.get("AllowServiceExternalIPs", True)
    ports: dict[str, ServicePort] = {}
    for service in services:
        if skip_reason(service, family) is None:
            for port in _ports_of(service, family, with_external_ips, ip_mode):
                # Ordered as `key` is: the separator comes before every letter that names may have.
                key = f"{port.namespace}\0{port.service}\0{port.port_name}\0{port.protocol}"
                ports[key] = port
    return [ports[key] for key in sorted(ports)]


def _of_family(ips: Iterable[str], family: Family) -> tuple[str, ...]:
    plain = (canonical(ip) for ip in ips)
    return tuple(ip for ip in plain if ip is not None and (":" in ip) == (family == "IPv6"))


def _check(service: Service) -> None:
    """A look at everything that will stand in the text of rules, but addresses."""
    metadata = service.metadata
    ports = service.spec.ports or ()
    for text in (metadata.namespace, metadata.name, *[port.name for port in ports]):
        if text != "" and _SAFE.fullmatch(text) is None:
            raise ValueError(f"Service {metadata.namespace!r}/{metadata.name!r}: {text!r} is no DNS name")
    for port in ports:
        if port.protocol not in _PROTOCOLS:
            raise ValueError(f"Service {metadata.namespace}/{metadata.name}: protocol {port.protocol!r}")


def _cluster_ip(service: Service, family: Family) -> str:
    """The cluster IP of one family in canonical form."""
    ip = cluster_ip_of(service, family)
    plain = canonical(ip)
    if plain is None:
        metadata = service.metadata
        raise ValueError(f"Service {metadata.namespace}/{metadata.name}: clusterIP {ip!r} is no IP address")
    return plain


def _ports_of(service: Service, family: Family, with_external_ips: bool, ip_mode: bool) -> list[ServicePort]:
    spec = service.spec
    metadata = service.metadata
    _check(service)
    cluster_ip = _cluster_ip(service, family)
    kind = spec.type
    outside = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.external_ips))
    external_local = outside and spec.external_traffic_policy == "Local"
    external_ips = _of_family(spec.external_ips, family) if spec.external_ips else ()

    vips: tuple[str, ...] = ()
    status = service.status
    if status is not None and status.load_balancer is not None and status.load_balancer.ingress:
        ingress = status.load_balancer.ingress
        counts = (None, "VIP") if ip_mode else (None, "VIP", "Proxy")
        vips = _of_family([i.ip for i in ingress if i.ip and i.ip_mode in counts], family)

    ranges: tuple[str, ...] = ()
    if spec.load_balancer_source_ranges:
        nets = networks_of(spec.load_balancer_source_ranges, family)
        # A zero CIDR lets everyone in: the same as no source ranges.
        if all(net.prefixlen for net in nets):
            ranges = tuple(map(str, nets))

    affinity = 0
    if spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config
        client_ip = config.client_ip if config is not None else None
        seconds = client_ip.timeout_seconds if client_ip is not None else None
        affinity = 10800 if seconds is None else seconds

    namespace, name = metadata.namespace, metadata.name
    prefix = f"{namespace}/{name}"
    internal_local = spec.internal_traffic_policy == "Local"
    health_check = spec.health_check_node_port if external_local and kind == "LoadBalancer" else 0
    # By position: with so many fields their names would take most of the time.
    return [
        ServicePort(
            namespace,
            name,
            port.name,
            port.protocol,
            f"{prefix}:{port.name}" if port.name else prefix,
            family,
            cluster_ip,
            port.port,
            port.node_port,
            external_ips if with_external_ips else (),
            vips,
            ranges,
            affinity,
            health_check,
            external_local,
            internal_local,
            bool(port.node_port or vips or external_ips),
        )
        for port in spec.ports or ()
    ]
