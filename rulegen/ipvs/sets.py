"""The ipsets of the ipvs mode: names, types, and the rules that look into them.

kube-proxy keeps what differs between Services in sets and has a fixed, short list of iptables rules that
match on them (pkg/proxy/ipvs/ipset.go and proxier.go, 1.37).
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from rulegen.model import Family

LOOP_BACK = "KUBE-LOOP-BACK"
CLUSTER_IP = "KUBE-CLUSTER-IP"
EXTERNAL_IP = "KUBE-EXTERNAL-IP"
EXTERNAL_IP_LOCAL = "KUBE-EXTERNAL-IP-LOCAL"
LOAD_BALANCER = "KUBE-LOAD-BALANCER"
LOAD_BALANCER_FW = "KUBE-LOAD-BALANCER-FW"
LOAD_BALANCER_LOCAL = "KUBE-LOAD-BALANCER-LOCAL"
SOURCE_IP = "KUBE-LOAD-BALANCER-SOURCE-IP"
SOURCE_CIDR = "KUBE-LOAD-BALANCER-SOURCE-CIDR"
HEALTH_CHECK = "KUBE-HEALTH-CHECK-NODE-PORT"
IPVS_IPS = "KUBE-IPVS-IPS"

NODE_PORT = {
    "TCP": "KUBE-NODE-PORT-TCP",
    "UDP": "KUBE-NODE-PORT-UDP",
    "SCTP": "KUBE-NODE-PORT-SCTP-HASH",
}
NODE_PORT_LOCAL = {
    "TCP": "KUBE-NODE-PORT-LOCAL-TCP",
    "UDP": "KUBE-NODE-PORT-LOCAL-UDP",
    "SCTP": "KUBE-NODE-PORT-LOCAL-SCTP-HASH",
}

NAME_LENGTH = 31
"""Longest name of a set in the kernel, in characters."""

MAX_ELEMENTS = 65536
"""``maxelem`` of every hash set; a kernel refuses further entries."""


class SetKind(msgspec.Struct, frozen=True):
    """A set as kube-proxy knows it; ``name`` is that of the IPv4 set."""

    name: str
    type: str
    comment: str


SETS = (
    SetKind(
        LOOP_BACK,
        "hash:ip,port,ip",
        "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose",
    ),
    SetKind(CLUSTER_IP, "hash:ip,port", "Kubernetes service cluster ip + port for masquerade purpose"),
    SetKind(
        EXTERNAL_IP,
        "hash:ip,port",
        "Kubernetes service external ip + port for masquerade and filter purpose",
    ),
    SetKind(
        EXTERNAL_IP_LOCAL,
        "hash:ip,port",
        "Kubernetes service external ip + port with externalTrafficPolicy=local",
    ),
    SetKind(LOAD_BALANCER, "hash:ip,port", "Kubernetes service lb portal"),
    SetKind(
        LOAD_BALANCER_FW,
        "hash:ip,port",
        "Kubernetes service load balancer ip + port for load balancer with sourceRange",
    ),
    SetKind(
        LOAD_BALANCER_LOCAL,
        "hash:ip,port",
        "Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
    ),
    SetKind(
        SOURCE_IP,
        "hash:ip,port,ip",
        "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
    ),
    SetKind(
        SOURCE_CIDR,
        "hash:ip,port,net",
        "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
    ),
    SetKind(NODE_PORT["TCP"], "bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"),
    SetKind(
        NODE_PORT_LOCAL["TCP"], "bitmap:port", "Kubernetes nodeport TCP port with externalTrafficPolicy=local"
    ),
    SetKind(NODE_PORT["UDP"], "bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"),
    SetKind(
        NODE_PORT_LOCAL["UDP"], "bitmap:port", "Kubernetes nodeport UDP port with externalTrafficPolicy=local"
    ),
    SetKind(
        NODE_PORT["SCTP"],
        "hash:ip,port",
        "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
    ),
    SetKind(
        NODE_PORT_LOCAL["SCTP"],
        "hash:ip,port",
        "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
    ),
    SetKind(HEALTH_CHECK, "bitmap:port", "Kubernetes health check node port"),
    SetKind(IPVS_IPS, "hash:ip", "Addresses on the ipvs interface"),
)
"""In kube-proxy's order."""

COMMENTS = {kind.name: kind.comment for kind in SETS}


class SetRule(msgspec.Struct, frozen=True):
    """A rule that is there as soon as its set has an entry."""

    set: str
    table: str
    chain: str
    target: str
    match: str
    protocol: str = ""


# The rule for local-only node ports stands before the one for all of them: it returns what keeps its source.
SET_RULES = (
    SetRule(LOOP_BACK, "nat", "KUBE-POSTROUTING", "MASQUERADE", "dst,dst,src"),
    SetRule(LOAD_BALANCER, "nat", "KUBE-SERVICES", "KUBE-LOAD-BALANCER", "dst,dst"),
    SetRule(LOAD_BALANCER_LOCAL, "nat", "KUBE-LOAD-BALANCER", "RETURN", "dst,dst"),
    SetRule(NODE_PORT_LOCAL["TCP"], "nat", "KUBE-NODE-PORT", "RETURN", "dst", "tcp"),
    SetRule(NODE_PORT["TCP"], "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "tcp"),
    SetRule(NODE_PORT_LOCAL["UDP"], "nat", "KUBE-NODE-PORT", "RETURN", "dst", "udp"),
    SetRule(NODE_PORT["UDP"], "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "udp"),
    SetRule(NODE_PORT_LOCAL["SCTP"], "nat", "KUBE-NODE-PORT", "RETURN", "dst,dst", "sctp"),
    SetRule(NODE_PORT["SCTP"], "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst,dst", "sctp"),
    SetRule(LOAD_BALANCER_FW, "filter", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst"),
    SetRule(SOURCE_CIDR, "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src"),
    SetRule(SOURCE_IP, "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src"),
)


@lru_cache(maxsize=64)
def set_name(name: str, family: Family) -> str:
    """The name of a set in the kernel: IPv6 sets have ``KUBE-6-``, and are cut to 31 characters."""
    if family == "IPv4":
        return name
    return name.replace("KUBE-", "KUBE-6-", 1)[:NAME_LENGTH]


def hash_family(family: Family) -> str:
    return "inet" if family == "IPv4" else "inet6"
