"""Virtual servers of IPVS: read from ``ipvsadm -Sn`` or ``-Ln``, and what they do to a packet.

IPVS is asked behind the filter rules of INPUT, and of OUTPUT for the node's own packets (ip_vs_core.c, Linux
6.1). Which real server a scheduler picks depends on what came before; its share is what is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

from rulegen.model import Family
from rulegen.plan.addresses import join_host_port
from rulegen.trace.packet import NUMBERS, Packet, number, shown
from rulegen.trace.walk import Acted, Operation, Walk


class IpvsError(ValueError):
    """A listing of virtual servers that cannot be read."""


class RealServer(msgspec.Struct, frozen=True):
    """``method`` is ``Masq``, ``Route`` or ``Tunnel``; 0 is the weight of a server that drains."""

    address: int
    port: int
    weight: int = 1
    method: str = "Masq"


class VirtualServer(msgspec.Struct, frozen=True):
    """``timeout`` is how long a client stays with its real server, in seconds; 0: it does not.

    ``port`` 0 is any port.
    """

    family: Family
    protocol: int
    address: int
    port: int
    scheduler: str
    timeout: int = 0
    servers: Sequence[RealServer] = ()

    @property
    def text(self) -> str:
        return join_host_port(shown(self.address, self.family), self.port)


EVEN = frozenset({"rr", "lc", "lblc", "lblcr"})
"""Schedulers that pass over weights: in the long run all servers get the same."""

HASHED = frozenset({"sh", "mh"})
"""Schedulers that always send the same client to the same server."""

ALWAYS = frozenset({"dh", "fo"})
"""Schedulers that send all who ask for one address to one server."""


def shares(virtual: VirtualServer) -> list[tuple[Fraction, RealServer]]:
    """What each real server gets of all new connections; one with weight 0 gets none.

    ``fo`` sends all to the server with the most weight. Of several it is the one that was added last, which
    no listing says (ipvsadm sorts them): each may be the one.
    """
    able = [server for server in virtual.servers if server.weight > 0]
    if not able:
        return []
    if virtual.scheduler == "fo":
        most = max(server.weight for server in able)
        able = [server for server in able if server.weight == most]
    if virtual.scheduler in EVEN:
        return [(Fraction(1, len(able)), server) for server in able]
    total = sum(server.weight for server in able)
    return [(Fraction(server.weight, total), server) for server in able]


class Ipvs:
    """All virtual servers of one family."""

    name = "ipvs"

    def __init__(self, servers: Iterable[VirtualServer] = ()) -> None:
        self._servers = {(v.protocol, v.address, v.port): v for v in servers}

    def __bool__(self) -> bool:
        return bool(self._servers)

    @property
    def servers(self) -> Iterable[VirtualServer]:
        return self._servers.values()

    def find(self, packet: Packet) -> VirtualServer | None:
        """The virtual server that takes a packet."""
        found = self._servers.get((packet.protocol, packet.destination, packet.port or 0))
        return found or self._servers.get((packet.protocol, packet.destination, 0))


def choices(virtual: VirtualServer) -> list[tuple[Fraction, Operation]]:
    """One operation for each real server that may be picked; none where no server can be."""
    return [(share, _to(virtual, server)) for share, server in shares(virtual)]


def _to(virtual: VirtualServer, server: RealServer) -> Operation:
    where = join_host_port(shown(server.address, virtual.family), server.port)
    effect = f"{virtual.scheduler} picks {where}"
    if virtual.scheduler in HASHED:
        effect += " (always the same for this client)"
    elif virtual.scheduler in ALWAYS:
        effect += " (always the same)"
    if virtual.timeout:
        effect += f", the client stays there for {virtual.timeout} s"

    def act(walk: Walk) -> Acted:
        walk.served = virtual
        if server.method == "Masq":
            walk.change(destination=server.address, port=server.port or walk.packet.port)
        return Acted(effect)

    return act


# --- text

_PROTOCOLS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp"}
_METHODS = {"-m": "Masq", "-g": "Route", "-i": "Tunnel"}


class _Reading(msgspec.Struct):
    """Virtual servers as they are read, real servers one after the other."""

    heads: dict[tuple[str, str], tuple[str, int]] = msgspec.field(default_factory=dict)
    servers: dict[tuple[str, str], list[RealServer]] = msgspec.field(default_factory=dict)

    def virtual(self) -> list[VirtualServer]:
        found = []
        for (protocol, where), (scheduler, timeout) in self.heads.items():
            address, port = _split(where)
            found.append(
                VirtualServer(
                    "IPv6" if where.startswith("[") else "IPv4",
                    NUMBERS[protocol],
                    address,
                    port,
                    scheduler,
                    timeout,
                    tuple(self.servers.get((protocol, where), ())),
                )
            )
        return found


def read(text: str) -> list[VirtualServer]:
    """All virtual servers of a listing, of both families. Those of firewall marks are left out.

    Raises IpvsError for text that is no listing.
    """
    if text.lstrip().startswith("IP Virtual Server"):
        return _read_table(text)
    reading = _Reading()
    for line_number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[1:2] == ["-f"]:
            continue
        if words[0] not in ("-A", "-a") or len(words) < 3 or words[1] not in _PROTOCOLS:
            raise IpvsError(f"line {line_number}: not a line of ipvsadm -Sn: {line!r}")
        key = (_PROTOCOLS[words[1]], words[2])
        if words[0] == "-a" and len(words) == 8 and words[3] == "-r" and words[6] == "-w":
            # As ipvsadm prints them; there may be hundreds of thousands.
            address, port = _split(words[4])
            method = _METHODS.get(words[5], "Route")
            reading.servers.setdefault(key, []).append(RealServer(address, port, int(words[7]), method))
            continue
        options = dict(zip(words, [*words[1:], ""], strict=True))
        if words[0] == "-A":
            reading.heads[key] = (options.get("-s", "wlc"), int(options.get("-p") or 0))
        else:
            address, port = _split(options.get("-r", ""))
            method = next((name for option, name in _METHODS.items() if option in options), "Route")
            reading.servers.setdefault(key, []).append(
                RealServer(address, port, int(options.get("-w") or 1), method)
            )
    return reading.virtual()


def _read_table(text: str) -> list[VirtualServer]:
    """``ipvsadm -Ln``."""
    reading = _Reading()
    key: tuple[str, str] | None = None
    for line in text.splitlines():
        words = line.split()
        if words[:1] and words[0] in ("TCP", "UDP", "SCTP"):
            key = (words[0].lower(), words[1])
            timeout = words[words.index("persistent") + 1] if "persistent" in words else "0"
            reading.heads[key] = (words[2], int(timeout))
        elif words[:1] == ["->"] and key is not None and words[1] != "RemoteAddress:Port":
            address, port = _split(words[1])
            reading.servers.setdefault(key, []).append(RealServer(address, port, int(words[3]), words[2]))
        elif words[:1] == ["FWM"]:
            key = None
    return reading.virtual()


def _split(text: str) -> tuple[int, int]:
    ip, _, port = text.rpartition(":")
    try:
        return number(ip.strip("[]")), int(port)
    except ValueError:
        raise IpvsError(f"no address and port: {text!r}") from None


_RECORDED = re.compile(
    r"(?P<protocol>\w+) (?P<where>\S+) sched=(?P<sched>\w+) flags=\d+ timeout=(?P<timeout>\d+)"
    r" -> \[(?P<reals>.*)]"
)


def of_recorded(lines: Iterable[str]) -> list[VirtualServer]:
    """Virtual servers in the form of recorded cases."""
    reading = _Reading()
    for line in lines:
        match = _RECORDED.fullmatch(line)
        if match is None:
            raise IpvsError(f"not a recorded virtual server: {line!r}")
        key = (match["protocol"].lower(), match["where"])
        reading.heads[key] = (match["sched"], int(match["timeout"]))
        for real in match["reals"].split(", ") if match["reals"] else ():
            where, _, weight = real.partition(" w=")
            address, port = _split(where)
            reading.servers.setdefault(key, []).append(RealServer(address, port, int(weight)))
    return reading.virtual()
