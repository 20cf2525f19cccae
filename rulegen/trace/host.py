"""What the node's own network makes of an address: local or not, by which device, with which source.

These are Linux's rules: net/ipv4/fib_frontend.c and devinet.c (inet_select_addr), net/ipv6/addrconf.c
(ipv6_dev_get_saddr after RFC 6724), without policy routing, VRFs and multipath.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_interface, ip_network
from typing import TypeAlias

import msgspec

from rulegen.model import Family
from rulegen.trace.packet import BITS, number

LOOPBACK = "lo"
_HOST, _LINK, _GLOBAL = 254, 253, 0
"""Scopes of addresses (rtnetlink(7)), the narrowest first."""


class Address(msgspec.Struct, frozen=True):
    """An address of a device; ``secondary`` says that another one of its network came first."""

    value: int
    length: int
    device: str
    scope: int = _GLOBAL
    secondary: bool = False


class Route(msgspec.Struct, frozen=True):
    """A route; ``gateway`` and ``source`` (its preferred one) are None where it has none.

    ``kind`` is ``unicast``, ``local``, ``blackhole``, ``unreachable`` or ``prohibit`` (ip-route(8)).
    """

    network: int
    length: int
    device: str
    gateway: int | None = None
    source: int | None = None
    kind: str = "unicast"
    metric: int = 0

    def holds(self, address: int, bits: int) -> bool:
        return address >> (bits - self.length) == self.network >> (bits - self.length)


class Host:
    """The addresses and routes of one node, for one family.

    ``interfaces`` are device -> addresses with prefix length, of any family, ``lo`` first as in the kernel.
    ``routes`` are those beyond what addresses bring with them. ``route_localnet`` is the sysctl that lets
    127.0.0.0/8 leave the loopback device; ``bridges`` are devices whose packets br_netfilter hands to
    iptables as bridged ones. ``note`` is what to say of addresses that were assumed.
    """

    def __init__(
        self,
        family: Family,
        interfaces: Mapping[str, Sequence[str]],
        routes: Iterable[Route] = (),
        *,
        route_localnet: bool = False,
        bridges: Iterable[str] = (),
    ) -> None:
        self.family: Family = family
        self.bits = BITS[family]
        self.route_localnet = route_localnet
        self.note = ""
        self.bridges = frozenset(bridges)
        self.devices = list(dict.fromkeys([LOOPBACK, *interfaces]))
        self.addresses = _addresses(family, interfaces)
        self._own = {address.value: address for address in reversed(self.addresses)}
        # In ipvs mode there are tens of thousands: each is looked at once, here.
        self._on: dict[str, list[Address]] = {}
        for address in self.addresses:
            self._on.setdefault(address.device, []).append(address)
        self._scopes = {_scope6(a.value) for a in self.addresses} if family == "IPv6" else set()
        self._local_nets = [
            (a.value, a.length) for a in self.addresses if family == "IPv4" and a.device == LOOPBACK
        ]
        connected = [
            Route(
                _prefix(a.value, a.length, self.bits),
                a.length,
                a.device,
                source=a.value if family == "IPv4" else None,
            )
            for a in self.addresses
            if a.device != LOOPBACK and not a.secondary and a.length < self.bits
        ]
        # Longest prefix first; of equal ones the lower metric, and what the kernel adds itself.
        self.routes = tuple(routes)
        ways = sorted([*connected, *self.routes], key=lambda route: (-route.length, route.metric))
        self._to_one = {way.network: way for way in reversed(ways) if way.length == self.bits}
        self._routes = [way for way in ways if way.length < self.bits]
        self._broadcast = frozenset(
            _prefix(a.value, a.length, 32) | (1 << 32 - a.length) - 1
            for a in self.addresses
            if family == "IPv4" and a.length < 31 and a.device != LOOPBACK
        )

    def is_local(self, address: int) -> bool:
        """Whether packets to the address are for this node."""
        if address in self._own:
            return True
        return any(
            address >> (32 - length) == net >> (32 - length) for net, length in self._local_nets if length
        )

    def device_of(self, address: int) -> str | None:
        """The device that holds a local address."""
        own = self._own.get(address)
        if own is not None:
            return own.device
        return LOOPBACK if self.is_local(address) else None

    def address_type(self, address: int, device: str | None = None) -> str:
        """``LOCAL``, ``UNICAST``, ``BROADCAST``, ``MULTICAST``..., as ``-m addrtype`` and ``fib`` say it.

        ``device`` limits what counts as local to its own addresses.
        """
        if self.is_local(address):
            return "LOCAL" if device is None or self.device_of(address) == device else "UNICAST"
        if self.family == "IPv4":
            if address in self._broadcast or address in (0, 0xFFFFFFFF):
                return "BROADCAST"
            if address >> 28 == 0xE:
                return "MULTICAST"
        elif address >> 120 == 0xFF:
            return "MULTICAST"
        route = self.route(address)
        if route is None:
            return "UNREACHABLE" if self.family == "IPv6" else "UNICAST"
        return route.kind.upper()

    def route(self, address: int) -> Route | None:
        """The way to an address, ``local`` for the node's own; None where there is none."""
        if self.is_local(address):
            return self._local_route(address)
        found = self._to_one.get(address)
        if found is not None:
            return found
        bits = self.bits
        return next((way for way in self._routes if way.holds(address, bits)), None)

    def _local_route(self, address: int) -> Route:
        own = self._own.get(address)
        if own is None:
            first = next(a for a in self.addresses if a.device == LOOPBACK)
            return Route(address, self.bits, LOOPBACK, source=first.value, kind="local")
        source = own.value
        if own.secondary:
            # The route to a secondary address prefers the primary one of its network as source.
            source = next(
                a.value
                for a in self.addresses
                if not a.secondary
                and a.device == own.device
                and a.length == own.length
                and _prefix(a.value, a.length, self.bits) == _prefix(own.value, own.length, self.bits)
            )
        return Route(address, self.bits, LOOPBACK, source=source, kind="local")

    def source_for(self, address: int) -> int | None:
        """The source that the node gives a connection of its own; None where nothing leads there."""
        route = self.route(address)
        if route is None or route.kind not in ("unicast", "local"):
            return None
        if self.family == "IPv6":
            if route.source is not None and route.kind == "unicast":
                return route.source
            return self._source_rfc6724(address, self.device_of(address) or route.device)
        if route.source is not None:
            return route.source
        return self._select(route.device, route.gateway or 0, _LINK if route.gateway is None else _GLOBAL)

    def masquerade(self, address: int, device: str) -> int | None:
        """The source that MASQUERADE gives a packet to ``address`` that leaves by ``device``."""
        if self.family == "IPv6":
            return self._source_rfc6724(address, device)
        route = self.route(address)
        hop = route.gateway if route is not None and route.gateway is not None else address
        return self._select(device, hop, _GLOBAL)

    def first_address(self, device: str) -> int | None:
        """The first address of a device, which REDIRECT sends to."""
        return next((a.value for a in self._on.get(device, ()) if a.scope == _GLOBAL), None)

    def _select(self, device: str, hop: int, scope: int) -> int | None:
        """inet_select_addr: one that shares a network with the next hop, else the device's first."""
        found: int | None = None
        narrowest = _LINK if self.route_localnet else _HOST
        for a in self._on.get(device, ()):
            if a.secondary or min(a.scope, narrowest) > scope:
                continue
            if not hop or _prefix(hop, a.length, 32) == _prefix(a.value, a.length, 32):
                return a.value
            if found is None:
                found = a.value
        if found is not None:
            return found
        for a in self.addresses:
            if not a.secondary and a.scope != _LINK and a.scope <= scope:
                return a.value
        return None

    def _source_rfc6724(self, destination: int, device: str) -> int | None:
        if destination in self._own:
            wanted_scope = _scope6(destination)
            if wanted_scope > 2 or any(a.value == destination for a in self._on.get(device, ())):
                return destination
        best = _best(self._on.get(device, ()), destination)
        if _scope6(destination) <= 2:
            return best[1] if best is not None else None
        # Addresses of other devices are asked where this one has none that fits as well.
        if best is not None and best[0][0] == max(_fits(scope, destination) for scope in self._scopes):
            return best[1]
        others = _best((a for a in self.addresses if a.device != device), destination)
        if best is None or (others is not None and others[0][0] > best[0][0]):
            best = others
        return best[1] if best is not None else None


