"""Text of compiled objects: for ipvsadm, ipset and iptables, and in the form of recorded cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rulegen.iptables.text import restore
from rulegen.ipvs.base import FILTER_CHAINS, NAT_CHAINS, PERSISTENT, SOURCE_HASH
from rulegen.ipvs.fragment import VirtualServer
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.sets import MAX_ELEMENTS, SETS, SetKind, hash_family, set_name
from rulegen.model import Family

SERVICE_OPTION = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}
WEIGHT = 1
"""Of every real server; kube-proxy uses 0 only while it lets one drain."""


def server_line(server: VirtualServer, scheduler: str) -> str:
    """The line that ``ipvsadm -Sn`` prints for a virtual server and ``ipvsadm -R`` takes, without its end."""
    line = f"-A {SERVICE_OPTION[server.protocol]} {server.address} -s {scheduler}"
    if server.flags & PERSISTENT:
        line += f" -p {server.timeout}"
    if server.flags & SOURCE_HASH:
        line += " -b mh-port"
    return line


def ipvsadm(ruleset: Ruleset) -> str:
    """All virtual and real servers in the form of ``ipvsadm -Sn``, for ``ipvsadm -R``."""
    return "".join(_ipvsadm_parts(ruleset))


def _ipvsadm_parts(ruleset: Ruleset) -> Iterator[str]:
    scheduler = ruleset.settings.scheduler
    end = f" -m -w {WEIGHT}\n"
    for server in ruleset.virtual_servers().values():
        yield server_line(server, scheduler) + "\n"
        if server.servers:
            start = f"-a {SERVICE_OPTION[server.protocol]} {server.address} -r "
            yield start + (end + start).join(server.servers) + end


def create_line(name: str, kind: SetKind, family: Family) -> str:
    """The line that creates a set under ``name``, in the form of ``ipset save``, without its end."""
    if kind.type == "bitmap:port":
        return f"create {name} bitmap:port range 0-65535"
    return f"create {name} {kind.type} family {hash_family(family)} hashsize 1024 maxelem {MAX_ELEMENTS}"


def ipset(ruleset: Ruleset) -> str:
    """All sets with their entries, for ``ipset restore`` where none of them exists yet."""
    family = ruleset.family
    entries = ruleset.sets()
    parts = []
    for kind in SETS:
        name = set_name(kind.name, family)
        parts.append(create_line(name, kind, family) + "\n")
        parts.append(added(name, entries[kind.name]))
    return "".join(parts)


def added(name: str, entries: list[str]) -> str:
    """Lines that add entries to a set."""
    start = f"add {name} "
    return start + ("\n" + start).join(entries) + "\n" if entries else ""


def recorded(ruleset: Ruleset) -> dict[str, Any]:
    """The form of recorded cases (``fixtures/conformance/README.md``)."""
    family, scheduler = ruleset.family, ruleset.settings.scheduler
    return {
        "restore": restore(ruleset),
        "jumps": jumps(ruleset),
        "virtual": sorted(_recorded_server(s, scheduler) for s in ruleset.virtual_servers().values()),
        "ipsets": {set_name(name, family): sorted(members) for name, members in ruleset.sets().items()},
        "setTypes": {set_name(kind.name, family): f"{kind.type} {hash_family(family)}" for kind in SETS},
        "dummy": sorted(ruleset.addresses()),
    }


def _recorded_server(server: VirtualServer, scheduler: str) -> str:
    reals = ", ".join([f"{address} w={WEIGHT}" for address in server.servers])
    head = f"{server.protocol} {server.address} sched={scheduler}"
    return f"{head} flags={server.flags} timeout={server.timeout} -> [{reals}]"


def jumps(ruleset: Ruleset) -> list[str]:
    """What is ensured outside the restore, in order: ``TABLE -N CHAIN`` and ``TABLE -I CHAIN RULE``."""
    made = [f"nat -N {chain}" for chain in NAT_CHAINS] + [f"filter -N {chain}" for chain in FILTER_CHAINS]
    return made + [f"{jump.table} -I {jump.source} {jump.rule}" for jump in ruleset.jumps]
