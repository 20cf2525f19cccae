"""From objects to decisions: service ports, their endpoints, and why each endpoint is used or not.

Every backend starts from a :class:`Plan`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rulegen.model import FAMILIES, Cluster, Family, Node, ProxyConfig
from rulegen.plan.addresses import networks_of
from rulegen.plan.choice import NOTHING, Choice, Topology, choose
from rulegen.plan.endpoints import HEADLESS_LABEL, Candidate, candidates, slices_by_service
from rulegen.plan.machine import Detector, Machine, machine
from rulegen.plan.ports import ServicePort, service_ports, skip_reason
from rulegen.versions import DEFAULT_VERSION, Features, check_mode, features

__all__ = [
    "Candidate",
    "Choice",
    "Detector",
    "Machine",
    "Plan",
    "PlannedPort",
    "ServicePort",
    "Topology",
    "candidates",
    "choose",
    "machine",
    "plan",
    "service_ports",
    "skip_reason",
    "slices_by_service",
]


class PlannedPort(msgspec.Struct, frozen=True, gc=False):
    """A service port, all endpoints found for it (sorted by address), and those chosen."""

    port: ServicePort
    found: list[Candidate]
    choice: Choice


def _with_one(choice: Choice) -> Choice:
    """With one endpoint of each policy: what a Service has in chains of others depends on no more."""
    cluster, local = choice.cluster[:1], choice.local[:1]
    reachable = [*cluster, *local] if cluster != local else [*cluster]
    reachable.sort(key=lambda candidate: candidate.address)
    return Choice(cluster, local, reachable, choice.usable, choice.topology)


class Plan(msgspec.Struct, frozen=True):
    """Everything that a backend needs for one node and family; ``ports`` in their fixed order.

    ``proxy_ports`` are ports that the userspace proxy is told to listen on, by the name of the service port.
    """

    machine: Machine
    features: Features
    ports: list[PlannedPort]
    service_cidrs: tuple[str, ...] = ()
    proxy_ports: Mapping[str, int] = {}

    @property
    def endpoint_count(self) -> int:
        """All endpoints of all service ports, used or not: what kube-proxy measures a cluster's size by."""
        return sum(len(planned.found) for planned in self.ports)


def plan(
    cluster: Cluster,
    node: Node,
    config: ProxyConfig,
    family: Family,
    version: str = DEFAULT_VERSION,
    service_cidrs: tuple[str, ...] | None = None,
    proxy_ports: Mapping[str, int] | None = None,
    focus: tuple[str, str] | None = None,
) -> Plan:
    """Plan one family of one node. The order of the input does not matter.

    ``service_cidrs`` are the cluster's Service CIDRs of the family; by default those of its ServiceCIDR
    objects. ``focus`` is for who looks at one Service (namespace, name) alone: its rules, and the numbers
    that they have, are the same, but the chains of all others are cut short, which in a large cluster is
    most of the work. Raises ValueError for an unknown family, and for a version without a profile, or one
    that does not have the mode.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}; known: {', '.join(FAMILIES)}")
    facts = machine(node, config, family)
    known = features(version)
    check_mode(known, config.mode)
    services = cluster.services
    if known.headless_label_hides_services:
        services = tuple(each for each in services if HEADLESS_LABEL not in (each.metadata.labels or {}))
    ip_mode = known.load_balancer_ip_mode
    slices = slices_by_service(cluster.slices, family)
    node_name, zone = facts.node_name, facts.zone
    planned = []
    for port in service_ports(services, family, config.feature_gates, ip_mode=ip_mode):
        pieces = slices.get((port.namespace, port.service))
        if not pieces:
            planned.append(PlannedPort(port, [], NOTHING))
            continue
        found = candidates(pieces, port.port_name, port.protocol, node_name, node_hints=known.node_hints)
        choice = choose(port, found, node_name, zone)
        if focus is not None and focus != (port.namespace, port.service):
            choice = _with_one(choice)
        planned.append(PlannedPort(port, found, choice))
    if service_cidrs is None:
        given = sorted({cidr for item in cluster.service_cidrs for cidr in item.spec.cidrs or ()})
        service_cidrs = tuple(map(str, networks_of(given, family)))
    return Plan(facts, known, planned, service_cidrs, proxy_ports or {})