def _fits(scope: int, destination: int) -> tuple[int, int]:
    """Wide enough for the destination, as narrow as possible; else as wide as possible."""
    wanted = _scope6(destination)
    return (1, -scope) if scope >= wanted else (0, scope)


_Score: TypeAlias = "tuple[tuple[int, int], bool, int]"


def _best(addresses: Iterable[Address], destination: int) -> tuple[_Score, int] | None:
    """The best source among addresses that are alike in all but scope, label and prefix (RFC 6724)."""
    best: tuple[_Score, int] | None = None
    label = _label(destination)
    for a in addresses:
        common = 128 - (a.value ^ destination).bit_length()
        score = (_fits(_scope6(a.value), destination), _label(a.value) == label, min(common, a.length))
        if best is None or score > best[0]:
            best = (score, a.value)
    return best


def _prefix(value: int, length: int, bits: int) -> int:
    return value >> (bits - length) << (bits - length)


def _addresses(family: Family, interfaces: Mapping[str, Sequence[str]]) -> list[Address]:
    """All addresses of the family, by device, in the order in which the kernel walks them."""
    found: list[Address] = []
    six = family == "IPv6"
    for device in dict.fromkeys([LOOPBACK, *interfaces]):
        own: list[Address] = []
        nets: set[tuple[int, int]] = set()
        for text in interfaces.get(device, ()):
            if (":" in text) is not six:
                continue
            value, length = _parsed(text)
            if six:
                own.append(Address(value, length, device))
                continue
            net = (length, _prefix(value, length, 32))
            scope = _HOST if value >> 24 == 127 else _LINK if value >> 16 == 0xA9FE else _GLOBAL
            own.append(Address(value, length, device, scope, net in nets))
            nets.add(net)
        if six:
            # A new address is put before those of its scope (ipv6_link_dev_addr).
            own.reverse()
            own.sort(key=lambda a: -_scope6(a.value))
        found += own
    if not any(a.device == LOOPBACK for a in found):
        own_loopback = number("::1") if six else number("127.0.0.1")
        length, scope = (128, _GLOBAL) if six else (8, _HOST)
        found.insert(0, Address(own_loopback, length, LOOPBACK, scope))
    return found


