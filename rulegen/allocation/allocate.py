"""Giving Services what the API server would give them: deterministic, and never a value that is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter

import msgspec

from rulegen.allocation.ranges import Ranges, addresses, ports
from rulegen.allocation.state import Given, State
from rulegen.load.problems import LoadError, Problem
from rulegen.model import FAMILIES, Cluster, Family, Origin, Service, ServicePort
from rulegen.plan.addresses import canonical

KUBERNETES = "default/kubernetes"
"""The API server's own Service, which has the first address of the first CIDR."""


class Allocation(msgspec.Struct, frozen=True):
    """A cluster whose Services have all their values, notes on what was given, and the state to keep.

    ``given`` names the Services that got something.
    """

    cluster: Cluster
    notes: tuple[str, ...]
    state: State
    given: tuple[str, ...] = ()


class _Taken:
    """What cannot be given any more."""

    def __init__(self, services: Sequence[Service], ranges: Ranges, state: State) -> None:
        self.ips: dict[str, str] = {}
        self.ports: dict[int, str] = {}
        first = next(iter(ranges.cidrs.values()))[0]
        self.ips[str(first.network_address + 1)] = KUBERNETES
        for key, given in state.services.items():
            for ip in given.cluster_ips:
                self.ips[ip] = key
            for port in (*given.node_ports.values(), given.health_check_node_port):
                if port:
                    self.ports[port] = key
        # What the objects say is so, whatever a state remembers of Services that are gone.
        for service in services:
            spec = service.spec
            for ip in {spec.cluster_ip, *(spec.cluster_ips or ())}:
                plain = canonical(ip)
                if plain is not None:
                    self.ips[plain] = _key(service)
            for number in (spec.health_check_node_port, *[port.node_port for port in spec.ports or ()]):
                if number:
                    self.ports[number] = _key(service)


def allocate(cluster: Cluster, ranges: Ranges, state: State | None = None) -> Allocation:
    """Give every Service its cluster IPs, node ports and health check node port.

    Values that a Service has stay. ``state`` holds what was given before, and that never moves. Services are
    taken by namespace and name. Raises, with the API server's words, ValueError where a range is full, and
    LoadError where a Service asks for what the state keeps for another one, or that is in no range.
    """
    state = state or State()
    if state.services:
        _check_kept(cluster, ranges, state)
    taken = _Taken(cluster.services, ranges, state)
    notes: list[str] = []
    lucky: list[str] = []
    remembered: dict[str, Given] = dict(state.services)
    done: dict[str, Service] = {}
    nothing = Given()
    keys = list(map(_key, cluster.services))
    for key, service in sorted(zip(keys, cluster.services, strict=True), key=itemgetter(0)):
        given, before = Given(), state.services.get(key, nothing)
        fresh = _with_addresses(service, ranges, taken, before, given)
        fresh = _with_ports(fresh, ranges, taken, before, given)
        if fresh is not service:
            remembered[key] = given
            lucky.append(key)
            notes.append(f"{key}: {', '.join(_told(given))} allocated here; a cluster may choose others")
            if lacking := _left_out(service, fresh):
                notes.append(f"{key}: no {lacking} address, as no Service CIDR is of {lacking}")
        done[key] = fresh
    services = [done[key] for key in keys]
    return Allocation(
        msgspec.structs.replace(cluster, services=tuple(services)),
        tuple(notes),
        State(remembered),
        tuple(lucky),
    )


def _check_kept(cluster: Cluster, ranges: Ranges, state: State) -> None:
    """Raise LoadError, with all faults, where what a state keeps for these Services cannot be kept."""
    problems: list[Problem] = []

    def fault(key: str, field: str, message: str) -> None:
        namespace, _, name = key.partition("/")
        place = cluster.origins.get(("Service", namespace, name), Origin("", 0))
        problems.append(Problem(place.file, place.line, f"Service {key}", field, message))

    own = {_key(service): service.spec for service in cluster.services}
    ips: dict[str, str] = {}
    ports: dict[int, str] = {}
    low, high = ranges.node_ports
    for key, given in state.services.items():
        if key not in own:
            continue
        for ip in given.cluster_ips if not (own[key].cluster_ip or own[key].cluster_ips) else ():
            ips[ip] = key
            if ranges.family_of(ip) is None:
                told = "the provided network does not match the current range"
                fault(key, "spec.clusterIPs", f"failed to allocate IP {ip}: {told} (the state keeps it)")
        for number in (*given.node_ports.values(), given.health_check_node_port):
            ports[number] = key
            if number and not low <= number <= high:
                told = f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
                fault(key, "spec.ports", f"Invalid value: {number}: {told} (the state keeps it)")
    for key, spec in own.items():
        for ip in dict.fromkeys([spec.cluster_ip, *(spec.cluster_ips or ())]):
            holder = ips.get(canonical(ip) or "", key)
            if holder != key:
                told = f"provided IP is already allocated (the state keeps it for Service {holder})"
                fault(key, "spec.clusterIPs", f"failed to allocate IP {ip}: {told}")
        for i, port in enumerate(spec.ports or ()):
            holder = ports.get(port.node_port, key) if port.node_port else key
            if holder != key:
                told = f"provided port is already allocated (the state keeps it for Service {holder})"
                fault(key, f"spec.ports[{i}].nodePort", f"Invalid value: {port.node_port}: {told}")
    if problems:
        raise LoadError(problems)


def _key(service: Service) -> str:
    return f"{service.metadata.namespace}/{service.metadata.name}"


