"""The iptables rules of the ipvs mode: a fixed list, of which some wait for their set to have an entry."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rulegen.ipvs.base import FILTER_CHAINS, NAT_CHAINS, Settings, chains
from rulegen.ipvs.sets import (
    CLUSTER_IP,
    COMMENTS,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK,
    IPVS_IPS,
    LOAD_BALANCER,
    SET_RULES,
    set_name,
)

LOOPBACK = {"IPv4": "127.0.0.0/8", "IPv6": "::1/128"}


def restore_parts(settings: Settings, filled: Collection[str], drops: str) -> Iterator[str]:
    """The pieces of the restore text (``writeIptablesRules``, 1.37).

    ``filled`` are the sets that have an entry, ``drops`` the rules of KUBE-IPVS-OUT-FILTER.
    """
    yield "*nat\n"
    yield chains(NAT_CHAINS)
    yield from _nat(settings, filled)
    yield "COMMIT\n*filter\n"
    yield chains(FILTER_CHAINS)
    yield from _filter(settings, filled, drops)
    yield "COMMIT\n"


def _matching(settings: Settings, name: str) -> str:
    """The match on a set, with the set's comment."""
    comment = f'-m comment --comment "{COMMENTS[name]}"'
    return f"{comment} -m set --match-set {set_name(name, settings.family)}"


def _set_rules(settings: Settings, filled: Collection[str], table: str) -> Iterator[str]:
    for rule in SET_RULES:
        if rule.table == table and rule.set in filled:
            protocol = f"-p {rule.protocol} " if rule.protocol else ""
            match = _matching(settings, rule.set)
            yield f"-A {rule.chain} {protocol}{match} {rule.match} -j {rule.target}\n"


def _nat(settings: Settings, filled: Collection[str]) -> Iterator[str]:
    mark = settings.mark
    yield f"-A KUBE-SERVICES -s {LOOPBACK[settings.family]} -j RETURN\n"
    yield from _set_rules(settings, filled, "nat")
    if CLUSTER_IP in filled:
        match = _matching(settings, CLUSTER_IP)
        yield f"-A KUBE-SERVICES {match} {settings.masquerade} -j KUBE-MARK-MASQ\n"
    for name in (EXTERNAL_IP, EXTERNAL_IP_LOCAL):
        if name in filled:
            start = f"-A KUBE-SERVICES {_matching(settings, name)} dst,dst"
            if name == EXTERNAL_IP:
                yield f"{start} -j KUBE-MARK-MASQ\n"
            # What comes from off this machine, and what is for an address that is the machine's own.
            yield f"{start} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT\n"
            yield f"{start} -m addrtype --dst-type LOCAL -j ACCEPT\n"
    yield "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT\n"
    yield "-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ\n"
    for name in (CLUSTER_IP, LOAD_BALANCER):
        if name in filled:
            kernel_name = set_name(name, settings.family)
            yield f"-A KUBE-SERVICES -m set --match-set {kernel_name} dst,dst -j ACCEPT\n"
    yield f"-A KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN\n"
    yield f"-A KUBE-POSTROUTING -j MARK --xor-mark {mark}\n"
    yield (
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT"'
        " -j MASQUERADE --random-fully\n"
    )
    yield f"-A KUBE-MARK-MASQ -j MARK --or-mark {mark}\n"


def _filter(settings: Settings, filled: Collection[str], drops: str) -> Iterator[str]:
    mark, family = settings.mark, settings.family
    yield from _set_rules(settings, filled, "filter")
    yield "-A KUBE-SOURCE-RANGES-FIREWALL -j DROP\n"
    yield drops
    yield (
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules"'
        f" -m mark --mark {mark}/{mark} -j ACCEPT\n"
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule"'
        " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    )
    yield f"-A KUBE-NODE-PORT {_matching(settings, HEALTH_CHECK)} dst -j ACCEPT\n"
    # Ports of the node itself are not to be reached through the addresses of Services.
    for name in (LOAD_BALANCER, CLUSTER_IP, EXTERNAL_IP, EXTERNAL_IP_LOCAL):
        yield f"-A KUBE-IPVS-FILTER -m set --match-set {set_name(name, family)} dst,dst -j RETURN\n"
    yield f"-A KUBE-IPVS-FILTER -m set --match-set {set_name(HEALTH_CHECK, family)} dst -j RETURN\n"
    yield (
        "-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW"
        f" -m set --match-set {set_name(IPVS_IPS, family)} dst -j REJECT\n"
    )
