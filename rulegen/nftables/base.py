"""The part of the table that no Service owns: its base chains, sets and maps, and the rules between them."""

from __future__ import annotations

import msgspec

from rulegen.model import Family
from rulegen.nftables import names
from rulegen.nftables.element import Element
from rulegen.plan import Machine, Plan
from rulegen.versions import Features

LOCALHOST_GATE = "KubeProxyNFTablesLocalhostNodePorts"
PROTOCOLS = ("tcp", "udp", "sctp")
TABLE_COMMENT = "rules for kube-proxy"
REJECT_COMMENT = "helper for @no-endpoint-services / @no-endpoint-nodeports"

# Chain, type, hook, priority. Firewalling comes before DNAT, while the packet still has the address that the
# client asked for.
BASE_CHAINS = (
    ("filter-prerouting-pre-dnat", "filter", "prerouting", -110),
    ("filter-output-pre-dnat", "filter", "output", -110),
    ("filter-input", "filter", "input", 0),
    ("filter-forward", "filter", "forward", 0),
    ("filter-output", "filter", "output", 0),
    ("nat-prerouting", "nat", "prerouting", -100),
    ("nat-output", "nat", "output", -100),
    ("nat-postrouting", "nat", "postrouting", 100),
)

# From, to, and whether only new connections go there. Before input "reject" works on newer kernels only
# (5.9), so services without endpoints are checked for at input, forward and output.
JUMPS = (
    ("filter-input", names.NODE_PORT_ENDPOINTS_CHECK, True),
    ("filter-input", names.SERVICE_ENDPOINTS_CHECK, True),
    ("filter-forward", names.SERVICE_ENDPOINTS_CHECK, True),
    ("filter-output", names.SERVICE_ENDPOINTS_CHECK, True),
    ("filter-prerouting-pre-dnat", names.FIREWALL_CHECK, True),
    ("filter-output-pre-dnat", names.FIREWALL_CHECK, True),
    ("nat-output", names.SERVICES_CHAIN, False),
    ("nat-prerouting", names.SERVICES_CHAIN, False),
    ("nat-postrouting", names.MASQUERADING_CHAIN, False),
    ("filter-forward", names.CLUSTER_IPS_CHECK, True),
    ("filter-output", names.CLUSTER_IPS_CHECK, True),
)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What all rules of a table have in common.

    ``scope`` is the table with its family, ``ip`` the family's protocol, ``address`` its type in sets.
    ``masquerade`` is the statement that marks for masquerading; ``if_local`` and ``if_not_local`` match
    traffic from pods and other traffic, empty where these cannot be told apart. ``rejected`` are the
    protocols whose node ports are rejected on localhost.
    """

    family: Family
    scope: str
    ip: str
    address: str
    mark: str
    masquerade: str
    if_local: str
    if_not_local: str
    rejected: tuple[str, ...]


class Base(msgspec.Struct, frozen=True):
    """Text around the fragments of the service ports, and the elements that no Service owns."""

    words: Words
    table: str
    chains: str
    containers: str
    rules: str
    elements: tuple[Element, ...]


def words(machine: Machine, features: Features) -> Words:
    """The words for one node and family."""
    ip, address = ("ip", "ipv4_addr") if machine.family == "IPv4" else ("ip6", "ipv6_addr")
    if_local = if_not_local = ""
    detector = machine.detector
    if detector is not None and detector.kind == "cidr":
        if_local, if_not_local = f"{ip} saddr {detector.value}", f"{ip} saddr != {detector.value}"
    elif detector is not None:
        device = detector.value + ("*" if detector.kind == "prefix" else "")
        if_local, if_not_local = f"iifname {device}", f"iifname != {device}"
    mark = f"0x{machine.masquerade_mark:08x}"
    return Words(
        family=machine.family,
        scope=f"{ip} {names.TABLE}",
        ip=ip,
        address=address,
        mark=mark,
        masquerade=f"mark set mark or {mark}",
        if_local=if_local,
        if_not_local=if_not_local,
        rejected=_rejected_on_localhost(machine, features),
    )


def _rejected_on_localhost(machine: Machine, features: Features) -> tuple[str, ...]:
    """Protocols whose node ports kube-proxy answers on localhost with a refusal, instead of not at all.

    With loopback among nodePortAddresses a proxy in kube-proxy itself serves TCP there (KEP-4964).
    """
    gates = machine.config.feature_gates
    enabled = gates.get(LOCALHOST_GATE, gates.get("AllAlpha", False))
    if not (features.nft_localhost_rejects and enabled):
        return ()
    served = any(net.network_address.is_loopback for net in machine.node_port_networks)
    return PROTOCOLS[1:] if served else PROTOCOLS


def base(plan: Plan) -> Base:
    """The table as it is without any Service (pkg/proxy/nftables/proxier.go, 1.37)."""
    machine = plan.machine
    known = words(machine, plan.features)
    rejects = known.rejected
    scope = known.scope

    chains = [
        f"add chain {scope} {chain} {{ type {kind} hook {hook} priority {priority} ; }}\n"
        for chain, kind, hook, priority in BASE_CHAINS
    ]
    chains += [f"add chain {scope} {chain}\n" for chain in dict.fromkeys(to for _, to, _ in JUMPS)]
    chains.append(f'add chain {scope} {names.REJECT_CHAIN} {{ comment "{REJECT_COMMENT}" ; }}\n')
    chains += [f"add chain {scope} {names.LOCALHOST_REJECT_CHAIN}{protocol}\n" for protocol in rejects]

    elements: list[Element] = []
    if not machine.node_port_all:
        elements = [
            Element(names.NODE_PORT_IPS, ip)
            for ip in machine.node_port_ips
            if ip != "::1" and not (known.ip == "ip" and ip.startswith("127."))
        ]
    return Base(
        words=known,
        table=f'add table {scope} {{ comment "{TABLE_COMMENT}" ; }}\n',
        chains="".join(chains),
        containers=_containers(known, node_port_ips=not machine.node_port_all),
        rules=_rules(plan, known),
        elements=tuple(elements),
    )


def _containers(known: Words, *, node_port_ips: bool) -> str:
    """Sets, maps and counters."""
    scope, address = known.scope, known.address
    destination = f"{address} . inet_proto . inet_service : verdict"
    port = "inet_proto . inet_service : verdict"
    sets = [
        (names.CLUSTER_IPS, address, "Active ClusterIPs"),
        (
            names.HAIRPIN,
            f"{address} . {address} . inet_proto . inet_service",
            "service hairpin connections",
        ),
    ]
    if node_port_ips:
        sets.append((names.NODE_PORT_IPS, address, "IPs that accept NodePort traffic"))
    maps = [
        (
            names.NO_ENDPOINT_SERVICES,
            destination,
            "vmap to drop or reject packets to services with no endpoints",
        ),
        (
            names.NO_ENDPOINT_NODE_PORTS,
            port,
            "vmap to drop or reject packets to service nodeports with no endpoints",
        ),
        (names.FIREWALL_IPS, destination, "destinations that are subject to LoadBalancerSourceRanges"),
        (names.SERVICE_IPS, destination, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
        (names.SERVICE_NODE_PORTS, port, "NodePort traffic"),
    ]
    if known.rejected:
        maps.append((names.LOCALHOST_REJECTS, port, "localhost NodePorts rejected by kube-proxy"))
    lines = [
        f'add {kind} {scope} {name} {{ type {type_} ; comment "{comment}" ; }}\n'
        for kind, containers in (("set", sets), ("map", maps))
        for name, type_, comment in containers
    ]
    lines += [f"add counter {scope} {names.LOCALHOST_COUNTER}{protocol}\n" for protocol in known.rejected]
    return "".join(lines)


def _rules(plan: Plan, known: Words) -> str:
    machine, ip, mark = plan.machine, known.ip, known.mark
    destination = f"{ip} daddr . meta l4proto . th dport vmap @"
    port = "meta l4proto . th dport vmap @"
    loopback = "127.0.0.0/8" if machine.family == "IPv4" else "::1"
    of_node = f"{ip} daddr @{names.NODE_PORT_IPS} {port}"
    not_loopback = f"{ip} daddr != {loopback} {port}"

    rules = [(chain, f"{'ct state new ' if new_only else ''}jump {to}") for chain, to, new_only in JUMPS]
    rules += [
        (
            names.MASQUERADING_CHAIN,
            f"mark and {mark} != 0 mark set mark xor {mark} masquerade fully-random",
        ),
        (
            names.MASQUERADING_CHAIN,
            f"ct status dnat {ip} saddr . {ip} daddr . meta l4proto . th dport @{names.HAIRPIN}"
            " masquerade fully-random",
        ),
        (
            names.CLUSTER_IPS_CHECK,
            f'{ip} daddr @{names.CLUSTER_IPS} reject comment "Reject traffic to invalid ports of ClusterIPs"',
        ),
    ]
    if plan.service_cidrs:
        rules.append(
            (
                names.CLUSTER_IPS_CHECK,
                f"{ip} daddr {{ {','.join(plan.service_cidrs)} }} drop"
                ' comment "Drop traffic to unallocated ClusterIPs"',
            )
        )
    rules += [
        (names.REJECT_CHAIN, "reject"),
        (names.SERVICE_ENDPOINTS_CHECK, destination + names.NO_ENDPOINT_SERVICES),
        (
            names.NODE_PORT_ENDPOINTS_CHECK,
            (not_loopback if machine.node_port_all else of_node) + names.NO_ENDPOINT_NODE_PORTS,
        ),
    ]
    for protocol in known.rejected:
        counter = names.LOCALHOST_COUNTER + protocol
        rules.append((names.LOCALHOST_REJECT_CHAIN + protocol, f'counter name "{counter}" reject'))
    if known.rejected:
        rules.append(
            (names.NODE_PORT_ENDPOINTS_CHECK, f"{ip} daddr {loopback} {port}{names.LOCALHOST_REJECTS}")
        )
    rules.append((names.FIREWALL_CHECK, destination + names.FIREWALL_IPS))
    of_cluster = f"{ip} daddr @{names.CLUSTER_IPS}"
    if machine.masquerade_all:
        rules.append(
            (
                names.SERVICES_CHAIN,
                f'{of_cluster} {known.masquerade} comment "masquerade all clusterIP traffic"',
            )
        )
    elif known.if_not_local:
        rules.append(
            (
                names.SERVICES_CHAIN,
                f"{of_cluster} {known.if_not_local} {known.masquerade}"
                ' comment "masquerade clusterIP traffic from outside cluster"',
            )
        )
    rules += [
        (names.SERVICES_CHAIN, destination + names.SERVICE_IPS),
        (
            names.SERVICES_CHAIN,
            (f"fib daddr type local {not_loopback}" if machine.node_port_all else of_node)
            + names.SERVICE_NODE_PORTS,
        ),
    ]
    return "".join([f"add rule {known.scope} {chain} {rule}\n" for chain, rule in rules])
