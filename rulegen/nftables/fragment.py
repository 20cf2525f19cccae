"""What one service port adds to the table: an immutable piece that depends on nothing but its own inputs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rulegen.nftables import names
from rulegen.nftables.base import Words
from rulegen.nftables.element import Element
from rulegen.plan import Candidate, Machine, PlannedPort, ServicePort
from rulegen.plan.addresses import contains, network

LONGEST_COMMENT = 128
"""What nft takes; kube-proxy cuts the name of a service port to it."""


class Fragment(msgspec.Struct, frozen=True):
    """``chains``, ``sets`` and ``rules`` are whole ``add`` lines of the port's own objects, or empty.

    ``elements`` are those that it puts into sets and maps of all Services; others may put in the same.
    """

    chains: str = ""
    sets: str = ""
    rules: str = ""
    elements: tuple[Element, ...] = ()


class Writer:
    """Collects the objects of one fragment."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.chain_start = f"add chain {words.scope} "
        self.rule_start = f"add rule {words.scope} "
        self.chains: list[str] = []
        self.sets: list[str] = []
        self.rules: list[str] = []
        self.elements: list[Element] = []

    def chain(self, name: str) -> None:
        self.chains.append(f"{self.chain_start}{name}\n")

    def rule(self, chain: str, rule: str) -> None:
        self.rules.append(f"{self.rule_start}{chain} {rule}\n")

    def fragment(self) -> Fragment:
        return Fragment("".join(self.chains), "".join(self.sets), "".join(self.rules), tuple(self.elements))


def fragment(
    planned: PlannedPort, own: str, endpoints: Sequence[str], words: Words, machine: Machine
) -> Fragment:
    """The objects of a service port (pkg/proxy/nftables/proxier.go, 1.37).

    ``own`` is what its chains are called after their kind, ``endpoints`` what those of its reachable
    endpoints are, in their order; these have chains only with session affinity.
    """
    port, choice = planned.port, planned.choice
    usable = choice.usable
    cluster_chain, local_chain = names.CLUSTER + own, names.LOCAL + own
    external_chain, firewall_chain = names.EXTERNAL + own, names.FIREWALL + own
    uses_cluster = bool(choice.cluster) and port.uses_cluster
    uses_local = bool(choice.local) and port.uses_local

    internal_chain, internal_usable = cluster_chain, usable
    if port.internal_local:
        internal_chain, internal_usable = local_chain, usable and bool(choice.local)
    policy_chain, external_usable = cluster_chain, usable
    if port.external_local:
        policy_chain, external_usable = local_chain, usable and bool(choice.local)
    uses_external = usable and port.accessible
    uses_firewall = bool(port.load_balancer_vips and port.source_ranges)
    # Nothing usable anywhere: refuse. Nothing usable here: drop, another node may do.
    without = "drop" if usable else f"goto {names.REJECT_CHAIN}"

    writer = Writer(words)
    if port.affinity_seconds:
        for name in endpoints:
            writer.chain(names.ENDPOINT + name)
    for used, chain in (
        (uses_cluster, cluster_chain),
        (uses_local, local_chain),
        (uses_external, external_chain),
        (uses_firewall, firewall_chain),
    ):
        if used:
            writer.chain(chain)

    capture(
        planned,
        writer,
        internal=f"goto {internal_chain}" if internal_usable else "",
        external=f"goto {external_chain}" if usable else "",
        external_usable=external_usable,
        firewall=f"goto {firewall_chain}" if uses_firewall else "",
        without=without,
    )
    if uses_external:
        _external_chain(port, writer, external_chain, cluster_chain, policy_chain if external_usable else "")
    if uses_firewall:
        _firewall_chain(port, writer, firewall_chain, machine)
    policies = [(cluster_chain, choice.cluster)] if uses_cluster else []
    if uses_local:
        policies.append((local_chain, choice.local))
    if not port.affinity_seconds:
        for chain, used_endpoints in policies:
            _to_endpoints(port, writer, chain, used_endpoints)
        return writer.fragment()

    by_address = {c.address: name for c, name in zip(choice.reachable, endpoints, strict=True)}
    for chain, used_endpoints in policies:
        _to_endpoint_chains(writer, chain, [by_address[c.address] for c in used_endpoints])
    _endpoint_chains(port, writer, choice.reachable, endpoints)
    return writer.fragment()


