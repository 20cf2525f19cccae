"""What translation does to a walk: the same for the targets of iptables and the statements of nftables."""

from __future__ import annotations

import re
from fractions import Fraction

from rulegen.model import Family
from rulegen.plan.addresses import join_host_port
from rulegen.trace.facts import Facts
from rulegen.trace.packet import PORTED, number, shown
from rulegen.trace.walk import ACCEPT, Acted, Operation, Walk

_DESTINATION = re.compile(
    r"(?:\[(?P<six>[^]]+)]|(?P<four>[^:\[\]]*)|(?P<bare>[0-9a-fA-F:.-]+))(?::(?P<ports>[\d/-]+))?$"
)
_MOST_ADDRESSES = 64


def destinations(text: str, family: Family) -> tuple[list[int], tuple[int, int] | None]:
    """Addresses and range of ports of ``A[-B][:PORT[-PORT]]``; no address where only a port is given.

    Raises ValueError for what is no such text.
    """
    if family == "IPv6" and not text.startswith("["):
        ips, ports = text, ""
    else:
        match = _DESTINATION.match(text)
        if match is None:
            raise ValueError(f"no destination: {text!r}")
        ips, ports = match["six"] or match["four"] or match["bare"] or "", match["ports"] or ""
    found: list[int] = []
    if ips:
        first_text, _, last_text = ips.partition("-")
        first = number(first_text)
        last = number(last_text) if last_text else first
        if last - first >= _MOST_ADDRESSES:
            raise ValueError(f"more than {_MOST_ADDRESSES} addresses: {text!r}")
        found = list(range(first, last + 1))
    if not ports:
        return found, None
    low, _, high = ports.partition("/")[0].partition("-")
    return found, (int(low), int(high or low))


def to_destination(address: int | None, ports: tuple[int, int] | None) -> Operation:
    """DNAT to one address (None: the packet's own) and a port out of a range (None: its own)."""

    def act(walk: Walk) -> Acted:
        packet = walk.packet
        ip = packet.destination if address is None else address
        port = packet.port
        if ports is not None and packet.protocol in PORTED:
            inside = port is not None and ports[0] <= port <= ports[1]
            port = port if inside else ports[0]
        changed = (ip, port) != (packet.destination, packet.port)
        if changed:
            walk.change(destination=ip, port=port)
        # A connection whose address stays what it was has no translation for conntrack.
        walk.dnat = walk.dnat or changed
        walk.dnat_done = True
        target = shown(ip, packet.family)
        if port is not None:
            target = join_host_port(target, port)
        if ports is not None and ports[0] != ports[1]:
            target += f" (or another port up to {ports[1]})"
        return Acted(f"DNAT to {target}", ACCEPT)

    return act


def to_one_of(found: list[int], ports: tuple[int, int] | None) -> Operation:
    """DNAT to several addresses, of which the kernel picks one by a hash of the connection."""
    if len(found) < 2:
        return to_destination(found[0] if found else None, ports)
    share = Fraction(1, len(found))
    alternatives = [(share, to_destination(address, ports)) for address in found]
    return lambda walk: alternatives


def to_source(address: int, port: int | None = None) -> Operation:
    def act(walk: Walk) -> Acted:
        _new_source(walk, address, port)
        return Acted(f"source becomes {shown(address, walk.packet.family)}", ACCEPT)

    return act


def _new_source(walk: Walk, address: int, port: int | None) -> None:
    packet = walk.packet
    walk.snat = walk.snat or address != packet.source or port is not None
    walk.snat_done = True
    walk.change(source=address, source_port=port if port is not None else None)


def masquerade(facts: Facts) -> Operation:
    """The address of the device that the packet leaves by; a packet for which there is none is dropped."""

    def act(walk: Walk) -> Acted:
        if not walk.exit:
            return Acted("masquerade", walk.finish("unknown", "no device is known that the packet leaves by"))
        address = facts.host.masquerade(walk.packet.destination, walk.exit)
        if address is None:
            family = walk.packet.family
            return Acted(
                "masquerade", walk.finish("dropped", f"the node has no {family} address to masquerade with")
            )
        _new_source(walk, address, None)
        return Acted(f"masquerade: source becomes {shown(address, walk.packet.family)}", ACCEPT)

    return act


def redirect(facts: Facts, ports: tuple[int, int] | None) -> Operation:
    """DNAT to the node itself: loopback for its own packets, else the device that they came in by."""

    def act(walk: Walk) -> Acted:
        host = facts.host
        if walk.hook == "OUTPUT":
            address: int | None = number("127.0.0.1") if host.family == "IPv4" else 1
        elif walk.entry is None:
            return Acted(
                "redirect", walk.finish("unknown", "the device is not known that the packet came in by")
            )
        else:
            address = host.first_address(walk.entry)
        if address is None:
            return Acted("redirect", walk.finish("dropped", f"{walk.entry} has no address to redirect to"))
        result = to_destination(address, ports)(walk)
        assert isinstance(result, Acted)
        return result

    return act


def mark(value: int, mask: int, text: str) -> Operation:
    """Clear the bits of ``mask``, then flip those of ``value`` (``--set-xmark``)."""

    def act(walk: Walk) -> Acted:
        before = walk.packet.mark
        after = before & ~mask & 0xFFFFFFFF ^ value
        if after != before:
            walk.change(mark=after)
        return Acted(text)

    return act
