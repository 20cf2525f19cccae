"""The rules of one service port: an immutable piece of text that depends on nothing but its own inputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from rulegen.iptables.base import LOCALHOST_COUNTER, chain_line
from rulegen.iptables.names import CLUSTER, ENDPOINT, EXTERNAL, FIREWALL, LOCAL
from rulegen.plan import Candidate, Machine, PlannedPort, ServicePort
from rulegen.plan.addresses import contains, network


class Fragment(msgspec.Struct, frozen=True):
    """What one service port adds to the restore text; every field is whole lines, or empty.

    ``filter_rules`` and ``nat_shared`` are lines for chains that all Services share, ``nat_chains`` declares
    the port's own chains, ``nat_rules`` are their lines.
    """

    filter_rules: str = ""
    nat_shared: str = ""
    nat_chains: str = ""
    nat_rules: str = ""


class Style(msgspec.Struct, frozen=True):
    """What all fragments of a ruleset have in common.

    ``comments`` is false in a large cluster, where kube-proxy leaves comments out of the rules of service
    chains. ``masquerade`` is the match of internal traffic that is masqueraded (empty: all of it), None where
    none is; ``if_local`` the match of traffic from pods, None where that cannot be told.
    """

    machine: Machine
    comments: bool
    masquerade: str | None
    if_local: str | None
    localhost_counter: bool


def style(machine: Machine, *, comments: bool) -> Style:
    detector = machine.detector
    if_local = if_not_local = None
    if detector is not None:
        option, value = {
            "cidr": ("-s", detector.value),
            "interface": ("-i", detector.value),
            "prefix": ("-i", detector.value + "+"),
        }[detector.kind]
        if_local, if_not_local = f" {option} {value}", f" ! {option} {value}"
    return Style(
        machine=machine,
        comments=comments,
        masquerade="" if machine.masquerade_all else if_not_local,
        if_local=if_local,
        localhost_counter=machine.localhost_node_ports and machine.family == "IPv4" and machine.nfacct,
    )


@lru_cache(maxsize=4096)
def probability(n: int) -> str:
    """The text of 1/n as kube-proxy writes it."""
    return f"{1 / n:.10f}"


@lru_cache(maxsize=4096)
def balancing(n: int) -> tuple[str, ...]:
    """The end of each of the ``n`` rules that share traffic evenly, up to the name's hash."""
    first = [
        f" -m statistic --mode random --probability {probability(n - i)} -j {ENDPOINT}" for i in range(n - 1)
    ]
    return (*first, f" -j {ENDPOINT}")


_MATCHES = {protocol: f"-m {protocol.lower()} -p {protocol.lower()}" for protocol in ("TCP", "UDP", "SCTP")}
_REFUSED = {False: ("no endpoints", "REJECT"), True: ("no local endpoints", "DROP")}
"""Whether any node has a usable endpoint -> why traffic goes no further here, and what becomes of it."""
_NEXT_ENDPOINT = f" - [0:0]\n:{ENDPOINT}"


