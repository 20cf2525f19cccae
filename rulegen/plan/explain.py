"""Why each endpoint of a Service is used on this node, or is not.

Every answer is drawn from the choice that the rules were made from; nothing is decided twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from rulegen.model import Endpoint, EndpointSlice
from rulegen.model.objects import EndpointPort
from rulegen.plan.addresses import canonical, join_host_port
from rulegen.plan.choice import Topology, local_endpoints
from rulegen.plan.endpoints import HEADLESS_LABEL, SERVICE_NAME_LABEL, Candidate

if TYPE_CHECKING:
    from rulegen.plan import Plan, PlannedPort


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint as it was found, and what becomes of it on this node.

    ``address`` is ``ip:port``, or the bare address where no port of the Service is served. ``source`` names
    the EndpointSlice, ``order`` is the endpoint's place among those found for the port (from 1; 0 where it
    was not taken up). ``cluster`` and ``local`` say whether it serves traffic under these policies here (the
    second is so of an endpoint on this node whether or not the Service has the policy Local), ``internal``
    and ``external`` whether such traffic reaches it from here.
    """

    address: str
    pod: str
    node: str
    zone: str
    source: str
    order: int
    ready: bool
    cluster: bool
    local: bool
    internal: bool
    external: bool
    why: str


class PortVerdicts(msgspec.Struct, frozen=True):
    """All endpoints of one service port, in the order of the rules; then those that were passed over."""

    name: str
    protocol: str
    family: str
    verdicts: list[Verdict]
    summary: str


def explain(plan: Plan, slices: Iterable[EndpointSlice], namespace: str, service: str) -> list[PortVerdicts]:
    """Explain the endpoints of one Service for the node and family of ``plan``."""
    own = [
        piece
        for piece in slices
        if piece.metadata.namespace == namespace
        and (piece.metadata.labels or {}).get(SERVICE_NAME_LABEL) == service
    ]
    own.sort(key=lambda piece: piece.metadata.name)
    sources = {id(endpoint): piece.metadata.name for piece in own for endpoint in piece.endpoints or ()}
    explained = []
    for planned in plan.ports:
        if (planned.port.namespace, planned.port.service) == (namespace, service):
            verdicts = _taken(plan, planned, sources) + _passed_over(planned, own, sources)
            explained.append(
                PortVerdicts(
                    planned.port.name,
                    planned.port.protocol,
                    planned.port.family,
                    verdicts,
                    _summary(plan, planned),
                )
            )
    return explained


def _taken(plan: Plan, planned: PlannedPort, sources: Mapping[int, str]) -> list[Verdict]:
    cluster = {c.address for c in planned.choice.cluster}
    local = {c.address for c in local_endpoints(planned.found)[0]}
    port = planned.port
    verdicts = []
    for order, c in enumerate(planned.found, 1):
        in_cluster, in_local = c.address in cluster, c.address in local
        verdicts.append(
            Verdict(
                address=c.address,
                pod=_pod(c.source),
                node=c.source.node_name or "",
                zone=c.source.zone or "",
                source=sources.get(id(c.source), ""),
                order=order,
                ready=c.ready,
                cluster=in_cluster,
                local=in_local,
                internal=in_local if port.internal_local else in_cluster,
                external=port.accessible and (in_local if port.external_local else in_cluster),
                why=_why(plan, planned, c, in_cluster=in_cluster, in_local=in_local),
            )
        )
    return verdicts


def _why(plan: Plan, planned: PlannedPort, c: Candidate, *, in_cluster: bool, in_local: bool) -> str:
    port, choice = planned.port, planned.choice
    in_local = in_local and port.uses_local
    if in_cluster or in_local:
        limits = _limits(plan, planned, c, in_cluster=in_cluster, in_local=in_local)
        return "; ".join([_state_in_use(c, everywhere=in_cluster), *limits])
    if not c.ready and not c.terminating:
        return "not ready, and not terminating"
    if not c.ready and not c.serving:
        return "terminating, and no longer serving"
    if not port.uses_cluster and not c.local:
        return f"policy Local, and it is {_elsewhere(c)}"
    if not c.ready:
        return f"terminating, and others {'' if port.uses_cluster else 'on this node '}are ready"
    if choice.topology is Topology.SAME_ZONE:
        zones = ", ".join(sorted(c.zones or ()))
        return f"zone hints: this node is in {plan.machine.zone}, the endpoint is for {zones}"
    nodes = ", ".join(sorted(c.nodes or ()))
    return f"node hints: this node is {plan.machine.node_name}, the endpoint is for {nodes}"


def _state_in_use(c: Candidate, *, everywhere: bool) -> str:
    if not c.ready:
        return (
            f"terminating but still serving: nothing is ready {'anywhere' if everywhere else 'on this node'}"
        )
    if c.terminating:
        return "marked ready though terminating, as publishNotReadyAddresses does"
    if not c.serving:
        return "marked ready though not serving, as publishNotReadyAddresses does"
    return "ready"


def _limits(plan: Plan, planned: PlannedPort, c: Candidate, *, in_cluster: bool, in_local: bool) -> list[str]:
    """For an endpoint in use: what it is not used for."""
    port = planned.port
    if in_cluster and port.uses_local and not in_local:
        where = f"policy Local, {_elsewhere(c)}"
        if port.internal_local and port.external_local:
            # What the EXT chain sends to all endpoints under either policy.
            pods = " and of pods" if plan.machine.detector is not None else ""
            return [f"only for traffic of this node{pods} to external addresses: {where}"]
        return [f"not for {'internal' if port.internal_local else 'external'} traffic: {where}"]
    if in_local and port.uses_cluster and not in_cluster:
        reason = ": hints keep other traffic away" if c.ready else ""
        return [f"only for traffic under the policy Local{reason}"]
    return []


