"""Which chains and rules are kube-proxy's, and which are its neighbours'.

Names are those of the modes of all supported releases (pkg/proxy/iptables, pkg/proxy/ipvs, and the userspace
mode up to 1.25), and of kubelet (pkg/kubelet/kubelet_network_linux.go).
"""

from __future__ import annotations

from rulegen.iptables.base import KUBELET_CHAIN
from rulegen.iptables.dump import BUILTIN, Dump
from rulegen.iptables.names import PREFIXES
from rulegen.iptables.normal import normal
from rulegen.iptables.rule import read
from rulegen.model import Family

SHARED_CHAINS = frozenset(
    {
        "KUBE-SERVICES",
        "KUBE-NODEPORTS",
        "KUBE-EXTERNAL-SERVICES",
        "KUBE-PROXY-FIREWALL",
        "KUBE-IPVS-OUT-FILTER",
        # userspace
        "KUBE-PORTALS-CONTAINER",
        "KUBE-PORTALS-HOST",
        "KUBE-NODEPORT-CONTAINER",
        "KUBE-NODEPORT-HOST",
        "KUBE-NODEPORT-NON-LOCAL",
    }
)
"""Chains with lines of many Services: kube-proxy writes them in a hash map's order, which means nothing."""

LAST_RULE = "NOTE: this must be the last rule in this chain"
"""Part of the comment of the rules that come after those of all Services."""

LAST_JUMP = "NOTE: this must be the last rule in the chain"
"""Part of the comment of the jumps that the userspace mode appended to a chain of the kernel's."""

BASE_CHAINS = frozenset(
    {
        "KUBE-SERVICES",
        "KUBE-EXTERNAL-SERVICES",
        "KUBE-FORWARD",
        "KUBE-NODEPORTS",
        "KUBE-PROXY-FIREWALL",
        "KUBE-POSTROUTING",
        "KUBE-MARK-MASQ",
        # ipvs
        "KUBE-SOURCE-RANGES-FIREWALL",
        "KUBE-NODE-PORT",
        "KUBE-LOAD-BALANCER",
        "KUBE-IPVS-FILTER",
        "KUBE-IPVS-OUT-FILTER",
        # userspace
        "KUBE-PORTALS-CONTAINER",
        "KUBE-PORTALS-HOST",
        "KUBE-NODEPORT-CONTAINER",
        "KUBE-NODEPORT-HOST",
        "KUBE-NODEPORT-NON-LOCAL",
    }
)
"""Chains that a mode of kube-proxy makes whatever the Services are."""

CANARY = "KUBE-PROXY-CANARY"
"""Empty, in mangle, nat and filter: kube-proxy looks whether somebody flushed it."""

KUBELET_CHAINS = frozenset({"KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-MARK-DROP"})
"""Chains of kubelet's own (KUBE-MARK-DROP until 1.28). KUBE-FIREWALL it shares with kube-proxy."""

KUBELET_RULES = (
    '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8'
    " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    '-m comment --comment "kubernetes firewall for dropping marked packets"'
    " -m mark --mark 0x8000/0x8000 -j DROP",
)
"""What kubelet puts into KUBE-FIREWALL (the second one until 1.28)."""


_ALL_PREFIXES = (*PREFIXES, "KUBE-XLB-")
"""KUBE-XLB- was the prefix of what are now EXT and SVL chains, until 1.23."""


def is_service_chain(name: str) -> bool:
    """Whether a chain is named like one of a Service: kube-proxy deletes those that no Service needs."""
    return name.startswith(PREFIXES)


def is_owned(name: str) -> bool:
    """Whether a chain and all its rules are kube-proxy's, in any mode."""
    return name in BASE_CHAINS or name.startswith(_ALL_PREFIXES) or name == KUBELET_CHAIN


def is_jump(rule: str, family: Family) -> bool:
    """Whether a rule of one of the kernel's chains is, or once was, a jump of kube-proxy's.

    Its jumps match nothing but the connection's state. A rule with other matches that leads to a chain of
    kube-proxy is somebody else's.
    """
    if " KUBE-" not in rule:
        return False
    try:
        parts = read(rule, family)
    except ValueError:
        return False
    if parts.target is None or parts.fields or not is_owned(parts.target.name):
        return False
    # The userspace mode also asked for local destinations.
    return all(part.name in ("comment", "conntrack", "state", "addrtype") for part in parts.matches)


def has_kubelet(dump: Dump) -> bool:
    """Whether a kubelet has been at work on the node."""
    return any(name in KUBELET_CHAINS for table in dump.tables.values() for name in table)


def of_kubelet(rules: list[str], family: Family) -> list[str]:
    """Those of the rules that kubelet puts into KUBE-FIREWALL."""
    if not rules:
        return []
    known = {normal(rule, family) for rule in KUBELET_RULES}
    return [rule for rule in rules if normal(rule, family) in known]


def is_builtin(table: str, name: str) -> bool:
    return name in BUILTIN.get(table, ())