def fragment(planned: PlannedPort, own: str, endpoints: Sequence[str], style: Style) -> Fragment:
    """The rules of a service port.

    ``own`` is the hash in the names of its chains, ``endpoints`` those of its reachable endpoints, in their
    order.
    """
    port, choice = planned.port, planned.choice
    usable = choice.usable
    name = port.name
    match = _MATCHES[port.protocol]
    cluster_chain, local_chain = CLUSTER + own, LOCAL + own
    local_usable = usable and bool(choice.local)
    internal_chain, internal_usable = cluster_chain, usable
    if port.internal_local:
        internal_chain, internal_usable = local_chain, local_usable

    filter_rules = shared = ""
    chains: list[str] = []
    rules: list[str] = []
    destination = f"{match} -d {port.cluster_ip} --dport {port.port}"
    if internal_usable:
        cluster_match = f'-m comment --comment "{name} cluster IP" {destination}'
        shared = f"-A KUBE-SERVICES {cluster_match} -j {internal_chain}\n"
        if style.masquerade is not None:
            rules.append(f"-A {internal_chain} {cluster_match}{style.masquerade} -j KUBE-MARK-MASQ\n")
    else:
        missing, target = _REFUSED[usable]
        filter_rules = (
            f'-A KUBE-SERVICES -m comment --comment "{name} has {missing}" {destination} -j {target}\n'
        )
    if port.accessible or port.health_check_node_port:
        policy_chain, external_usable = cluster_chain, usable
        if port.external_local:
            policy_chain, external_usable = local_chain, local_usable
        external_chain, firewall_chain = EXTERNAL + own, ""
        if usable and port.load_balancer_vips and port.source_ranges:
            firewall_chain = FIREWALL + own
        of_filter, of_nat = _capture_external(
            port, style, match, usable, external_usable, external_chain, firewall_chain
        )
        filter_rules += of_filter
        shared += of_nat
        if usable and port.accessible:
            chains.append(chain_line(external_chain))
            _external_chain(
                port, style, rules, external_chain, cluster_chain, policy_chain if external_usable else ""
            )
        if firewall_chain:
            chains.append(chain_line(firewall_chain))
            _firewall_chain(port, style, rules, external_chain, firewall_chain)

    reachable = choice.reachable
    if choice.cluster and port.uses_cluster:
        chains.append(chain_line(cluster_chain))
        _to_endpoints(port, style, rules, cluster_chain, choice.cluster, reachable, endpoints)
    if choice.local and port.uses_local:
        chains.append(chain_line(local_chain))
        _to_endpoints(port, style, rules, local_chain, choice.local, reachable, endpoints)

    if endpoints:
        chains.append(f":{ENDPOINT}{_NEXT_ENDPOINT.join(endpoints)} - [0:0]\n")
    comment = f" -m comment --comment {name}" if style.comments else ""
    begin, loop, back = f"-A {ENDPOINT}", f"{comment} -s ", f" -j KUBE-MARK-MASQ\n-A {ENDPOINT}"
    translate = f"{match} -j DNAT --to-destination "
    if port.affinity_seconds:
        rules += [
            f"{begin}{own}{loop}{c.ip}{back}{own}{comment} -m recent --name {ENDPOINT}{own} --set"
            f" {translate}{c.address}\n"
            for own, c in zip(endpoints, reachable, strict=True)
        ]
    else:
        translate = f"{comment} {translate}"
        rules += [
            f"{begin}{own}{loop}{c.ip}{back}{own}{translate}{c.address}\n"
            for own, c in zip(endpoints, reachable, strict=True)
        ]
    return Fragment(filter_rules, shared, "".join(chains), "".join(rules))


def _capture_external(
    port: ServicePort,
    style: Style,
    match: str,
    usable: bool,
    external_usable: bool,
    external_chain: str,
    firewall_chain: str,
) -> tuple[str, str]:
    """Lines of shared chains of filter and nat, for external addresses, node port and health check.

    ``firewall_chain`` is empty where the port has none.
    """
    name = port.name
    filter_rules: list[str] = []
    shared: list[str] = []
    missing, target = _REFUSED[usable]
    refused = f'-A KUBE-EXTERNAL-SERVICES -m comment --comment "{name} has {missing}"'
    for ip in port.external_ips:
        destination = f"{match} -d {ip} --dport {port.port}"
        if usable:
            shared.append(
                f'-A KUBE-SERVICES -m comment --comment "{name} external IP" {destination}'
                f" -j {external_chain}\n"
            )
        if not external_usable:
            filter_rules.append(f"{refused} {destination} -j {target}\n")
    for ip in port.load_balancer_vips:
        destination = f"{match} -d {ip} --dport {port.port}"
        if usable:
            shared.append(
                f'-A KUBE-SERVICES -m comment --comment "{name} loadbalancer IP" {destination}'
                f" -j {firewall_chain or external_chain}\n"
            )
        if firewall_chain:
            filter_rules.append(
                f'-A KUBE-PROXY-FIREWALL -m comment --comment "{name} traffic not accepted by'
                f' {firewall_chain}" {destination} -j DROP\n'
            )
    if not external_usable:
        filter_rules += [
            f"{refused} {match} -d {ip} --dport {port.port} -j {target}\n" for ip in port.load_balancer_vips
        ]
    if port.node_port:
        if usable:
            start = f"-A KUBE-NODEPORTS -m comment --comment {name} {match}"
            if style.localhost_counter:
                shared.append(
                    f"{start} -d 127.0.0.0/8 --dport {port.node_port}"
                    f" -m nfacct --nfacct-name {LOCALHOST_COUNTER} -j {external_chain}\n"
                )
            shared.append(f"{start} --dport {port.node_port} -j {external_chain}\n")
        if not external_usable:
            filter_rules.append(
                f"{refused} -m addrtype --dst-type LOCAL {match} --dport {port.node_port} -j {target}\n"
            )
    if port.health_check_node_port:
        filter_rules.append(
            f'-A KUBE-NODEPORTS -m comment --comment "{name} health check node port" -m tcp -p tcp'
            f" --dport {port.health_check_node_port} -j ACCEPT\n"
        )
    return "".join(filter_rules), "".join(shared)


