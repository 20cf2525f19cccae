"""What belongs to one Service in the ipvs mode, in the order in which a packet meets it.

A packet for an address of the Service is taken by the node, passes nat PREROUTING (or OUTPUT) and filter
INPUT, whose few rules look into sets, is given a real server by IPVS, and may be masqueraded in nat
POSTROUTING. Everything here is read from the compiled objects: notes say nothing that is not in them. What is
no rule of iptables is shown as the line that ``ip -batch``, ``ipset restore`` or ``ipvsadm -R`` takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from rulegen.backend import Branch, ShownRule
from rulegen.iptables.show import Rule, read
from rulegen.ipvs.base import DUMMY
from rulegen.ipvs.fragment import Fragment, VirtualServer
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.sets import (
    CLUSTER_IP,
    COMMENTS,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK,
    IPVS_IPS,
    LOAD_BALANCER,
    LOAD_BALANCER_FW,
    LOOP_BACK,
    NODE_PORT,
    SETS,
    set_name,
)
from rulegen.ipvs.text import SERVICE_OPTION, WEIGHT, server_line
from rulegen.plan import ServicePort

_BEFORE = (
    ("nat", "KUBE-SERVICES"),
    ("nat", "KUBE-LOAD-BALANCER"),
    ("nat", "KUBE-NODE-PORT"),
    ("filter", "KUBE-IPVS-FILTER"),
    ("filter", "KUBE-PROXY-FIREWALL"),
    ("filter", "KUBE-SOURCE-RANGES-FIREWALL"),
    ("filter", "KUBE-NODE-PORT"),
)
# The node's own packets have their virtual server by the time that filter OUTPUT sees them.
_AFTER = (("filter", "KUBE-IPVS-OUT-FILTER"), ("nat", "KUBE-POSTROUTING"))

SCHEDULERS = {
    "rr": "in turn",
    "wrr": "in turn, by weight",
    "lc": "to the one with the fewest connections",
    "wlc": "to the one with the fewest connections, by weight",
    "sh": "by a hash of the client's address",
    "mh": "by a consistent hash of the client's address and port",
    "dh": "by a hash of the destination",
    "sed": "to the one with the shortest expected delay",
    "nq": "to an idle one, else to the shortest expected delay",
    "lblc": "to the destination's last one, unless it is overloaded",
    "lblcr": "to one of the destination's last ones, unless overloaded",
    "fo": "to the one with the highest weight",
    "ovf": "to the one with the highest weight that has connections to spare",
    "twos": "to the less busy one of two that are drawn",
}
"""Those of Linux (net/netfilter/ipvs), each with where it sends a connection."""

_DESTINATIONS = (
    {CLUSTER_IP: "to a cluster IP", LOAD_BALANCER: "to a load balancer IP"}
    | dict.fromkeys((EXTERNAL_IP, EXTERNAL_IP_LOCAL), "to an external IP")
    | dict.fromkeys(NODE_PORT.values(), "to a node port")
)


class Met(msgspec.Struct, frozen=True):
    """A rule that a packet meets; ``set`` is the one that it looks into (IPv4 name), or empty."""

    table: str
    chain: str
    number: int
    text: str
    rule: Rule
    set: str


def rules(ruleset: Ruleset, ports: Collection[ServicePort]) -> list[ShownRule]:
    """Addresses, rules, set entries, virtual and real servers of these service ports."""
    before, after = list(_met(ruleset, _BEFORE)), list(_met(ruleset, _AFTER))
    shown: list[ShownRule] = []
    for port in ports:
        fragment = ruleset.fragments.get(port.key)
        if fragment is None:
            continue
        entries = _entries(fragment)
        seen: set[str] = set()
        length = 32 if ruleset.family == "IPv4" else 128
        shown += [
            ShownRule(
                table="address",
                chain=DUMMY,
                number=None,
                rule=f"address add {ip}/{length} dev {DUMMY}",
                note="the node takes packets to this address",
            )
            for ip in dict.fromkeys(fragment.addresses)
        ]
        shown += _rules_of(ruleset, before, fragment, entries, seen)
        for server in _own_servers(ruleset, fragment):
            shown += _shown_server(ruleset, server)
        shown += _rules_of(ruleset, after, fragment, entries, seen)
    return shown


def _met(ruleset: Ruleset, chains: Sequence[tuple[str, str]]) -> Iterator[Met]:
    by_name = {set_name(kind.name, ruleset.family): kind.name for kind in SETS}
    tables = ruleset.tables()
    for table, chain in chains:
        for number, text in enumerate(tables[table][chain], 1):
            rule = read(text, ruleset.family)
            name = rule.matches.get("--match-set", "").partition(" ")[0]
            yield Met(table, chain, number, text, rule, by_name.get(name, ""))


def _entries(fragment: Fragment) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, entry in fragment.entries:
        found.setdefault(name, []).append(entry)
    if fragment.addresses:
        found[IPVS_IPS] = list(dict.fromkeys(fragment.addresses))
    return found


def _own_servers(ruleset: Ruleset, fragment: Fragment) -> list[VirtualServer]:
    """The virtual servers of a fragment that no later service port has taken over."""
    all_servers = ruleset.virtual_servers()
    return [server for server in fragment.servers if all_servers[server.key] is server]


def _rules_of(
    ruleset: Ruleset, met: Sequence[Met], fragment: Fragment, entries: Mapping[str, list[str]], seen: set[str]
) -> Iterator[ShownRule]:
    """The rules that concern a service port; after the first that looks into a set, its entries there."""
    family = ruleset.family
    for item in met:
        if not (item.set in entries or _general(item, entries) or _own_drop(item, fragment)):
            continue
        yield ShownRule(
            table=item.table,
            chain=item.chain,
            number=item.number,
            rule=item.text,
            note=note(item),
            line=f"-A {item.chain} {item.text}",
        )
        if item.set in entries and item.set not in seen:
            seen.add(item.set)
            name = set_name(item.set, family)
            for entry in entries[item.set]:
                yield ShownRule(
                    table="ipset",
                    chain=name,
                    number=None,
                    rule=f"add {name} {entry}",
                    note=COMMENTS[item.set],
                )


def _general(item: Met, entries: Mapping[str, list[str]]) -> bool:
    """Whether a rule that looks into no set is on the way all the same."""
    if item.set:
        return False
    if item.rule.target == "KUBE-NODE-PORT":
        return any(name.startswith("KUBE-NODE-PORT-") for name in entries)
    if item.chain == "KUBE-LOAD-BALANCER":
        return LOAD_BALANCER in entries
    if item.chain == "KUBE-SOURCE-RANGES-FIREWALL":
        return LOAD_BALANCER_FW in entries
    return item.chain == "KUBE-POSTROUTING"


def note(item: Met) -> str:
    """What a rule does, in a few words."""
    chain, target = item.chain, item.rule.target
    if target == "KUBE-MARK-MASQ":
        return f"{_who(item)}: masquerade"
    if target == "MASQUERADE":
        if item.set == LOOP_BACK:
            return "an endpoint that reaches itself: masquerade, or it would answer itself"
        return "marked packets: masquerade"
    if target == "MARK":
        return "take the mark away again"
    if target == "DROP":
        if chain == "KUBE-IPVS-OUT-FILTER":
            return "from the node itself: drop, no source range lets the node in"
        return "everything else: drop, no source range lets it through"
    if target == "REJECT":
        return "any other port of these addresses: refuse"
    if target == "ACCEPT":
        if item.set == HEALTH_CHECK:
            return "let health checks of the load balancer in"
        return f"{_who(item)}: no further rule of this table"
    if target == "RETURN":
        if chain == "KUBE-IPVS-FILTER":
            return "a port of a Service: let it through"
        if chain == "KUBE-SOURCE-RANGES-FIREWALL":
            return "from a source that is allowed: let it through"
        if chain == "KUBE-POSTROUTING":
            return "packets without the mark stay as they are"
        return "externalTrafficPolicy is Local: keep the client's address"
    if target == "KUBE-SOURCE-RANGES-FIREWALL":
        return "only from some sources: go to KUBE-SOURCE-RANGES-FIREWALL"
    return f"{_who(item)}: go to {target}"


def _who(item: Met) -> str:
    """Which traffic a rule matches, in words."""
    matches = item.rule.matches
    to = _DESTINATIONS.get(item.set, "")
    source = ""
    if "! -s" in matches:
        source = f"from outside {matches['! -s']}"
    elif "! -i" in matches:
        source = f"not from {matches['! -i']}"
    elif matches.get("--match-set", "").endswith(" src,dst"):
        source = "from an address of a Service"
    elif "! --src-type" in matches:
        source = "from outside the node and its bridges"
    elif matches.get("--dst-type") == "LOCAL":
        source = "that is the node's own" if to else "to an address of the node"
    return f"{to} {source}".strip() or "all that comes this far"


def _shown_server(ruleset: Ruleset, server: VirtualServer) -> Iterator[ShownRule]:
    scheduler = ruleset.settings.scheduler
    chain = f"{server.protocol} {server.address}"
    line = server_line(server, scheduler)
    yield ShownRule(
        table="ipvs", chain=chain, number=None, rule=line, note=f"{server.use}: {_balance(server, scheduler)}"
    )
    for place, address in enumerate(server.servers, 1):
        yield ShownRule(
            table="ipvs",
            chain=chain,
            number=None,
            rule=f"-a {SERVICE_OPTION[server.protocol]} {server.address} -r {address} -m -w {WEIGHT}",
            note=f"real server {place} of {len(server.servers)}",
        )


def _balance(server: VirtualServer, scheduler: str) -> str:
    if not server.servers:
        return "no real server, connections are refused"
    if len(server.servers) == 1:
        text = "one real server"
    else:
        way = SCHEDULERS.get(scheduler, f"by the scheduler {scheduler}")
        text = f"{len(server.servers)} real servers, connections go {way}"
    return text + (f"; a client stays at its real server for {server.timeout} s" if server.timeout else "")


def tree(ruleset: Ruleset, ports: Sequence[ServicePort]) -> list[Branch]:
    """For each virtual server of these ports: what its packets meet, and where they may go."""
    before, after = list(_met(ruleset, _BEFORE)), list(_met(ruleset, _AFTER))
    scheduler = ruleset.settings.scheduler
    branches: list[Branch] = []
    for port in ports:
        fragment = ruleset.fragments.get(port.key)
        if fragment is None:
            continue
        for server in _own_servers(ruleset, fragment):
            entries = _entries_for(fragment, server)
            children = list(_rule_branches(before, entries))
            children += [Branch(label=f"-> {address}", endpoint=address) for address in server.servers]
            children += [_branch(note(item), item) for item in after if _drops(item, fragment, server)]
            branches.append(
                Branch(
                    label=f"{server.address}/{server.protocol.lower()}",
                    note=f"{server.use}: {_balance(server, scheduler)}",
                    children=tuple(children),
                )
            )
        branches += [
            Branch(label=f"any local address :{entry}/tcp", note=note(item))
            for item in before
            if item.table == "filter" and item.set == HEALTH_CHECK and item.rule.target == "ACCEPT"
            for name, entry in fragment.entries
            if name == HEALTH_CHECK
        ]
    return branches


def _entries_for(fragment: Fragment, server: VirtualServer) -> dict[str, list[str]]:
    """Set -> what stands behind address and port in the entries that packets to a virtual server match."""
    ip, _, port = server.address.rpartition(":")
    address = f"{ip.strip('[]')},{server.protocol.lower()}:{port}"
    found: dict[str, list[str]] = {}
    for name, entry in fragment.entries:
        if name in (LOOP_BACK, HEALTH_CHECK):
            continue
        if entry == address or (server.use == "node port" and entry == port):
            found.setdefault(name, [])
        elif entry.startswith(address + ","):
            found.setdefault(name, []).append(entry[len(address) + 1 :])
    return found


def _rule_branches(met: Sequence[Met], entries: Mapping[str, list[str]]) -> Iterator[Branch]:
    """Rules that do something to a packet; those that only let it pass are left to the list."""
    left: set[str] = set()
    for item in met:
        target = item.rule.target
        if target not in ("KUBE-MARK-MASQ", "RETURN", "DROP") or item.chain in left:
            continue
        if item.chain == "KUBE-IPVS-FILTER" or not (item.set in entries or _general(item, entries)):
            continue
        sources = entries.get(item.set, [])
        if target == "RETURN" and not sources:
            left.add(item.chain)
        label = f"from {', '.join(sources)}: let it through" if sources else note(item)
        yield _branch(label, item)


def _drops(item: Met, fragment: Fragment, server: VirtualServer) -> bool:
    """Whether a rule keeps the node itself from a virtual server."""
    ip, _, port = server.address.rpartition(":")
    match = f" --vaddr {ip.strip('[]')} --vproto {server.protocol.lower()} --vport {port} -j"
    return match in item.text and _own_drop(item, fragment)


def _own_drop(item: Met, fragment: Fragment) -> bool:
    return f"-A {item.chain} {item.text}\n" in fragment.drops


def _branch(label: str, item: Met) -> Branch:
    return Branch(label=label, note=f"{item.table} {item.chain} #{item.number}")


def real_servers(ruleset: Ruleset, port: ServicePort) -> Mapping[str, str]:
    """Endpoint address -> the first virtual server of the port that sends to it."""
    fragment = ruleset.fragments.get(port.key)
    found: dict[str, str] = {}
    for server in fragment.servers if fragment else ():
        for address in server.servers:
            found.setdefault(address, f"{server.protocol} {server.address} -> {address}")
    return found
