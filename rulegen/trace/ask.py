"""One question, asked of one node: what becomes of a packet from here to there, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network

import msgspec

from rulegen.model import FAMILIES, Family
from rulegen.plan import Plan, PlannedPort
from rulegen.plan.explain import explain
from rulegen.trace import conntrack
from rulegen.trace.node import Node
from rulegen.trace.outcome import Connection, Outcome
from rulegen.trace.packet import Packet, State, number, packet, shown
from rulegen.trace.places import Directory, Origin, Target
from rulegen.trace.result import Endpoint, Trace

NOBODY: dict[Family, str] = {"IPv4": "0.0.0.0", "IPv6": "::"}
"""The source of a packet that is never sent."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A packet as it was asked for: see the command line. ``interface`` None: by the way back to its sender.

    ``family`` and ``protocol`` are None where the addresses and the Service say them.
    """

    source: str
    to: str
    family: Family | None = None
    protocol: str | None = None
    interface: str | None = None
    state: State = "NEW"
    connections: Sequence[Connection] = ()


class QuestionError(ValueError):
    """A question that cannot be asked; ``field`` is what is wrong with it: ``from``, ``to``..."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


@contextmanager
def _about(field: str) -> Iterator[None]:
    try:
        yield
    except ValueError as fault:
        raise QuestionError(field, str(fault)) from None


def ask(
    question: Question,
    directory: Directory,
    nodes: Callable[[Family], Node],
    plans: Callable[[Family], Plan] | None = None,
    mode: str = "",
) -> Trace:
    """Trace the packet of a question.

    ``nodes`` and ``plans`` are asked for the family that it turns out to be; without plans there are no
    objects to explain with. Raises QuestionError for a question that cannot be asked, ValueError for rules
    that cannot be read.
    """
    with _about("from"):
        origin = directory.origin(question.source)
    with _about("to"):
        target = directory.target(question.to)
    with _about("family"):
        family = _family(question, origin, target)
    node = nodes(family)
    plan = plans(family) if plans is not None else None
    destination = target.addresses[family]
    # Without a route the node sends nothing, and no address of its own is picked.
    source = origin.source(node.host, destination) or NOBODY[family]
    claims = [] if plan is None else _claims(plan, destination, target.port)
    protocol = question.protocol or target.protocol or _protocol(claims)
    with _about("protocol"):
        sent = packet(source, destination, target.port, "ping" if target.port is None else protocol)
    if origin.port is not None:
        sent = msgspec.structs.replace(sent, source_port=origin.port)
    entry = question.interface if question.interface is not None else origin.device(node.host, source)
    connection = conntrack.matching(question.connections, sent)
    outcomes = node.trace(sent, entry, state=question.state, connection=connection)
    trace = Trace(
        packet=sent, entry=entry, outcomes=tuple(outcomes), virtual=_virtual(node, plan, sent, directory)
    )
    notes = [node.host.note] if node.host.note else []
    if plan is None:
        return msgspec.structs.replace(trace, remarks=tuple(notes))
    claimed = [planned for planned, name in claims if name == sent.protocol_name or sent.is_ping]
    return msgspec.structs.replace(
        trace,
        endpoints=_endpoints(plan, outcomes),
        remarks=tuple(dict.fromkeys([*_remarks(trace, plan, claimed, directory, mode), *notes])),
    )


def _family(question: Question, origin: Origin, target: Target) -> Family:
    possible = [
        family
        for family in FAMILIES
        if family in target.addresses and (origin.is_node or family in origin.addresses)
    ]
    if question.family is not None:
        if question.family not in possible:
            raise ValueError(
                f"{question.source} and {question.to} have no {question.family} addresses in common"
            )
        return question.family
    if not possible:
        raise ValueError(f"{question.source} and {question.to} have no addresses of one family")
    return possible[0]


def _claims(plan: Plan, destination: str, port: int | None) -> list[tuple[PlannedPort, str]]:
    """The Service ports that an address and port belong to, each with its protocol."""
    found = []
    for planned in plan.ports:
        own = planned.port
        if destination in (own.cluster_ip, *own.external_ips, *own.load_balancer_vips):
            if port in (None, own.port):
                found.append((planned, own.protocol.lower()))
        elif port is not None and own.node_port == port and destination in plan.machine.interface_ips:
            found.append((planned, own.protocol.lower()))
    return found


def _protocol(claims: Iterable[tuple[PlannedPort, str]]) -> str:
    """That of the only Service port which is meant, else TCP."""
    protocols = {protocol for _, protocol in claims}
    return protocols.pop() if len(protocols) == 1 else "tcp"


