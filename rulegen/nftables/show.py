"""The rules and elements of one Service, in the order in which a packet meets them, with what each does.

Notes and trees are read from the text of the compiled rules, through their statements.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from rulegen.backend import Branch, ShownRule
from rulegen.nftables import names
from rulegen.nftables.base import JUMPS
from rulegen.nftables.element import Element
from rulegen.nftables.fragment import Fragment
from rulegen.nftables.ruleset import Ruleset
from rulegen.nftables.statements import Statement, read, split_comment
from rulegen.plan import ServicePort
from rulegen.plan.addresses import join_host_port

Rules: TypeAlias = dict[str, list[str]]

# Firewalling is done before destinations are rewritten, refusing after, masquerading last.
_ORDER = (
    names.FIREWALL_IPS,
    names.FIREWALL,
    names.CLUSTER_IPS,
    names.SERVICE_IPS,
    names.SERVICE_NODE_PORTS,
    names.EXTERNAL,
    names.CLUSTER,
    names.LOCAL,
    names.ENDPOINT,
    names.NO_ENDPOINT_NODE_PORTS,
    names.LOCALHOST_REJECTS,
    names.NO_ENDPOINT_SERVICES,
    names.HAIRPIN,
)
_OWN = (names.FIREWALL, names.EXTERNAL, names.CLUSTER, names.LOCAL, names.ENDPOINT)
_FEW = 4


def rules(ruleset: Ruleset, ports: Collection[ServicePort]) -> list[ShownRule]:
    """All elements and rules of these service ports, port by port.

    The chain of an element is its set or map, ``@service-ips``.
    """
    table = ruleset.base.words.scope
    shown: list[ShownRule] = []
    for port in ports:
        fragment = ruleset.fragments.get(port.key)
        if fragment is None:
            continue
        own = own_rules(fragment)
        ends = destinations(own)
        for place in _ORDER:
            shown += [
                ShownRule(
                    table=table,
                    chain=f"@{element.container}",
                    number=None,
                    rule=element.text,
                    note=f"{who_asks(port, element)}: {what_follows(element)}",
                    line=f"add element {table} {element.container} {{ {element.text} }}",
                )
                for element in dict.fromkeys(fragment.elements)
                if element.container == place
            ]
            if place not in _OWN:
                continue
            shown += [
                ShownRule(
                    table=table,
                    chain=chain,
                    number=number,
                    rule=rule,
                    note=note(read(rule, ruleset.base.words.ip), ends, affinity(fragment)),
                    line=f"add rule {table} {chain} {rule}",
                )
                for chain, lines in own.items()
                if chain.startswith(place)
                for number, rule in enumerate(lines, 1)
            ]
    return shown


def own_rules(fragment: Fragment) -> Rules:
    """Chain -> rules, of the chains that belong to the service port alone."""
    found: Rules = {}
    for line in fragment.rules.splitlines():
        _, _, _, _, chain, rule = line.split(" ", 5)
        found.setdefault(chain, []).append(rule)
    return found


def destinations(own: Rules) -> dict[str, str]:
    """Endpoint chain -> ``ip:port`` that it rewrites to."""
    return {
        chain: rule.rpartition(" dnat to ")[2]
        for chain, lines in own.items()
        if chain.startswith(names.ENDPOINT)
        for rule in lines
        if " dnat to " in rule
    }


def affinity(fragment: Fragment) -> str:
    """For how long a client stays at its endpoint, as nft has it, or ``""``."""
    return fragment.sets.partition(" timeout ")[2].partition(" ")[0]


def who_asks(port: ServicePort, element: Element) -> str:
    """Which traffic an element of a set or map stands for, in words."""
    parts = element.key.split(" . ")
    if element.container == names.CLUSTER_IPS:
        return f"{parts[0]}, a cluster IP"
    if element.container == names.HAIRPIN:
        return f"{parts[0]} to itself on {parts[3]}/{parts[2]}"
    if len(parts) == 2:
        where = "localhost" if element.container == names.LOCALHOST_REJECTS else "any node port address"
        return f"{where} :{parts[1]}/{parts[0]}"
    return f"{join_host_port(parts[0], int(parts[2]))}/{parts[1]}, {kind_of(port, parts[0])}"


def kind_of(port: ServicePort, ip: str) -> str:
    """What an address is to a Service."""
    if ip == port.cluster_ip:
        return "cluster IP"
    return "external IP" if ip in port.external_ips else "loadbalancer IP"


def what_follows(element: Element) -> str:
    """What happens to the traffic that an element stands for."""
    if element.container == names.CLUSTER_IPS:
        return "ports that no Service has are refused"
    if element.container == names.HAIRPIN:
        return "an endpoint reaches itself through a Service: masquerade, or it would answer itself"
    if element.value == "drop":
        return "drop, no local endpoints"
    if element.value == f"goto {names.REJECT_CHAIN}":
        return "refuse, no endpoints"
    if element.container == names.LOCALHOST_REJECTS:
        return "refuse and count, node ports are not served on localhost"
    return f"go to {element.value.removeprefix('goto ')}"


def note(statements: Sequence[Statement], ends: Mapping[str, str], kept: str) -> str:
    """What a rule of a service port's own chain does, in a few words."""
    who = source(statements)
    last = statements[-1]
    match last:
        case {"drop": _}:
            return f"{who}: drop"
        case {"mangle": _}:
            return f"{who or 'all traffic'}: masquerade"
        case {"set": _}:
            return f"remember the client for {kept}"
        case {"dnat": {"addr": str(ip), "port": port}}:
            return f"send to {join_host_port(ip, port)}"
        case {"dnat": {"addr": {"map": {"data": {"set": elements}}}}}:
            return spread([join_host_port(*end["concat"]) for _, end in elements])
        case {"vmap": {"data": {"set": elements}}}:
            return spread([ends[to["goto"]["target"]] for _, to in elements])
        case {"goto": {"target": target}}:
            if target in ends:
                return f"a client seen here in the last {kept} stays at {ends[target]}"
            return f"{who or 'all the rest'}: go to {target}"
    raise ValueError(f"no words for {last}")


