"""Devices and their addresses in memory: commands of ip(8) in, ``ip -j addr`` out.

What kube-proxy's ipvs mode needs: dummy devices, and addresses on them. Refusals are in the words of iproute2
6.1. There is a loopback device from the start.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

Interface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface

LONGEST_NAME = 15
_FOREVER = 4294967295
_GONE = "RTNETLINK answers: Cannot assign requested address"
_THERE = "RTNETLINK answers: File exists"
_SHORT = {"addr": "address", "a": "address", "l": "link"}
_VERBS = {"del": "delete", "a": "add", "d": "delete", "s": "show", "list": "show", "l": "show"}


class Link(msgspec.Struct):
    """A device. Addresses are by what the kernel tells them apart by."""

    index: int
    name: str
    up: bool = False
    addresses: dict[tuple[str, ...], Interface] = msgspec.field(default_factory=dict)


class Links:
    """All devices of a kernel."""

    def __init__(self) -> None:
        loopback = Link(1, "lo", up=True)
        self._links = {"lo": loopback}
        for address in (ipaddress.ip_interface("127.0.0.1/8"), ipaddress.ip_interface("::1/128")):
            loopback.addresses[_identity(address)] = address

    def copy(self) -> Links:
        other = Links()
        other._links = {
            name: msgspec.structs.replace(link, addresses=dict(link.addresses))
            for name, link in self._links.items()
        }
        return other

    def batch(self, text: str, options: list[str]) -> str:
        """``ip -batch``: ends at the first line that is refused. Raises ValueError, with ``line``."""
        said = []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].split()
            if words:
                try:
                    said.append(self.run([*options, *words]))
                except ValueError as fault:
                    raise BatchError(number, str(fault)) from None
        return "".join(said)

    def run(self, words: list[str]) -> str:
        """One command, without the word ``ip`` before it; what it prints. Raises ValueError."""
        options = [word for word in words if word[:1] == "-"]
        match [word for word in words if word[:1] != "-"]:
            case [kind, verb, *rest]:
                kind, verb = _SHORT.get(kind, kind), _VERBS.get(verb, verb)
            case [kind]:
                kind, verb, rest = _SHORT.get(kind, kind), "show", []
            case _:
                raise ValueError("no command")
        match kind, verb:
            case "link", "add":
                self._make(rest)
            case "link", "delete":
                link = self._device(rest[-1] if rest else "")
                del self._links[link.name]
            case "link", "set":
                link = self._device(rest[1] if rest[:1] == ["dev"] else rest[0])
                link.up = "up" in rest or (link.up and "down" not in rest)
            case "address", "add" | "delete":
                self._address(verb, rest, options)
            case "address", "show":
                if "-j" not in options:
                    raise ValueError("addresses are only told in JSON here: ip -j addr")
                return self._json(rest, options)
            case "link" | "address", _:
                raise ValueError(f'Command "{verb}" is unknown, try "ip {kind} help".')
            case _:
                raise ValueError(f'Object "{kind}" is unknown, try "ip help".')
        return ""

    def _make(self, words: list[str]) -> None:
        words = words[1:] if words[:1] == ["dev"] else words
        match words:
            case [name, "type", "dummy"]:
                if name in self._links:
                    raise ValueError(_THERE)
                if len(name) > LONGEST_NAME:
                    raise ValueError("Error: Attribute failed policy validation.")
                index = max(link.index for link in self._links.values()) + 1
                self._links[name] = Link(index, name)
            case _:
                raise ValueError("Error: Unknown device type.")

    def _device(self, name: str) -> Link:
        if name not in self._links:
            raise ValueError(f'Cannot find device "{name}"')
        return self._links[name]

    def _address(self, verb: str, words: list[str], options: list[str]) -> None:
        if "dev" not in words[:-1]:
            raise ValueError('Not enough information: "dev" argument is required.')
        at = words.index("dev")
        device, text = words[at + 1], words[0]
        kind = "inet" if "-4" in options else "inet6" if "-6" in options else "any valid"
        try:
            address = ipaddress.ip_interface(text)
            if kind == ("inet" if address.version == 6 else "inet6"):
                raise ValueError
        except ValueError:
            raise ValueError(f'Error: {kind} prefix is expected rather than "{text}".') from None
        link = self._device(device)
        identity = _identity(address)
        present = link.addresses.get(identity)
        if verb == "add":
            if present is not None:
                raise ValueError(_THERE)
            if address.version == 6 and (address.is_multicast or address.is_unspecified):
                raise ValueError(_GONE)
            # The newest address of IPv6 is listed first.
            old = link.addresses if address.version == 4 else {}
            link.addresses = {**old, identity: address, **link.addresses}
            return
        if present != address:
            raise ValueError(_GONE)
        first = identity not in _secondary(link)
        del link.addresses[identity]
        if first and address.version == 4:
            # Those of its network go with the first one.
            same = [key for key, each in link.addresses.items() if each.network == address.network]
            for key in same:
                del link.addresses[key]

    def _json(self, words: list[str], options: list[str]) -> str:
        names = [word for word in words if word != "dev"]
        if names and names[0] not in self._links:
            raise ValueError(f'Device "{names[0]}" does not exist.')
        chosen = [link for link in self._links.values() if not names or link.name in names]
        versions = {4} if "-4" in options else {6} if "-6" in options else {4, 6}
        return json.dumps([_told(link, versions) for link in chosen], separators=(",", ":")) + "\n"


class BatchError(ValueError):
    """A line of a batch that is refused; it counts from 1."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(fault)
        self.line = line


