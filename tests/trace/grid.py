"""Every Service port, tried from every kind of place at every kind of address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from rulegen.backend import backend
from rulegen.load.scenario import Scenario
from rulegen.model import Family
from rulegen.plan import plan
from rulegen.trace.fates import recorded_node
from rulegen.trace.node import Node
from rulegen.trace.outcome import Outcome
from rulegen.trace.packet import number, packet, shown
from tests.trace.oracle import Expected, Oracle, Port, Probe

PODS = {"IPv4": "10.180.0.0/15", "IPv6": "fd00:10:180::/64"}
ELSEWHERE = {"IPv4": "10.180.77.9", "IPv6": "fd00:10:180:0:7::9"}
OUTSIDE = {"IPv4": "203.0.113.9", "IPv6": "2001:db8:99::1"}
UNALLOCATED = {"IPv4": "10.96.200.200", "IPv6": "fd00:10:96::c8c8"}


def pod_device(case: Scenario) -> str:
    """What pods are behind: where kube-proxy tells them by a device, that one."""
    config = case.config
    if config.detect_local_mode == "BridgeInterface":
        return config.bridge_interface
    return f"{config.interface_name_prefix or 'veth'}0"


def machine(case: Scenario) -> dict[str, Any]:
    """The node with its pods' device and a way out."""
    device = pod_device(case)
    interfaces = {name: list(addresses) for name, addresses in case.node.interfaces.items()}
    interfaces.setdefault(device, ["10.180.254.1/32", "fd00:10:180::fe:1/128"])
    routes = [[PODS["IPv4"], device], [PODS["IPv6"], device], ["0.0.0.0/0", "eth0"], ["::/0", "eth0"]]
    routes += [[f"{ELSEWHERE['IPv4']}/32", "eth0"], [f"{ELSEWHERE['IPv6']}/128", "eth0"]]
    return {"interfaces": interfaces, "routes": routes}


def compiled(case: Scenario, family: Family, mode: str) -> Mapping[str, Any]:
    """The rules of the mode, in the recorded form."""
    room = backend(mode)
    cidrs = case.service_cidrs.get(family)
    return room.recorded(
        room.compile_rules(plan(case.cluster, case.node, case.config, family, case.version, cidrs))
    )


def node(case: Scenario, family: Family, mode: str, rules: Mapping[str, Any]) -> Node:
    return recorded_node(mode, family, rules, machine(case))


def probes(case: Scenario, oracle: Oracle, host: Node) -> Iterator[Probe]:
    for port in oracle.ports:
        targets = dict.fromkeys(_targets(port, oracle))
        for origin, device, source in _origins(case, oracle, port):
            for destination, number_of_port in targets:
                if ip_address(destination).is_loopback and origin != "node":
                    continue
                actual = source or _own_source(host, destination)
                if actual is not None:
                    yield Probe(origin, device, actual, port.protocol, destination, number_of_port)


def from_own_address(host: Node, probe: Probe) -> Probe:
    """The same try in another mode: a node's own packets have the address that it picks there."""
    if probe.origin != "node":
        return probe
    source = _own_source(host, probe.destination)
    return probe if source is None else replace(probe, source=source)


def _own_source(host: Node, destination: str) -> str | None:
    found = host.host.source_for(number(destination))
    return None if found is None else shown(found, host.host.family)


def _targets(port: Port, oracle: Oracle) -> Iterable[tuple[str, int]]:
    wrong = port.port % 60000 + 1
    yield port.cluster_ip, port.port
    yield port.cluster_ip, wrong
    yield UNALLOCATED[oracle.family], port.port
    for ip in (*port.external_ips, *port.vips):
        yield ip, port.port
        yield ip, wrong
    if port.node_port:
        for ip in oracle.own:
            yield ip, port.node_port
    yield oracle.own[-1], 39999


def _origins(case: Scenario, oracle: Oracle, port: Port) -> Iterable[tuple[str, str, str]]:
    family, device = oracle.family, pod_device(case)
    here = next((net for net in case.node.pod_cidrs if (":" in net) == oracle.six), PODS[family])
    yield "pod", device, str(ip_network(here)[0xFD])
    yield "elsewhere", "eth0", ELSEWHERE[family]
    yield "outside", "eth0", OUTSIDE[family]
    for net in port.ranges:
        if str(ip_network(net)[-1]) not in {*oracle.own, *oracle.virtual}:
            yield "outside", "eth0", str(ip_network(net)[-1])
    yield "node", "", ""
    used = [c for c in port.candidates if c.ip not in {*oracle.own, *oracle.virtual}]
    for candidate in ([c for c in used if c.here] or used)[:1]:
        yield "endpoint", device, candidate.ip


def traced(host: Node, probe: Probe) -> list[Outcome]:
    sent = packet(probe.source, probe.destination, probe.port, probe.protocol)
    return host.trace(sent, probe.device)


def masqueraded(outcome: Outcome) -> bool:
    """Whether a rule masqueraded; the address may come out the same."""
    return any("masquerade: source becomes" in step.effect for step in outcome.steps)


def told(outcomes: Iterable[Outcome]) -> Expected:
    """Outcomes in the oracle's words. Raises AssertionError where they are of several kinds."""
    outcomes = list(outcomes)
    kinds = set()
    for outcome in outcomes:
        if outcome.endpoint and outcome.kind in ("local", "forwarded"):
            kinds.add("endpoints")
        else:
            kinds.add(
                {"rejected": "refused", "dropped": "dropped", "local": "untouched", "forwarded": "untouched"}[
                    outcome.kind
                ]
            )
    assert len(kinds) == 1, kinds
    kind = kinds.pop()
    if kind != "endpoints":
        return Expected(kind)
    return Expected(
        kind,
        frozenset(outcome.endpoint for outcome in outcomes),
        frozenset(outcome.endpoint for outcome in outcomes if masqueraded(outcome)),
    )


def shares(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """What each endpoint gets of all connections."""
    found: dict[str, float] = {}
    for outcome in outcomes:
        found[outcome.endpoint] = found.get(outcome.endpoint, 0.0) + float(outcome.chance)
    return found
