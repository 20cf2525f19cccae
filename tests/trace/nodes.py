"""Small nodes for stories: rules as text, two devices, and questions in a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rulegen.iptables.parse import parse
from rulegen.model import Family
from rulegen.trace import ipsets, ipvs, nft_text, nftables
from rulegen.trace.facts import Facts
from rulegen.trace.host import Host, route
from rulegen.trace.iptables import tables
from rulegen.trace.node import Node
from rulegen.trace.outcome import Outcome
from rulegen.trace.packet import packet

INTERFACES = {
    "lo": ["127.0.0.1/8", "::1/128"],
    "eth0": ["192.168.10.1/24", "2001:db8:1::1/64"],
    "cni0": ["10.10.0.1/24", "fd00:10::1/64"],
}
POD, OTHER_POD, OUTSIDE, NODE = "10.10.0.5", "10.10.1.5", "203.0.113.9", "192.168.10.1"
SERVICE = "10.96.0.10"


def host(family: Family = "IPv4", **more: object) -> Host:
    anywhere = "::/0" if family == "IPv6" else "0.0.0.0/0"
    gateway = "2001:db8:1::ff" if family == "IPv6" else "192.168.10.254"
    interfaces = {**INTERFACES, **more.pop("interfaces", {})}  # type: ignore[dict-item]
    return Host(family, interfaces, [route(anywhere, "eth0", gateway)], **more)  # type: ignore[arg-type]


def node(
    rules: str = "",
    *,
    nft: str = "",
    servers: str = "",
    sets: str | None = None,
    recent: Mapping[str, Sequence[str]] | None = None,
    family: Family = "IPv4",
    **more: object,
) -> Node:
    """A node with iptables rules (``restore`` text), nftables, virtual servers, sets."""
    from rulegen.trace.grounds import recent_of

    facts = Facts(
        host=host(family, **more),
        sets=None if sets is None else ipsets.read(sets),
        recent=recent_of(recent),
    )
    return Node(
        facts,
        tables(parse(rules, family), facts),
        ipvs.read(servers),
        nftables.bases(nft_text.read(nft), facts),
    )


def nat(*rules: str) -> str:
    return (
        "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
        + "".join(f"{r}\n" for r in rules)
        + "COMMIT\n"
    )


def filtering(*rules: str) -> str:
    return "*filter\n:INPUT ACCEPT [0:0]\n" + "".join(f"{r}\n" for r in rules) + "COMMIT\n"


def ask(
    where: Node, to: str, source: str = POD, protocol: str = "tcp", device: str | None = None
) -> list[Outcome]:
    """Trace from a pod, the node (``NODE``) or outside; ``to`` is ``IP:PORT``, or an IP for a ping."""
    ip, _, port = to.rpartition(":") if to.count(":") == 1 or "]" in to else (to, "", "")
    if device is None:
        device = {NODE: "", POD: "cni0"}.get(source, "cni0" if source.startswith("fd00:10:") else "eth0")
    sent = packet(source, (ip or to).strip("[]"), int(port) if port else None, protocol if port else "ping")
    return where.trace(sent, device)


def one(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def effects(outcome: Outcome) -> list[str]:
    """The path in short: ``table chain #number: effect``."""
    return [f"{s.table} {s.chain} #{s.number}: {s.effect}" for s in outcome.steps]
