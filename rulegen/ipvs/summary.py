"""What a change means for each service port, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from rulegen.findings import ServiceChange
from rulegen.iptables.summary import of_port
from rulegen.iptables.views import Address, PortName, PortView
from rulegen.ipvs.diff import Changes, changes
from rulegen.ipvs.owners import Owners, entries, key_of, kinds, where
from rulegen.ipvs.servers import Server
from rulegen.ipvs.sets import SOURCE_CIDR
from rulegen.ipvs.state import BASE_NAMES, State

UNKNOWN = "virtual server"


def summary(current: State, desired: State) -> list[ServiceChange]:
    """What happens to each service port on the way from ``current`` to ``desired``, by name.

    Virtual servers whose name nobody knows (both sides are a node's) go by their address. What is of no
    Service comes last, under an empty name.
    """
    found = changes(current, desired)
    if not found:
        return []
    owners = Owners(desired, current)
    before, after = _views(current, owners), _views(desired, owners)
    touched: dict[PortName, dict[str, None]] = {}
    of_nobody: dict[str, None] = {}
    for name, place, line in _places(found, owners, current):
        if name is None:
            of_nobody[line] = None
        else:
            touched.setdefault(name, {})[place] = None
    told = []
    for name in sorted(touched):
        places = tuple(touched[name])
        lines = dict.fromkeys(of_port(before.get(name), after.get(name)))
        if name in before and name in after:
            lines |= dict.fromkeys(_options(found, name, owners))
        lines = lines or {f"~ changed in {', '.join(places)}": None}
        told.append(ServiceChange(service=name[0], lines=tuple(lines), places=places))
    if of_nobody:
        told.append(ServiceChange(service="", lines=tuple(of_nobody)))
    return told


def _views(state: State, owners: Owners) -> dict[PortName, PortView]:
    kind_of = kinds(state)
    ranges: dict[tuple[str, str], list[str]] = {}
    for entry in entries(state, SOURCE_CIDR):
        key = key_of(SOURCE_CIDR, entry)
        ranges.setdefault(key.server, []).append(key.rest)
    found: dict[PortName, PortView] = {}
    for server in (state.servers or {}).values():
        name = _name(server, owners)
        view = found.setdefault(name, PortView(name))
        address = _address(server, kind_of.get(server.key, UNKNOWN))
        if not server.reals:
            view.refused[address] = "REJECT"
        elif address not in view.captured:
            view.captured.append(address)
        view.everywhere |= {real.address: "" for real in server.reals}
        view.affinity = max(view.affinity, server.timeout)
        view.ranges += [cidr for cidr in ranges.get(server.key, ()) if cidr not in view.ranges]
    return found


def _name(server: Server, owners: Owners) -> PortName:
    return owners.server(server.key) or where(server), server.protocol.lower()


def _address(server: Server, kind: str) -> Address:
    """Node ports are one address, whatever node addresses they are served on."""
    text = where(server)
    return Address(kind, f":{text.rpartition(':')[2]}" if kind == "node port" else text)


def _places(found: Changes, owners: Owners, current: State) -> Iterator[tuple[PortName | None, str, str]]:
    """Whose each change is, where, and what it is in a few words."""
    for change in found.servers:
        server = change.server
        sign = {"add": "+", "delete": "-"}.get(change.action, "~")
        yield _name(server, owners), f"virtual server {where(server)}", f"{sign} {where(server)}"
    for of_set in found.sets:
        base = BASE_NAMES[current.family][of_set.after.name]
        if of_set.action in ("add", "replace"):
            sign = "+" if of_set.action == "add" else "~"
            yield None, "", f"{sign} ipset {of_set.after.name}"
        for sign, members in (("+", of_set.gained), ("-", of_set.lost)):
            for entry in members:
                protocol = key_of(base, entry).protocol.lower()
                names = owners.entry(base, entry)
                line = f"{sign} {entry} in {of_set.after.name}"
                if not names and of_set.action != "add":
                    yield None, "", line
                for name in names:
                    yield _known(name, protocol, found, owners), f"ipset {of_set.after.name}", line
    if found.device:
        yield None, "", "+ device kube-ipvs0"
    for sign, ips in (("+", found.bound), ("-", found.unbound)):
        for ip in ips:
            if not owners.address(ip):
                yield None, "", f"{sign} address {ip}"
    for chain in found.chains:
        rules = chain.rules
        count = len(rules.lost) + len(rules.gained) + len(rules.moved) + len(rules.changed)
        line = {"add": f"+ {chain.table} {chain.chain}", "delete": f"- {chain.table} {chain.chain}"}.get(
            chain.action, f"~ {chain.table} {chain.chain}: {count} rule{'s' if count != 1 else ''} changed"
        )
        yield None, "", line


def _options(found: Changes, name: PortName, owners: Owners) -> Iterator[str]:
    """What becomes of a Service's virtual servers beside addresses, endpoints and session affinity."""
    for change in found.servers:
        before, after = change.before, change.after
        if before is None or after is None or _name(after, owners) != name:
            continue
        if before.scheduler != after.scheduler:
            yield f"~ endpoints are chosen by {after.scheduler}, not {before.scheduler}"
        if before.flags != after.flags:
            yield f"~ flags of the scheduler: {after.flags or 'none'}, not {before.flags or 'none'}"
        for old, new in change.changed:
            yield f"~ endpoint {new.address} has weight {new.weight}, not {old.weight}"


def _known(name: str, protocol: str, found: Changes, owners: Owners) -> PortName:
    """A port of health checks has a protocol of its own: the Service's is meant."""
    for change in found.servers:
        if owners.server(change.server.key) == name:
            return _name(change.server, owners)
    return name, protocol
