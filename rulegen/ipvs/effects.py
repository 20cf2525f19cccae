"""What a virtual server, an entry of a set or a rule does to traffic, and what its absence does, in words.

The meaning of the sets is that of the rules which look into them (pkg/proxy/ipvs/proxier.go, 1.37).
"""

from __future__ import annotations

from rulegen.iptables import effects as of_rules
from rulegen.iptables.rule import Rule
from rulegen.iptables.views import Views
from rulegen.ipvs.owners import CAPTURING, Key, key_of
from rulegen.ipvs.servers import RealServer, Server
from rulegen.ipvs.sets import (
    CLUSTER_IP,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK,
    IPVS_IPS,
    LOAD_BALANCER,
    LOAD_BALANCER_FW,
    LOAD_BALANCER_LOCAL,
    LOOP_BACK,
    NODE_PORT,
    NODE_PORT_LOCAL,
    SOURCE_CIDR,
    SOURCE_IP,
)
from rulegen.ipvs.state import BASE_NAMES
from rulegen.plan.addresses import join_host_port

# --- virtual servers


def lacking_server(where: str, server: Server) -> str:
    if not server.reals:
        return f"connections to {where} are not refused, though no endpoint takes them"
    return f"connections to {where} are not sent to its endpoints"


def present_server(where: str, server: Server) -> str:
    count = len(server.reals)
    if not count:
        return f"connections to {where} are refused, though no Service has that address"
    ends = f"{count} endpoint{'s' if count != 1 else ''}"
    return f"connections to {where} are sent to {ends}, though no Service has that address"


def other_options(before: Server, after: Server) -> str:
    """What a virtual server does that has other options than it should."""
    said = []
    if before.scheduler != after.scheduler:
        said.append(f"endpoints are chosen by {before.scheduler} instead of {after.scheduler}")
    if before.timeout != after.timeout:
        if not before.timeout:
            said.append("clients do not stay at their endpoint")
        elif not after.timeout:
            said.append(f"clients stay at their endpoint for {before.timeout} s")
        else:
            said.append(f"clients stay at their endpoint for {before.timeout} s instead of {after.timeout} s")
    if before.flags != after.flags:
        said.append(f"the scheduler hashes in another way ({before.flags or 'no flags'})")
    return "; ".join(said) or "it has options that kube-proxy gives to none"


def lacking_real(where: str, real: RealServer) -> str:
    return f"endpoint {real.address} gets no connections to {where}"


def present_real(where: str, real: RealServer) -> str:
    return f"{real.address}, which is no endpoint, gets connections to {where}"


def other_real(where: str, before: RealServer, after: RealServer) -> str:
    if before.method != after.method:
        how = {"-g": "unchanged, as if it were a router", "-i": "in a tunnel"}.get(
            before.method, before.method
        )
        return f"packets to {where} are sent to {before.address} {how}: it does not answer"
    if not before.weight:
        return f"endpoint {before.address} gets no new connections to {where}"
    return f"endpoint {before.address} gets {before.weight} shares of the connections to {where}"


# --- sets

_REPLIES = "keeps its source address: replies may not come back through this node"


def lacking_entry(base: str, entry: str) -> str:
    """What happens while an entry is missing from a set (by its IPv4 name)."""
    key = key_of(base, entry)
    where = _where(base, key)
    if base in (CLUSTER_IP, EXTERNAL_IP, LOAD_BALANCER):
        return f"new connections to {where} are refused, and traffic to it {_REPLIES}"
    if base == EXTERNAL_IP_LOCAL:
        return f"new connections to {where} are refused"
    if base == LOOP_BACK:
        end = join_host_port(key.ip, key.port)
        return f"endpoint {end} does not reach itself through the Service: it would answer itself directly"
    if base == LOAD_BALANCER_LOCAL or base in NODE_PORT_LOCAL.values():
        return f"endpoints do not see the clients of {where}, though externalTrafficPolicy is Local"
    if base == LOAD_BALANCER_FW:
        return f"clients outside loadBalancerSourceRanges are not dropped at {where}"
    if base in (SOURCE_CIDR, SOURCE_IP):
        return f"clients in {key.rest} are dropped at {where}"
    if base in NODE_PORT.values():
        return f"traffic to {where} {_REPLIES}"
    if base == HEALTH_CHECK:
        return f"health checks on port {key.port} are left to other firewall rules"
    return f"ports of {key.ip} that no Service has are not refused: they reach the node itself"


def present_entry(base: str, entry: str) -> str:
    """What an entry does that should not be there."""
    key = key_of(base, entry)
    where = _where(base, key)
    if base in CAPTURING:
        return f"the firewall takes {where} for {_article(CAPTURING[base])} of a Service"
    if base == LOOP_BACK:
        return f"connections of {key.ip} to itself on {key.port} are masqueraded without need"
    if base == LOAD_BALANCER_LOCAL or base in NODE_PORT_LOCAL.values():
        return f"traffic to {where} is not masqueraded, though externalTrafficPolicy is not Local"
    if base == LOAD_BALANCER_FW:
        return f"clients outside the ranges in {SOURCE_CIDR} are dropped at {where}"
    if base in (SOURCE_CIDR, SOURCE_IP):
        return f"clients in {key.rest} are let in at {where}, though loadBalancerSourceRanges leave them out"
    if base in NODE_PORT.values():
        return f"traffic to {where} is masqueraded, though it is no node port of a Service"
    if base == HEALTH_CHECK:
        return f"traffic to port {key.port} passes the firewall as if it were health checks"
    return f"new connections to {key.ip} are refused, though it is no address of a Service"


