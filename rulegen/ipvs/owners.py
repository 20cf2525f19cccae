"""Whose things of the ipvs mode are, and what kind of address each is.

IPVS knows no names: they come from the state that was compiled. What kind of address a virtual server has is
told by the sets that it is in.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rulegen.ipvs.fragment import ServerKey
from rulegen.ipvs.servers import Server
from rulegen.ipvs.sets import (
    CLUSTER_IP,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK,
    IPVS_IPS,
    LOAD_BALANCER,
    LOOP_BACK,
    NODE_PORT,
    NODE_PORT_LOCAL,
    set_name,
)
from rulegen.ipvs.state import State
from rulegen.plan.addresses import join_host_port

CAPTURING = {
    CLUSTER_IP: "cluster IP",
    EXTERNAL_IP: "external IP",
    EXTERNAL_IP_LOCAL: "external IP",
    LOAD_BALANCER: "load balancer IP",
}
"""Set -> what kind of address its entries are."""

NODE_PORTS = {name: protocol for sets in (NODE_PORT, NODE_PORT_LOCAL) for protocol, name in sets.items()}
"""Set of node ports -> their protocol."""


class Key(msgspec.Struct, frozen=True):
    """An entry of a set in parts; ``port`` is 0 and ``protocol`` empty where it has none."""

    ip: str = ""
    protocol: str = ""
    port: int = 0
    rest: str = ""

    @property
    def server(self) -> ServerKey:
        return (self.protocol, join_host_port(self.ip, self.port))

    @property
    def where(self) -> str:
        """For people: ``10.96.0.1:443/tcp``, ``:30080/tcp`` or ``10.96.0.1``."""
        if not self.port:
            return self.ip
        address = join_host_port(self.ip, self.port) if self.ip else f":{self.port}"
        return f"{address}/{self.protocol.lower()}"


def key_of(base: str, entry: str) -> Key:
    """The parts of an entry of one of kube-proxy's sets, by the set's IPv4 name."""
    parts = entry.partition(" ")[0].split(",", 2)
    if base in NODE_PORTS and len(parts) == 1:
        return Key(protocol=NODE_PORTS[base], port=_number(parts[0]))
    if base == HEALTH_CHECK:
        return Key(protocol="TCP", port=_number(parts[0]))
    if len(parts) == 1:
        return Key(ip=parts[0])
    protocol, _, port = parts[1].partition(":")
    return Key(ip=parts[0], protocol=protocol.upper(), port=_number(port), rest="".join(parts[2:]))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def where(server: Server) -> str:
    """A virtual server's address for people: ``10.96.0.1:443/tcp``."""
    return f"{server.address}/{server.protocol.lower()}"


class Owners:
    """Names of two states together: those of the first one that knows."""

    def __init__(self, *states: State) -> None:
        self._names: dict[ServerKey, str] = {}
        self._checks: dict[str, str] = {}
        self._by_ip: dict[str, dict[str, None]] = {}
        self._by_port: dict[tuple[str, int], dict[str, None]] = {}
        self._by_end: dict[tuple[str, str], dict[str, None]] = {}
        for state in reversed(states):
            self._names |= state.names
            self._checks |= state.checks
        for state in states:
            for server in (state.servers or {}).values():
                name = self._names.get(server.key, "")
                if not name:
                    continue
                ip, _, port = server.address.rpartition(":")
                self._by_ip.setdefault(ip.strip("[]"), {})[name] = None
                self._by_port.setdefault((server.protocol, _number(port)), {})[name] = None
                for real in server.reals:
                    self._by_end.setdefault((server.protocol, real.address), {})[name] = None

    def server(self, key: ServerKey) -> str:
        """The service port of a virtual server; empty where nobody knows."""
        return self._names.get(key, "")

    def address(self, ip: str) -> list[str]:
        """The service ports that have a virtual server at an address."""
        return list(self._by_ip.get(ip, ()))

    def entry(self, base: str, entry: str) -> list[str]:
        """The service ports that an entry of a set (by its IPv4 name) is about."""
        key = key_of(base, entry)
        if base == HEALTH_CHECK:
            name = self._checks.get(entry, "")
            return [name] if name else []
        if base == LOOP_BACK:
            return list(self._by_end.get((key.protocol, join_host_port(key.ip, key.port)), ()))
        if base == IPVS_IPS:
            return self.address(key.ip)
        if base in NODE_PORTS and not key.ip:
            return list(self._by_port.get((key.protocol, key.port), ()))
        name = self._names.get(key.server, "")
        return [name] if name else []


def kinds(state: State) -> dict[ServerKey, str]:
    """Virtual server -> what kind of address it has, as far as the sets tell: else it is not in here."""
    found: dict[ServerKey, str] = {}
    ports = {
        (protocol, _number(entry))
        for base, protocol in NODE_PORTS.items()
        for entry in entries(state, base)
        if "," not in entry
    }
    for base in NODE_PORTS:
        found |= {key_of(base, entry).server: "node port" for entry in entries(state, base) if "," in entry}
    for key in state.servers or ():
        if (key[0], _number(key[1].rpartition(":")[2])) in ports:
            found[key] = "node port"
    for base, kind in CAPTURING.items():
        found |= {key_of(base, entry).server: kind for entry in entries(state, base)}
    return found


def entries(state: State, base: str) -> Iterator[str]:
    """The entries of one of kube-proxy's sets, by its IPv4 name."""
    found = (state.sets or {}).get(set_name(base, state.family))
    yield from found.entries if found is not None else ()