def _external_chain(
    port: ServicePort, style: Style, rules: list[str], chain: str, cluster_chain: str, policy_chain: str
) -> None:
    """The EXT chain; ``policy_chain`` is empty where no endpoint takes external traffic."""
    name = port.name
    if not port.external_local:
        # The endpoint may be on another node, and replies have to come back through this one.
        rules.append(
            f'-A {chain} -m comment --comment "masquerade traffic for {name} external destinations"'
            " -j KUBE-MARK-MASQ\n"
        )
    else:
        if style.if_local is not None:
            rules.append(
                f'-A {chain} -m comment --comment "pod traffic for {name} external destinations"'
                f"{style.if_local} -j {cluster_chain}\n"
            )
        local = "-m addrtype --src-type LOCAL"
        rules.append(
            f'-A {chain} -m comment --comment "masquerade LOCAL traffic for {name} external destinations"'
            f" {local} -j KUBE-MARK-MASQ\n"
            f'-A {chain} -m comment --comment "route LOCAL traffic for {name} external destinations"'
            f" {local} -j {cluster_chain}\n"
        )
    if policy_chain:
        rules.append(f"-A {chain} -j {policy_chain}\n")


def _firewall_chain(
    port: ServicePort, style: Style, rules: list[str], external_chain: str, chain: str
) -> None:
    """The FW chain: source ranges go on, the rest falls through to KUBE-PROXY-FIREWALL."""
    name = port.name
    start = f'-A {chain} -m comment --comment "{name} loadbalancer IP" -s '
    from_node = False
    for cidr in port.source_ranges:
        rules.append(f"{start}{cidr} -j {external_chain}\n")
        net = network(cidr)
        from_node = from_node or (net is not None and contains(net, style.machine.node_ip))
    if from_node:
        # The node's own packets to the address may loop back with the address itself as their source.
        rules += [f"{start}{ip} -j {external_chain}\n" for ip in port.load_balancer_vips]
    rules.append(
        f'-A {chain} -m comment --comment "other traffic to {name} will be dropped by KUBE-PROXY-FIREWALL"\n'
    )


def _to_endpoints(
    port: ServicePort,
    style: Style,
    rules: list[str],
    chain: str,
    used: Sequence[Candidate],
    reachable: Sequence[Candidate],
    endpoints: Sequence[str],
) -> None:
    """The rules that spread traffic over endpoints, after those that keep a client at its endpoint."""
    if used is reachable:
        names = endpoints
    else:
        by_address = {c.address: own for c, own in zip(reachable, endpoints, strict=True)}
        names = [by_address[c.address] for c in used]
    start, name = f"-A {chain}", port.name
    if style.comments:
        starts = [f'{start} -m comment --comment "{name} -> {c.address}"' for c in used]
        if port.affinity_seconds:
            rules += [
                f"{begin} -m recent --name {ENDPOINT}{own} --rcheck --seconds {port.affinity_seconds} --reap"
                f" -j {ENDPOINT}{own}\n"
                for begin, own in zip(starts, names, strict=True)
            ]
        rules += [
            f"{begin}{end}{own}\n"
            for begin, end, own in zip(starts, balancing(len(used)), names, strict=True)
        ]
        return
    if port.affinity_seconds:
        rules += [
            f"{start} -m recent --name {ENDPOINT}{own} --rcheck --seconds {port.affinity_seconds} --reap"
            f" -j {ENDPOINT}{own}\n"
            for own in names
        ]
    # Without comments the rules differ in their ends only.
    ends = [end + own for end, own in zip(balancing(len(used)), names, strict=True)]
    between = f"\n{start}"
    rules.append(f"{start}{between.join(ends)}\n")