def _where(base: str, key: Key) -> str:
    if base in NODE_PORT.values() or base in NODE_PORT_LOCAL.values():
        return f"node port {key.where}"
    return key.where


def _article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def lacking_set(base: str) -> str:
    return f"rules that look into it cannot be there: {_SETS.get(base, 'they do nothing')}"


_SETS = {
    IPVS_IPS: "ports that no Service has are not refused at addresses of Services",
    LOOP_BACK: "endpoints do not reach themselves through a Service",
    HEALTH_CHECK: "health checks are left to other firewall rules",
    LOAD_BALANCER_FW: "loadBalancerSourceRanges are not enforced",
    SOURCE_CIDR: "clients in loadBalancerSourceRanges are dropped",
    SOURCE_IP: "the node itself is dropped at load balancer IPs",
}


# --- rules

_BEHIND = {
    ("nat", "KUBE-SERVICES"): "are not marked for masquerading: replies may be lost",
    ("filter", "KUBE-NODE-PORT"): "and are health checks of load balancers are left to other firewall rules",
    ("filter", "KUBE-IPVS-FILTER"): "are not refused at ports of Services' addresses that no Service has",
    ("filter", "KUBE-IPVS-OUT-FILTER"): "are not dropped where loadBalancerSourceRanges leave the node out",
}

_KINDS = {
    CLUSTER_IP: "cluster IPs",
    EXTERNAL_IP: "external IPs",
    EXTERNAL_IP_LOCAL: "external IPs with externalTrafficPolicy Local",
    LOAD_BALANCER: "load balancer IPs",
    LOAD_BALANCER_LOCAL: "load balancer IPs with externalTrafficPolicy Local",
    LOAD_BALANCER_FW: "load balancer IPs with loadBalancerSourceRanges",
    **dict.fromkeys(NODE_PORT.values(), "node ports"),
    **dict.fromkeys(NODE_PORT_LOCAL.values(), "node ports with externalTrafficPolicy Local"),
}


def lacking_rule(table: str, chain: str, rule: Rule, views: Views) -> str:
    """What happens while a rule is missing from its chain."""
    name = of_rules.target(rule)
    if (table, chain) in of_rules.PACKETS and (table, name) in _BEHIND:
        return f"{of_rules.PACKETS[table, chain]} {_BEHIND[table, name]}"
    base = _set_of(rule)
    match chain, name:
        case "KUBE-SERVICES", "RETURN":
            return "connections from loopback addresses are masqueraded as those of others"
        case "KUBE-SERVICES", "KUBE-MARK-MASQ" | "KUBE-LOAD-BALANCER":
            return f"traffic to {_KINDS.get(base, base)} {_REPLIES}"
        case "KUBE-SERVICES", "ACCEPT":
            return f"traffic to {_KINDS.get(base, base)} goes on to rules after kube-proxy's"
        case "KUBE-SERVICES", "KUBE-NODE-PORT":
            return f"traffic to node ports {_REPLIES}"
        case "KUBE-NODE-PORT" | "KUBE-LOAD-BALANCER", "RETURN":
            return f"endpoints do not see the clients of {_KINDS.get(base, base)}"
        case "KUBE-NODE-PORT" | "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ":
            return f"traffic to {_KINDS.get(base, 'load balancer IPs')} {_REPLIES}"
        case "KUBE-NODE-PORT", "ACCEPT":
            return "health checks of load balancers are left to other firewall rules"
        case "KUBE-POSTROUTING", "MASQUERADE" if base == LOOP_BACK:
            return "endpoints do not reach themselves through a Service: they would answer directly"
        case "KUBE-PROXY-FIREWALL", _:
            return "clients outside loadBalancerSourceRanges are not dropped"
        case "KUBE-SOURCE-RANGES-FIREWALL", "RETURN":
            return "clients in loadBalancerSourceRanges are dropped"
        case "KUBE-SOURCE-RANGES-FIREWALL", "DROP":
            return "clients outside loadBalancerSourceRanges are not dropped"
        case "KUBE-IPVS-FILTER", "RETURN" if base == HEALTH_CHECK:
            return "health checks on addresses of Services are refused"
        case "KUBE-IPVS-FILTER", "RETURN":
            return f"new connections to {_KINDS.get(base, base)} are refused"
        case "KUBE-IPVS-FILTER", "REJECT":
            return "ports that no Service has are not refused at addresses of Services"
        case "KUBE-IPVS-OUT-FILTER", "DROP":
            return "the node itself is not dropped, though loadBalancerSourceRanges leave it out"
    return of_rules.lacking(table, chain, rule, views)


def _set_of(rule: Rule) -> str:
    """The set that a rule looks into, by its IPv4 name; empty where it looks into none."""
    part = rule.match("set")
    value = part.value("--match-set") if part is not None else None
    name = (value or "").partition(" ")[0]
    return next((names[name] for names in BASE_NAMES.values() if name in names), name)