def _virtual(node: Node, plan: Plan | None, sent: Packet, directory: Directory) -> frozenset[int]:
    """The destination, if it is an address that only Services have."""
    text = shown(sent.destination, sent.family)
    if any(text == ip for told in directory.listed.values() for ip, _, _ in told):
        return frozenset({sent.destination} if not node.host.is_local(sent.destination) else ())
    if plan is None:
        return frozenset()
    ours = any(
        text in (p.port.cluster_ip, *p.port.external_ips, *p.port.load_balancer_vips) for p in plan.ports
    ) or any(
        number(str(net[0])) <= sent.destination <= number(str(net[-1]))
        for net in map(ip_network, plan.service_cidrs)
    )
    return frozenset({sent.destination}) if ours and not node.host.is_local(sent.destination) else frozenset()


def _endpoints(plan: Plan, outcomes: Iterable[Outcome]) -> Mapping[str, Endpoint]:
    wanted = {outcome.endpoint for outcome in outcomes if outcome.endpoint}
    found: dict[str, Endpoint] = {}
    for planned in plan.ports:
        for candidate in planned.found:
            if candidate.address in wanted:
                reference = candidate.source.target_ref
                pod = reference.name if reference is not None else ""
                found[candidate.address] = Endpoint(
                    pod=pod, node=candidate.source.node_name or "", here=candidate.local
                )
    return found


def _remarks(
    trace: Trace, plan: Plan, claimed: Sequence[PlannedPort], directory: Directory, mode: str
) -> Iterable[str]:
    """What the objects say about outcomes: why nobody answers, why the client's address is not kept."""
    sent = trace.packet
    if sent.is_ping:
        yield from _of_ping(trace, claimed, mode)
        return
    if any(not trace.arrives(outcome) for outcome in trace.outcomes):
        if any(each.destination in trace.virtual for each in _sent_on(trace)):
            yield "not delivered: no rule takes it, and a Service's address is nobody's."
        for planned in claimed:
            own = planned.port
            name = f"{own.namespace}/{own.service}"
            for each in explain(plan, directory.cluster.slices, own.namespace, own.service):
                if (each.name, each.protocol) == (own.name, own.protocol):
                    ready = sum(verdict.ready for verdict in each.verdicts if verdict.order)
                    found = sum(1 for verdict in each.verdicts if verdict.order)
                    yield f"{name}: endpoints found: {found}, ready: {ready}. {each.summary}"
            if own.source_ranges and shown(sent.destination, sent.family) in own.load_balancer_vips:
                yield f"{name}: loadBalancerSourceRanges are {', '.join(own.source_ranges)}."
    if mode == "userspace":
        yield from _of_proxy(trace, plan, claimed)
    masqueraded = any(outcome.endpoint and outcome.masqueraded for outcome in trace.outcomes)
    for planned in claimed if masqueraded else ():
        yield _why_masqueraded(trace, planned, plan)


def _of_proxy(trace: Trace, plan: Plan, claimed: Sequence[PlannedPort]) -> Iterable[str]:
    """In userspace mode rules only lead to the proxy, which goes on by itself."""
    from rulegen.userspace.services import services

    ports = {outcome.after.port for outcome in trace.outcomes if outcome.kind == "local"}
    names = {planned.port.name for planned in claimed}
    for each in services(plan):
        if each.proxy_port in ports and each.name in names:
            what = f"The proxy listens on port {each.proxy_port} for {each.name}"
            if each.endpoints:
                yield f"{what} and passes connections on, in turn, to {', '.join(each.endpoints)}."
            else:
                yield f"{what}, which has no ready endpoint: it closes connections again."


def _sent_on(trace: Trace) -> Iterable[Packet]:
    return (outcome.after for outcome in trace.outcomes if outcome.kind == "forwarded")


def _of_ping(trace: Trace, claimed: Sequence[PlannedPort], mode: str) -> Iterable[str]:
    if not claimed:
        return
    where = f" in {mode} mode" if mode else ""
    kinds = {outcome.kind for outcome in trace.outcomes}
    if trace.delivered:
        yield f"The ping is answered{where}: the address is bound on this node."
    elif "rejected" in kinds:
        yield f"The ping is refused{where}: nothing but a Service's own ports is let through to its address."
    else:
        yield f"The ping is not answered{where}: a Service's address is on no interface; its ports may work."


def _why_masqueraded(trace: Trace, planned: PlannedPort, plan: Plan) -> str:
    own, sent = planned.port, trace.packet
    source = shown(sent.source, sent.family)
    if any(outcome.after.destination == sent.source for outcome in trace.outcomes):
        return "The client's address is not kept where it is sent to itself: it would drop its own packet."
    if shown(sent.destination, sent.family) != own.cluster_ip:
        if not own.external_local:
            return "The client's address is not kept: externalTrafficPolicy is Cluster."
        return "The client's address is not kept: the node itself asks for an external address."
    if plan.machine.masquerade_all:
        return "The client's address is not kept: masqueradeAll is set."
    detector = plan.machine.detector
    if detector is None:
        return "The client's address is not kept."
    place = {"cidr": "outside of", "interface": "not behind", "prefix": "not behind a device named"}[
        detector.kind
    ]
    return f"The client's address is not kept: {source} is {place} {detector.value}, where pods are."