def _identity(address: Interface) -> tuple[str, ...]:
    """What the kernel tells addresses of a device apart by: of IPv4, the length of the network too."""
    if address.version == 4:
        return (str(address.ip), str(address.network.prefixlen))
    return (str(address.ip),)


def _secondary(link: Link) -> set[tuple[str, ...]]:
    """The addresses of IPv4 whose network had one before."""
    seen: set[object] = set()
    found = set()
    for key, address in link.addresses.items():
        if address.version == 4 and address.network in seen:
            found.add(key)
        seen.add(address.network)
    return found


def _told(link: Link, versions: set[int]) -> Mapping[str, Any]:
    loopback = link.name == "lo"
    ether = {"link_type": "loopback"} if loopback else {"link_type": "ether"}
    flags = [
        *(["LOOPBACK"] if loopback else ["BROADCAST", "NOARP"]),
        *(["UP", "LOWER_UP"] if link.up else []),
    ]
    secondary = _secondary(link)
    # By version; of IPv4 those of the host itself first, of IPv6 last, and the first ones of their networks.
    addresses = sorted(
        link.addresses.items(),
        key=lambda pair: (
            pair[1].version,
            pair[0] in secondary,
            pair[1].is_loopback == (pair[1].version == 6),
            pair[1].is_link_local,
        ),
    )
    return {
        "ifindex": link.index,
        "ifname": link.name,
        "flags": flags,
        "mtu": 65536 if loopback else 1500,
        "qdisc": "noqueue" if link.up else "noop",
        "operstate": "UNKNOWN" if link.up else "DOWN",
        "group": "default",
        "txqlen": 1000,
        **ether,
        "address": "00:00:00:00:00:00" if loopback else f"02:00:00:00:00:{link.index % 256:02x}",
        "broadcast": "00:00:00:00:00:00" if loopback else "ff:ff:ff:ff:ff:ff",
        "addr_info": [
            _info(link.name, address, secondary=key in secondary)
            for key, address in addresses
            if address.version in versions
        ],
    }


def _info(device: str, address: Interface, *, secondary: bool) -> dict[str, Any]:
    """An address as ip tells it; the kernel's own scope for loopback addresses is the host."""
    told: dict[str, Any] = {
        "family": "inet" if address.version == 4 else "inet6",
        "local": str(address.ip),
        "prefixlen": address.network.prefixlen,
        "scope": "host" if address.is_loopback else "link" if address.is_link_local else "global",
    }
    if secondary:
        told["secondary"] = True
    if address.version == 4:
        told["scope"] = "host" if address.is_loopback else "global"
        told["label"] = device
    return {**told, "valid_life_time": _FOREVER, "preferred_life_time": _FOREVER}
