"""What a packet is traced on: compiled rules, or a node's listings, with the node around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rulegen.backend import backend
from rulegen.model import FAMILIES, Family, ProxyConfig
from rulegen.model import Node as NodeFacts
from rulegen.trace import hosts
from rulegen.trace.ground import NFT, SAVES, of_listings, of_recorded
from rulegen.trace.node import Node
from rulegen.trace.packet import number
from rulegen.trace.places import Directory

Recent = Mapping[str, frozenset[int]]


def recent_of(lists: Mapping[str, Any] | None) -> Recent:
    """Lists of ``-m recent`` (and sets of nftables) by name, their addresses as text. Raises ValueError."""
    return {name: frozenset(number(ip) for ip in ips) for name, ips in (lists or {}).items()}


def compiled(
    rules: Callable[[Family], Any],
    mode: str,
    facts: NodeFacts,
    config: ProxyConfig,
    directory: Directory,
    recent: Recent,
) -> Callable[[Family], Node]:
    """Nodes with rules that are compiled when they are asked for; it is their text that is read."""

    def node(family: Family) -> Node:
        told = backend(mode).recorded(rules(family))
        host = hosts.of_node(facts, config, family, pods=directory.local_pods(), bound=told.get("dummy", ()))
        return of_recorded(told, host, recent)

    return node


def dumped(
    listings: Mapping[str, str],
    facts: NodeFacts | None,
    config: ProxyConfig | None,
    directory: Directory,
    recent: Recent,
) -> Callable[[Family], Node]:
    """Nodes with the rules of a dump; what it does not say of the network is as the facts have it."""

    def node(family: Family) -> Node:
        otherwise = None
        if facts is not None:
            otherwise = hosts.of_node(
                facts,
                config or ProxyConfig(),
                family,
                pods=directory.local_pods(),
                bound=_bound(listings, family),
            )
        host = hosts.of_listings(listings, family, otherwise)
        if host is None:
            raise ValueError(
                "nothing says what addresses the node has: dump `ip -j addr` as well (rulegen collect does),"
                " or give them with --node-ip, --interface or --node-file"
            )
        return of_listings(listings, host, recent)

    return node


def _bound(listings: Mapping[str, str], family: Family) -> list[str]:
    """Addresses of virtual servers that are not node ports of the node: the ipvs mode binds them."""
    text = listings.get("ipset save", "")
    name = "KUBE-IPVS-IPS" if family == "IPv4" else "KUBE-6-IPVS-IPS"
    return [line.split()[2] for line in text.splitlines() if line.startswith(f"add {name} ")]


"""What lines of virtual servers begin with."""


def families_of(listings: Mapping[str, str]) -> list[Family]:
    """The families whose rules a dump has."""
    found: list[Family] = []
    for family in FAMILIES:
        nft = any(listings.get(name, "").strip() for name in NFT)
        if nft or any(name in listings for name in SAVES[family]):
            found.append(family)
    return found


def unreached(listings: Mapping[str, str]) -> str:
    """What to say of a text whose chains nothing calls, such as that of ``render`` without its jumps."""
    for names in SAVES.values():
        text = "".join(listings.get(name, "") for name in names)
        if ":KUBE-SERVICES " in text and "-j KUBE-SERVICES" not in text:
            return (
                "no chain of the kernel calls KUBE-SERVICES, so no packet meets it"
                " (`rulegen render --with-jumps` prints the jumps as well)"
            )
    return ""