def spread(ends: Sequence[str]) -> str:
    """Endpoints that share traffic evenly."""
    if len(ends) == 1:
        return f"all to {ends[0]}"
    return f"1/{len(ends)} each to {', '.join(ends) if len(ends) <= _FEW else f'{len(ends)} endpoints'}"


def source(statements: Sequence[Statement]) -> str:
    """Whose traffic a rule matches, in words; ``""`` where it matches all."""
    for statement in statements:
        match statement.get("match"):
            case {"left": {"payload": {"field": "saddr"}}, "op": op, "right": right}:
                if isinstance(right, str) and right.startswith("@"):
                    return ""
                return f"source {'outside ' if op == '!=' else ''}{constants(right)}"
            case {"left": {"meta": {"key": "iifname"}}, "op": op, "right": device}:
                return f"{'not ' if op == '!=' else ''}from {device}"
            case {"left": {"fib": {"flags": ["saddr"]}}}:
                return "from the node itself"
    return ""


def constants(right: Any) -> str:
    match right:
        case {"set": elements}:
            return ", ".join(map(constants, elements))
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
    return str(right)


def endpoint_chains(ruleset: Ruleset, port: ServicePort) -> dict[str, str]:
    """Endpoint address -> its chain, or without session affinity ``CHAIN [PLACE]``, from 0.

    The place is that in the map of the chain's rule, absent where the chain leads to this endpoint alone.
    """
    fragment = ruleset.fragments.get(port.key)
    if fragment is None:
        return {}
    own = own_rules(fragment)
    ends = destinations(own)
    found = {address: chain for chain, address in ends.items()}
    for chain, lines in own.items():
        for statement in read(lines[-1], ruleset.base.words.ip):
            match statement:
                case {"dnat": {"addr": str(ip), "port": number}}:
                    found.setdefault(join_host_port(ip, number), chain)
                case {"dnat": {"addr": {"map": {"data": {"set": elements}}}}}:
                    for place, end in elements:
                        found.setdefault(join_host_port(*end["concat"]), f"{chain} [{place}]")
    return found