def _told(given: Given) -> Iterator[str]:
    if given.cluster_ips:
        yield f"clusterIP {', '.join(given.cluster_ips)}"
    for name, port in given.node_ports.items():
        label = name.partition("/")[0]
        yield f"nodePort {port}" + (f" ({label})" if label else "")
    if given.health_check_node_port:
        yield f"healthCheckNodePort {given.health_check_node_port}"


def _families(service: Service, ranges: Ranges) -> tuple[Family, ...]:
    """The families that a Service gets addresses of (defaulting of ipFamilies and ipFamilyPolicy)."""
    spec = service.spec
    wanted: list[Family] = [family for family in FAMILIES if family in (spec.ip_families or ())]
    wanted.sort(key=(spec.ip_families or []).index)
    if not wanted:
        wanted = [ranges.families[0]]
    if spec.ip_family_policy in ("PreferDualStack", "RequireDualStack"):
        wanted += [family for family in ranges.families if family not in wanted]
    else:
        wanted = wanted[:1]
    return tuple(family for family in wanted if family in ranges.cidrs)


def _left_out(before: Service, after: Service) -> str:
    """A family that a Service asked for and that the cluster does not have."""
    asked = before.spec.ip_families if before.spec.ip_family_policy == "PreferDualStack" else ()
    return next((family for family in asked or () if family not in (after.spec.ip_families or ())), "")


def _with_addresses(service: Service, ranges: Ranges, taken: _Taken, before: Given, given: Given) -> Service:
    spec = service.spec
    if spec.type == "ExternalName" or spec.cluster_ip or spec.cluster_ips:
        return service
    families = _families(service, ranges)
    if not families:
        wanted = ", ".join(spec.ip_families or ())
        raise ValueError(
            f"Service {_key(service)}: spec.ipFamilies[0]: Invalid value: {wanted}: not configured on this"
            " cluster (no Service CIDR of that family: --service-cidr names them)"
        )
    if spec.ip_family_policy == "RequireDualStack" and len(families) < 2:
        raise ValueError(
            f'Service {_key(service)}: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster'
            f" is not configured for dual-stack services (its Service CIDRs are of {families[0]} only:"
            " --service-cidr names them)"
        )
    for family in families:
        given.cluster_ips.append(_address(service, family, ranges, taken, before))
    changed = msgspec.structs.replace(
        spec,
        cluster_ip=given.cluster_ips[0],
        cluster_ips=list(given.cluster_ips),
        ip_families=list(families),
        ip_family_policy=spec.ip_family_policy or "SingleStack",
    )
    return msgspec.structs.replace(service, spec=changed)


def _address(service: Service, family: Family, ranges: Ranges, taken: _Taken, before: Given) -> str:
    key, nets = _key(service), ranges.cidrs[family]
    remembered = [ip for ip in before.cluster_ips if ranges.family_of(ip) == family]
    for ip in remembered:
        if taken.ips.get(ip) in (None, key):
            taken.ips[ip] = key
            return ip
    for net in nets:
        for ip in addresses(net, f"{key}/{family}"):
            if ip not in taken.ips:
                taken.ips[ip] = key
                return ip
    listed = ", ".join(map(str, nets))
    raise ValueError(
        f"Service {key}: failed to allocate a serviceIP: range is full (no address of {listed} is left)"
    )


def _with_ports(service: Service, ranges: Ranges, taken: _Taken, before: Given, given: Given) -> Service:
    spec = service.spec
    balancer = spec.type == "LoadBalancer"
    if not (spec.type == "NodePort" or (balancer and spec.allocate_load_balancer_node_ports is not False)):
        made: list[ServicePort] = list(spec.ports or ())
    else:
        made = list(_ports(service, ranges, taken, before, given))
    health = spec.health_check_node_port
    if balancer and spec.external_traffic_policy == "Local" and not health:
        health = given.health_check_node_port = _port(
            service, "health check", before.health_check_node_port, ranges, taken
        )
    if made == list(spec.ports or ()) and health == spec.health_check_node_port:
        return service
    return msgspec.structs.replace(
        service, spec=msgspec.structs.replace(spec, ports=made, health_check_node_port=health)
    )


def _ports(
    service: Service, ranges: Ranges, taken: _Taken, before: Given, given: Given
) -> Iterator[ServicePort]:
    # One port number under several protocols gets one node port for all of them.
    known: dict[int, dict[str, int]] = {}
    for port in service.spec.ports or ():
        if port.node_port:
            known.setdefault(port.port, {})[port.protocol] = port.node_port
    for port in service.spec.ports or ():
        if port.node_port:
            yield port
            continue
        name = f"{port.name}/{port.protocol}"
        others = [n for protocol, n in known.get(port.port, {}).items() if protocol != port.protocol]
        number = others[0] if others else _port(service, name, before.node_ports.get(name, 0), ranges, taken)
        known.setdefault(port.port, {})[port.protocol] = number
        given.node_ports[name] = number
        yield msgspec.structs.replace(port, node_port=number)


def _port(service: Service, name: str, remembered: int, ranges: Ranges, taken: _Taken) -> int:
    key = _key(service)
    if remembered and taken.ports.get(remembered) in (None, key):
        taken.ports[remembered] = key
        return remembered
    for number in ports(ranges.node_ports, f"{key}/{name}"):
        if number not in taken.ports:
            taken.ports[number] = key
            return number
    low, high = ranges.node_ports
    raise ValueError(f"Service {key}: failed to allocate a nodePort: range is full ({low}-{high})")
