"""What a node holds in ipvs mode, in the form in which a compiled one and one on a node are compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import msgspec

from rulegen.iptables.dump import Dump
from rulegen.iptables.parse import parse as parse_rules
from rulegen.iptables.parse import read as read_rules
from rulegen.iptables.save import as_dump
from rulegen.ipvs import ipsets, servers
from rulegen.ipvs.base import DUMMY, SOURCE_HASH, Settings
from rulegen.ipvs.fragment import ServerKey, VirtualServer
from rulegen.ipvs.ipsets import IpSet
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.servers import RealServer, Server
from rulegen.ipvs.sets import HEALTH_CHECK, SETS, SetKind, set_name
from rulegen.ipvs.text import create_line
from rulegen.model import Family
from rulegen.plan.addresses import Network, contains, network
from rulegen.plan.addresses import parse as parse_address

SERVER_LISTINGS = ("ipvsadm -Sn", "ipvsadm -Ln")
SET_LISTINGS = ("ipset save", "ipset list")
ADDRESSES = "ip -j addr"
ALL = "listings"
"""All of a node in one text, as :attr:`State.text` writes it."""

BASE_NAMES: Mapping[Family, Mapping[str, str]] = {
    family: {set_name(kind.name, family): kind.name for kind in SETS} for family in ("IPv4", "IPv6")
}
"""Name of a set in the kernel -> that of the IPv4 set."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One family of a node. What no listing tells is None, and is not compared.

    ``servers`` are all virtual servers of the family; ``sets`` those of kube-proxy's names; ``addresses``
    those of the dummy device, which is not there where ``device`` is False. ``names`` and ``checks`` say
    whose a virtual server is, and a port of health checks: only what was compiled knows it. ``excluded`` are
    networks whose virtual servers are nobody's business (``ipvs.excludeCIDRs``). ``strangers`` are sets of
    others, by name.
    """

    family: Family
    servers: Mapping[ServerKey, Server] | None = None
    sets: Mapping[str, IpSet] | None = None
    addresses: tuple[str, ...] | None = None
    device: bool = True
    rules: Dump | None = None
    names: Mapping[ServerKey, str] = {}
    checks: Mapping[str, str] = {}
    excluded: tuple[Network, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it, as the tools print it, one after the other."""
        parts = [self.rules.text] if self.rules is not None else []
        if self.sets is not None:
            parts.append(ipsets.text(self.sets[name] for name in sorted(self.sets)))
        if self.servers is not None:
            parts.append(servers.text(self.servers[key] for key in sorted(self.servers)))
        parts += [f"address {ip} dev {DUMMY}\n" for ip in sorted(self.addresses or ())]
        return "".join(parts)

    def is_excluded(self, server: Server) -> bool:
        """Whether kube-proxy leaves a virtual server alone, whoever made it."""
        address = parse_address(server.address.rpartition(":")[0].strip("[]"))
        return address is not None and any(contains(net, address) for net in self.excluded)


def state(ruleset: Ruleset) -> State:
    """What a node holds that has just these rules."""
    family, settings = ruleset.family, ruleset.settings
    entries = ruleset.sets()
    names: dict[ServerKey, str] = {}
    checks: dict[str, str] = {}
    for (namespace, service, port, _), fragment in ruleset.fragments.items():
        name = f"{namespace}/{service}:{port}" if port else f"{namespace}/{service}"
        for virtual in fragment.servers:
            names[virtual.key] = name
        checks |= {entry: name for kind, entry in fragment.entries if kind == HEALTH_CHECK}
    found = {key: held_server(virtual, settings) for key, virtual in ruleset.virtual_servers().items()}
    return State(
        family=family,
        servers=found,
        sets={set_name(kind.name, family): held_set(kind, family, entries[kind.name]) for kind in SETS},
        addresses=tuple(ruleset.addresses()),
        rules=as_dump(ruleset),
        names=names,
        checks=checks,
        excluded=excluded(settings),
    )


def excluded(settings: Settings) -> tuple[Network, ...]:
    """The networks whose virtual servers are left alone."""
    return tuple([net for cidr in settings.exclude_cidrs if (net := network(cidr)) is not None])


def held_server(virtual: VirtualServer, settings: Settings) -> Server:
    """A compiled virtual server as the kernel lists it."""
    return Server(
        virtual.protocol,
        virtual.address,
        settings.scheduler,
        virtual.timeout,
        "mh-port" if settings.flags & SOURCE_HASH else "",
        "",
        tuple([RealServer(address) for address in virtual.servers]),
    )