def capture(
    planned: PlannedPort,
    writer: Writer,
    *,
    internal: str,
    external: str,
    external_usable: bool,
    firewall: str,
    without: str,
) -> None:
    """Elements that lead traffic for the port's addresses to its chains.

    ``internal``, ``external`` and ``firewall`` are verdicts, empty where there is nothing to go to;
    ``without`` is that for traffic without an endpoint to take it.
    """
    port = planned.port
    protocol, number = port.protocol.lower(), port.port
    comment = port.name[:LONGEST_COMMENT]
    elements = writer.elements
    elements += [
        Element(names.HAIRPIN, f"{c.ip} . {c.ip} . {protocol} . {c.address.rpartition(':')[2]}")
        for c in planned.choice.reachable
        if c.local
    ]
    elements.append(Element(names.CLUSTER_IPS, port.cluster_ip))
    key = f"{port.cluster_ip} . {protocol} . {number}"
    if internal:
        elements.append(Element(names.SERVICE_IPS, key, internal))
    else:
        elements.append(Element(names.NO_ENDPOINT_SERVICES, key, without, comment))
    for ip in (*port.external_ips, *port.load_balancer_vips):
        key = f"{ip} . {protocol} . {number}"
        if external:
            elements.append(Element(names.SERVICE_IPS, key, external))
        if not external_usable:
            elements.append(Element(names.NO_ENDPOINT_SERVICES, key, without, comment))
    if firewall:
        elements += [
            Element(names.FIREWALL_IPS, f"{ip} . {protocol} . {number}", firewall)
            for ip in port.load_balancer_vips
        ]
    if port.node_port:
        key = f"{protocol} . {port.node_port}"
        if protocol in writer.words.rejected:
            verdict = f"goto {names.LOCALHOST_REJECT_CHAIN}{protocol}"
            elements.append(Element(names.LOCALHOST_REJECTS, key, verdict))
        if external:
            elements.append(Element(names.SERVICE_NODE_PORTS, key, external))
        if not external_usable:
            elements.append(Element(names.NO_ENDPOINT_NODE_PORTS, key, without, comment))


def _external_chain(
    port: ServicePort, writer: Writer, chain: str, cluster_chain: str, policy_chain: str
) -> None:
    """Traffic for external addresses; ``policy_chain`` is empty where no endpoint takes it."""
    words = writer.words
    if not port.external_local:
        # The endpoint may be on another node, and replies have to come back through this one.
        writer.rule(chain, f'{words.masquerade} comment "masquerade"')
    else:
        if words.if_local:
            writer.rule(chain, f'{words.if_local} goto {cluster_chain} comment "short-circuit pod traffic"')
        # The node's own traffic may have the destination itself as its source.
        writer.rule(chain, f'fib saddr type local {words.masquerade} comment "masquerade local traffic"')
        writer.rule(chain, f'fib saddr type local goto {cluster_chain} comment "short-circuit local traffic"')
    if policy_chain:
        writer.rule(chain, f"goto {policy_chain}")


def _firewall_chain(port: ServicePort, writer: Writer, chain: str, machine: Machine) -> None:
    """Drop what no source range lets in."""
    sources = list(port.source_ranges)
    nets = [network(cidr) for cidr in sources]
    if any(net is not None and contains(net, machine.node_ip) for net in nets):
        # The node's own packets to the address may loop back with the address itself as their source.
        sources += port.load_balancer_vips
    writer.rule(chain, f"{writer.words.ip} saddr != {{ {' , '.join(sources)} }} drop")


def _to_endpoints(port: ServicePort, writer: Writer, chain: str, used: Sequence[Candidate]) -> None:
    """One rule that spreads traffic evenly; a map costs nft more than a plain address does."""
    protocol = port.protocol.lower()
    if len(used) == 1:
        writer.rule(chain, f"meta l4proto {protocol} dnat to {used[0].address}")
        return
    ends = " , ".join([f"{i} : {c.ip} . {c.address.rpartition(':')[2]}" for i, c in enumerate(used)])
    writer.rule(
        chain,
        f"meta l4proto {protocol} dnat {writer.words.ip} addr . port to"
        f" numgen random mod {len(used)} map {{ {ends} }}",
    )


def _to_endpoint_chains(writer: Writer, chain: str, used: Sequence[str]) -> None:
    """A client that an endpoint's set knows goes there, others anywhere."""
    start = f"{writer.rule_start}{chain} {writer.words.ip} saddr @{names.AFFINITY}"
    writer.rules += [f"{start}{name} goto {names.ENDPOINT}{name}\n" for name in used]
    ends = " , ".join([f"{i} : goto {names.ENDPOINT}{name}" for i, name in enumerate(used)])
    writer.rule(chain, f"numgen random mod {len(used)} vmap {{ {ends} }}")


def _endpoint_chains(
    port: ServicePort, writer: Writer, reachable: Sequence[Candidate], endpoints: Sequence[str]
) -> None:
    """The chain of each endpoint, and the set of the clients that it keeps for a while."""
    words = writer.words
    kept = f" {{ type {words.address} ; flags dynamic,timeout ; timeout {port.affinity_seconds}s ; }}\n"
    protocol = port.protocol.lower()
    start = f"{writer.rule_start}{names.ENDPOINT}"
    writer.sets += [f"add set {words.scope} {names.AFFINITY}{name}{kept}" for name in endpoints]
    remember = f" {{ {words.ip} saddr }}\n"
    writer.rules += [
        f"{start}{name} update @{names.AFFINITY}{name}{remember}"
        f"{start}{name} meta l4proto {protocol} dnat to {candidate.address}\n"
        for candidate, name in zip(reachable, endpoints, strict=True)
    ]
