"""Nodes to trace on, from rules in every form in which there are any: recorded, compiled, listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rulegen.iptables.dump import Dump
from rulegen.iptables.parse import parse, parse_all
from rulegen.model import Family
from rulegen.trace import ipsets, ipvs, nft_text, nftables
from rulegen.trace.facts import Facts
from rulegen.trace.host import Host
from rulegen.trace.iptables import tables
from rulegen.trace.node import Node


def of_recorded(
    rules: Mapping[str, Any],
    host: Host,
    recent: Mapping[str, frozenset[int]] | None = None,
) -> Node:
    """A node with rules in the recorded form, which every backend writes (``Backend.recorded``).

    Raises ValueError for rules that cannot be read.
    """
    sets = ipsets.of_entries(rules["ipsets"], rules.get("setTypes", {})) if "ipsets" in rules else None
    facts = Facts(host=host, sets=sets, recent=recent or {})
    if "nft" in rules:
        return Node(facts, bases=nftables.bases(nft_text.read(rules["nft"]), facts))
    servers = ipvs.of_recorded(rules.get("virtual", ()))
    return Node(facts, tables(as_dump(rules, host.family), facts), servers)


def as_dump(rules: Mapping[str, Any], family: Family) -> Dump:
    """The restore text and the jumps that are ensured beside it, as one state."""
    made: list[str] = []
    jumps: list[str] = []
    for step in rules.get("jumps", ()):
        table, _, command = step.partition(" ")
        (made if command.startswith("-N ") else jumps).append(f"*{table}\n{command}\nCOMMIT\n")
    return parse("".join([*made, rules.get("restore", ""), *jumps]), family)


SAVES: dict[Family, tuple[str, ...]] = {
    "IPv4": ("iptables-save", "iptables-save -c"),
    "IPv6": ("ip6tables-save", "ip6tables-save -c"),
}
NFT = ("nft list ruleset", "nft -a list ruleset", "nft -j list ruleset")


def of_listings(
    listings: Mapping[str, str],
    host: Host,
    recent: Mapping[str, frozenset[int]] | None = None,
) -> Node:
    """A node from what its tools list: iptables-save, nft, ipvsadm and ipset, whichever are there.

    Raises ValueError where there are no rules of the host's family, or where they cannot be read.
    """
    family = host.family
    dumps = [dump for name in SAVES[family] for dump in _dumps(listings.get(name), family)][:1]
    nft = next((nft_text.read(listings[name]) for name in NFT if listings.get(name, "").strip()), [])
    servers = next((ipvs.read(listings[n]) for n in ("ipvsadm -Sn", "ipvsadm -Ln") if n in listings), [])
    text = next((listings[name] for name in ("ipset save", "ipset list") if name in listings), None)
    facts = Facts(host=host, sets=None if text is None else ipsets.read(text), recent=recent or {})
    own = any(dump.variant == "nft" for dump in dumps)
    bases = nftables.bases(nft, facts, without_iptables=own)
    if not dumps and not bases and not servers:
        raise ValueError(f"no rules of {family} in it: found {', '.join(sorted(listings)) or 'nothing'}")
    return Node(facts, [table for dump in dumps for table in tables(dump, facts)], servers, bases)


def _dumps(text: str | None, family: Family) -> Sequence[Dump]:
    return parse_all(text, family) if text is not None else ()