def tree(ruleset: Ruleset, ports: Sequence[ServicePort]) -> list[Branch]:
    """The ways of packets for these ports, from the base chains on."""
    ip = ruleset.base.words.ip
    firewalled: list[Branch] = []
    captured: list[Branch] = []
    refused: list[Branch] = []
    looped: list[Branch] = []
    for port in ports:
        fragment = ruleset.fragments.get(port.key)
        if fragment is None:
            continue
        own = {chain: [read(rule, ip) for rule in lines] for chain, lines in own_rules(fragment).items()}
        ends = destinations(own_rules(fragment))
        drawn: set[str] = set()
        for element in dict.fromkeys(fragment.elements):
            label, _, kind = who_asks(port, element).partition(", ")
            target = element.value.removeprefix("goto ")
            match element.container:
                case names.FIREWALL_IPS:
                    walls = tuple(Branch(label=note(rule, ends, "")) for rule in own[target])
                    firewalled.append(Branch(label=label, note=kind, children=walls))
                case names.SERVICE_IPS | names.SERVICE_NODE_PORTS:
                    ways = (_chain_branch(target, own, ends, affinity(fragment), drawn),)
                    captured.append(Branch(label=label, note=kind or "node port", children=ways))
                case names.HAIRPIN:
                    looped.append(Branch(label=label, note="an endpoint reaches itself: masquerade"))
                case names.CLUSTER_IPS:
                    pass
                case _:
                    refused.append(Branch(label=label, note=what_follows(element)))
    masqueraded = _masqueraded(ruleset) if captured else []
    ways_in = (
        ((names.FIREWALL_CHECK,), firewalled),
        ((names.SERVICES_CHAIN,), masqueraded + captured),
        ((names.NODE_PORT_ENDPOINTS_CHECK, names.SERVICE_ENDPOINTS_CHECK), refused),
        ((names.MASQUERADING_CHAIN,), looped),
    )
    return [
        Branch(
            label=", ".join(dict.fromkeys(base for base, to, _ in JUMPS if to in chains)),
            children=(Branch(label=", ".join(chains), children=tuple(branches)),),
        )
        for chains, branches in ways_in
        if branches
    ]


def _masqueraded(ruleset: Ruleset) -> list[Branch]:
    """What is masqueraded on its way to any cluster IP."""
    start = f"add rule {ruleset.base.words.scope} {names.SERVICES_CHAIN} "
    for line in ruleset.base.rules.splitlines():
        if line.startswith(start) and " mark set " in line:
            text, _ = split_comment(line.removeprefix(start))
            who = source(read(text, ruleset.base.words.ip)) or "everything"
            return [Branch(label=f"{who} to cluster IPs: masquerade")]
    return []


def _chain_branch(
    chain: str,
    own: Mapping[str, list[list[Statement]]],
    ends: Mapping[str, str],
    kept: str,
    drawn: set[str],
) -> Branch:
    """A chain with its ways on; a chain that was drawn before is only named."""
    if chain in drawn:
        return Branch(label=chain, note="as above")
    drawn.add(chain)
    children: list[Branch] = []
    for statements in own.get(chain, ()):
        who = source(statements)
        match statements[-1]:
            case {"goto": {"target": target}} if target not in ends:
                follow = _chain_branch(target, own, ends, kept, drawn)
                label = f"{who}: {follow.label}" if who else follow.label
                children.append(Branch(label=label, note=follow.note, children=follow.children))
            case {"goto": _}:
                pass  # the endpoint that a client stays at: said once, of the chain
            case {"dnat": {"addr": {"map": {"data": {"set": elements}}}}}:
                addresses = [join_host_port(*end["concat"]) for _, end in elements]
                children += [_endpoint(address, len(elements)) for address in addresses]
            case {"dnat": {"addr": str(ip), "port": port}}:
                children.append(_endpoint(join_host_port(ip, port), 1))
            case {"vmap": {"data": {"set": elements}}}:
                targets = [to["goto"]["target"] for _, to in elements]
                children += [_endpoint(ends[target], len(elements), f"{target}  ") for target in targets]
            case _:
                children.append(Branch(label=note(statements, ends, kept)))
    hint = (
        f"a client stays at its endpoint for {kept}" if kept and not chain.startswith(names.EXTERNAL) else ""
    )
    return Branch(label=chain, note=hint, children=tuple(children))


def _endpoint(address: str, sharing: int, chain: str = "") -> Branch:
    share = f"{1 / sharing:.0%}" if sharing > 1 else "all"
    return Branch(label=f"{share:>4}  {chain}-> {address}", endpoint=address)