def _elsewhere(c: Candidate) -> str:
    node = c.source.node_name
    return f"on node {node}" if node else "on no node that is known"


def _passed_over(
    planned: PlannedPort, own: Sequence[EndpointSlice], sources: Mapping[int, str]
) -> list[Verdict]:
    """Endpoints in the Service's slices, and addresses of endpoints, that this port does not take up."""
    taken = {id(c.source) for c in planned.found}
    winners = {c.address: c.source for c in planned.found}
    verdicts = []
    for piece in own:
        reason = _slice_reason(planned, piece)
        number = next((p.port or 0 for p in _matching(planned, piece) if p.port), 0)
        for endpoint in piece.endpoints or ():
            addresses = list(endpoint.addresses)
            if id(endpoint) in taken:
                why = "kube-proxy uses the first address of an endpoint only"
                addresses = [_with_port(address, number) for address in addresses[1:]]
            elif reason or not addresses:
                why, addresses = reason or "no address", addresses[:1] or [""]
            else:
                addresses = [_with_port(addresses[0], number)]
                why = _outdone(endpoint, winners.get(addresses[0]), sources)
            verdicts += [
                Verdict(
                    address=address,
                    pod=_pod(endpoint),
                    node=endpoint.node_name or "",
                    zone=endpoint.zone or "",
                    source=piece.metadata.name,
                    order=0,
                    ready=endpoint.conditions is None or endpoint.conditions.ready is not False,
                    cluster=False,
                    local=False,
                    internal=False,
                    external=False,
                    why=why,
                )
                for address in addresses
            ]
    return verdicts


def _with_port(address: str, number: int) -> str:
    return join_host_port(canonical(address) or address, number)


def _outdone(endpoint: Endpoint, winner: Endpoint | None, sources: Mapping[int, str]) -> str:
    """Why of two endpoints with one address the other counts."""
    where = sources.get(id(winner), "")
    place = f" in slice {where}" if where else ""
    if _pod(winner) == _pod(endpoint):
        return f"listed again{place}, and that counts"
    return f"{_pod(winner) or 'another endpoint'}{place} has the same address, and counts"


def _matching(planned: PlannedPort, piece: EndpointSlice) -> list[EndpointPort]:
    """The ports of a slice that have the name and the protocol of the service port."""
    port = planned.port
    return [
        p for p in piece.ports or () if p.name == port.port_name and (p.protocol or "TCP") == port.protocol
    ]


def _slice_reason(planned: PlannedPort, piece: EndpointSlice) -> str:
    """Why nothing of a slice counts for the port; empty where it does."""
    port = planned.port
    if piece.address_type == "FQDN":
        return "a domain name: kube-proxy follows addresses only"
    if piece.address_type != port.family:
        return f"wrong family: {piece.address_type}, these are the {port.family} rules"
    if HEADLESS_LABEL in (piece.metadata.labels or {}):
        return f"its slice has the label {HEADLESS_LABEL}"
    matching = _matching(planned, piece)
    if not matching:
        wanted = f"{port.port_name or '(unnamed)'}/{port.protocol}"
        offered = ", ".join(f"{p.name or '(unnamed)'}/{p.protocol or 'TCP'}" for p in piece.ports or ())
        return f"port not served: the Service wants {wanted}, the slice has {offered or 'none'}"
    if not any(p.port for p in matching):
        return "port not served: its port has no number"
    return ""


def _pod(endpoint: Endpoint | None) -> str:
    reference = endpoint.target_ref if endpoint is not None else None
    return reference.name if reference is not None else ""


def _summary(plan: Plan, planned: PlannedPort) -> str:
    port, found, choice = planned.port, planned.found, planned.choice
    if not found:
        return "No endpoint was found: connections are refused."
    ready = sum(c.ready for c in found)
    parts = [f"{ready} of {len(found)} {'is' if 1 in (ready, len(found)) else 'are'} ready"]
    if not choice.usable:
        return f"{parts[0]}: connections are refused."
    machine = plan.machine
    if choice.topology is Topology.SAME_ZONE:
        parts.append(
            "zone hints are honoured because every ready endpoint has one"
            f" and one is for this node's zone, {machine.zone}"
        )
    elif choice.topology is Topology.SAME_NODE:
        parts.append("node hints are honoured because every ready endpoint has one and one is for this node")
    elif port.uses_cluster and any(c.zones or c.nodes for c in found):
        parts.append(f"hints are not honoured: {_unhonoured(found, machine.zone)}")
    for kind, policy in (
        ("internal", port.internal_local),
        ("external", port.external_local and port.accessible),
    ):
        if policy and not choice.local:
            parts.append(f"{kind} traffic is dropped: policy Local, and no usable endpoint is on this node")
    return "; ".join(parts) + "."


def _unhonoured(found: Sequence[Candidate], zone: str) -> str:
    ready = [c for c in found if c.ready]
    if not ready:
        return "no endpoint is ready"
    if not all(c.zones for c in ready) and not all(c.nodes for c in ready):
        return "not every ready endpoint has one"
    if not zone and not all(c.nodes for c in ready):
        return "this node has no zone label"
    return f"none is for this node or its zone ({zone or 'none'})"