def _parsed(text: str) -> tuple[int, int]:
    """An address and the length of its prefix; without one it is a network of its own.

    Raises ValueError for text that is no address.
    """
    ip, slash, length = text.partition("/")
    bits = 128 if ":" in ip else 32
    if not slash:
        return number(ip), bits
    if length.isdecimal() and int(length) <= bits:
        return number(ip), int(length)
    net = ip_interface(text)
    return int(net.ip), net.network.prefixlen


def _scope6(value: int) -> int:
    """The scope of an IPv6 address: 2 link-local, 5 site-local, 14 global; of loopback that of a link."""
    if value == 1 or value >> 118 == 0x3FA:
        return 2
    if value >> 118 == 0x3FB:
        return 5
    if value >> 120 == 0xFF:
        return value >> 112 & 0xF
    return 14


_LABELS = [
    (number("::1"), 128, 0), (number("::ffff:0:0"), 96, 4), (number("2001::"), 32, 6),
    (number("2001:10::"), 28, 7), (number("2002::"), 16, 2), (number("fec0::"), 10, 11),
    (number("fc00::"), 7, 5), (number("::"), 96, 3),
]  # fmt: skip
"""net/ipv6/addrlabel.c, the longest prefix first among those that overlap."""


def _label(value: int) -> int:
    for net, length, label in _LABELS:
        if value >> (128 - length) == net >> (128 - length):
            return label
    return 1


def route(network: str, device: str, gateway: str = "", source: str = "", **more: object) -> Route:
    """A route from its texts. Raises ValueError for what is no network or address."""
    net = ip_network(network, strict=False)
    return Route(
        int(net.network_address),
        net.prefixlen,
        device,
        number(gateway) if gateway else None,
        number(source) if source else None,
        str(more.get("kind", "unicast")),
        int(str(more.get("metric", 0))),
    )