def held_set(kind: SetKind, family: Family, entries: Iterable[str]) -> IpSet:
    """A compiled set as the kernel lists it."""
    name = set_name(kind.name, family)
    header = create_line(name, kind, family).split(" ", 3)[3]
    return IpSet(name, kind.type, header, tuple([ipsets.normal(entry) for entry in entries]))


def parse(text: str, family: Family) -> State:
    """What :attr:`State.text` wrote; the lines of each tool are told by how they begin.

    Raises ValueError for a line that is of none of them.
    """
    rules: list[str] = []
    parts: dict[str, list[str]] = {"create": [], "add": [], "-A": [], "-a": [], "address": []}
    inside = False
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        first = line.partition(" ")[0].strip()
        if inside or first.startswith("*"):
            rules.append(line)
            inside = first != "COMMIT"
        elif first in parts:
            parts[first].append(line)
        elif first and not first.startswith("#"):
            raise ValueError(f"line {number}: of no listing of the ipvs mode: {line.strip()!r}")
    virtual = servers.read("".join(parts["-A"] + parts["-a"]))
    sets = ipsets.read("".join(parts["create"] + parts["add"]))
    state = State(
        family=family,
        servers={server.key: server for server in virtual if server.family == family},
        addresses=tuple([line.split()[1] for line in parts["address"]]),
        rules=parse_rules("".join(rules), family),
    )
    return _with_sets(state, sets)


def read(listings: Mapping[str, str], family: Family) -> dict[str, State]:
    """The listings of a node as states, by the commands that they were read from.

    The first one holds all that is told. Where one thing was listed in two ways (``ipvsadm -Sn`` and
    ``-Ln``), the next one holds what the second way tells. Raises ValueError, with the listing's name, for
    one that cannot be read.
    """
    if ALL in listings:
        return {ALL: parse(listings[ALL], family)}
    rules = list(read_rules(listings, family).items())
    virtual = [(name, _servers(name, listings[name], family)) for name in SERVER_LISTINGS if name in listings]
    sets = [(name, _sets(name, listings[name])) for name in SET_LISTINGS if name in listings]
    found: dict[str, State] = {}
    for number in range(max(len(rules), len(virtual), len(sets), int(ADDRESSES in listings))):
        told: list[str] = []
        state = State(family=family)
        if number < len(rules):
            told.append(rules[number][0])
            state = msgspec.structs.replace(state, rules=rules[number][1])
        if number < len(virtual):
            told.append(virtual[number][0])
            state = msgspec.structs.replace(state, servers=virtual[number][1])
        if number < len(sets):
            told.append(sets[number][0])
            state = _with_sets(state, sets[number][1])
        if number == 0 and ADDRESSES in listings:
            told.append(ADDRESSES)
            state = _with_addresses(state, listings[ADDRESSES])
        found[", ".join(told)] = state
    return found


def _servers(name: str, listing: str, family: Family) -> dict[ServerKey, Server]:
    try:
        return {server.key: server for server in servers.read(listing) if server.family == family}
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from None


def _sets(name: str, listing: str) -> list[IpSet]:
    try:
        return ipsets.read(listing)
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from None


def _with_sets(state: State, found: list[IpSet]) -> State:
    ours = BASE_NAMES[state.family]
    known = ours.keys() | BASE_NAMES["IPv6" if state.family == "IPv4" else "IPv4"].keys()
    sets = {
        each.name: msgspec.structs.replace(each, entries=tuple(map(ipsets.normal, each.entries)))
        for each in found
        if each.name in ours
    }
    strangers = tuple(each.name for each in found if each.name not in known)
    return msgspec.structs.replace(state, sets=sets, strangers=strangers)


def _with_addresses(state: State, listing: str) -> State:
    """``ip -j addr``; what the kernel itself gives a device (scope link) is left out."""
    wanted = "inet" if state.family == "IPv4" else "inet6"
    try:
        device = next((link for link in json.loads(listing) if link.get("ifname") == DUMMY), None)
        found = [
            info["local"]
            for info in (device or {}).get("addr_info", ())
            if info["family"] == wanted and info.get("scope") != "link"
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"{ADDRESSES}: no JSON of ip") from None
    return msgspec.structs.replace(state, addresses=tuple(found), device=device is not None)
