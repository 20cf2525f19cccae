"""What becomes of a connection: answered by an endpoint, refused, or never heard of again.

This is the trace with a world around it in which every endpoint serves, and nobody else does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rulegen.model import Family
from rulegen.plan.addresses import join_host_port
from rulegen.trace.ground import of_recorded
from rulegen.trace.host import Host, route
from rulegen.trace.hosts import DUMMY
from rulegen.trace.node import Node
from rulegen.trace.outcome import Outcome
from rulegen.trace.packet import Packet, number, packet, shown

Fate = list[Any]
"""``[fate, masqueraded]``: ``IP:PORT``, ``refused`` or ``timeout``; masqueraded is None for these two."""


def node_of_rules(
    mode: str, family: Family, rules: Mapping[str, Any], node: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], list[Fate]]:
    """See :func:`rulegen.conformance.fates`."""
    made = recorded_node(mode, family, rules, node)
    served = _endpoints(rules)

    def tell(connection: Mapping[str, Any]) -> list[Fate]:
        sent = _packet(made.host, connection)
        if sent is None:
            return [["refused", None]]
        found: list[Fate] = []
        for outcome in made.trace(sent, connection.get("interface") or ""):
            told = fate(outcome, served.get(sent.protocol_name, set()))
            if told not in found:
                found.append(told)
        return found

    return tell


def _packet(host: Host, connection: Mapping[str, Any]) -> Packet | None:
    destination = connection["destination"]
    source = connection.get("source")
    if not source:
        own = host.source_for(number(destination))
        if own is None:
            return None
        source = shown(own, host.family)
    return packet(source, destination, connection["port"], connection["protocol"])


def fate(outcome: Outcome, served: set[str]) -> Fate:
    """What the sender of a traced packet meets; at ``served`` (``IP:PORT``) its protocol is answered."""
    match outcome.kind:
        case "rejected" | "unreachable":
            return ["refused", None]
        case "dropped":
            return ["timeout", None]
        case "local" | "forwarded":
            to = outcome.after.to_text
            if outcome.endpoint or to in served:
                return [to, outcome.masqueraded]
            # A closed port of the node answers; an address that nobody has does not.
            return ["refused" if outcome.kind == "local" else "timeout", None]
        case "unknown":
            # Multicast, or a decision that no rule tells: in this world nobody else would answer.
            return ["timeout", None]


def recorded_node(mode: str, family: Family, rules: Mapping[str, Any], node: Mapping[str, Any]) -> Node:
    """A node with recorded rules. Raises ValueError for rules that cannot be read."""
    interfaces = {
        device: list(addresses or ()) for device, addresses in (node.get("interfaces") or {}).items()
    }
    if "dummy" in rules:
        bits = 32 if family == "IPv4" else 128
        interfaces[DUMMY] = [f"{ip}/{bits}" for ip in rules["dummy"]]
    ways = [
        route(net, device) for net, device in node.get("routes") or () if (":" in net) == (family == "IPv6")
    ]
    # kube-proxy sets it in iptables mode where node ports are to work on 127.0.0.1; where they are not, its
    # rules take nothing for that address, and the setting makes no difference.
    return of_recorded(rules, Host(family, interfaces, ways, route_localnet=mode == "iptables"))


def _endpoints(rules: Mapping[str, Any]) -> Mapping[str, set[str]]:
    """By protocol, the endpoints that rules know of."""
    found: dict[str, set[str]] = {}
    for line in rules.get("virtual", ()):
        head, _, reals = line.partition("[")
        for real in reals.removesuffix("]").split(", "):
            found.setdefault(head.partition(" ")[0].lower(), set()).add(real.partition(" w=")[0])
    for line in (rules.get("restore") or rules.get("nft") or "").splitlines():
        if "--to-destination" in line or " dnat " in line:
            protocol = _PROTOCOL.search(line)
            if protocol is not None:
                found.setdefault(protocol[1], set()).update(map(_end, _TO.finditer(line)))
    return found


_PROTOCOL = re.compile(r"(?:-p|l4proto) (\w+)")
_TO = re.compile(r"(?:--to-destination|dnat to) (\S+)|\d+ : ([0-9a-f.:]+) \. (\d+)")


def _end(match: re.Match[str]) -> str:
    whole, ip, port = match.groups()
    return whole or join_host_port(ip, int(port))
