"""The compiled objects of one node and family: fragments, and what they are together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from rulegen.iptables.base import Jump
from rulegen.iptables.ruleset import Chains, PortKey, read_tables
from rulegen.ipvs.base import JUMPS, Settings
from rulegen.ipvs.fragment import Fragment, ServerKey, VirtualServer
from rulegen.ipvs.rules import restore_parts
from rulegen.ipvs.sets import IPVS_IPS, SETS
from rulegen.model import Family


class Ruleset(msgspec.Struct, frozen=True):
    """IPVS objects, ipsets and iptables rules of one family.

    ``fragments`` are by service port (namespace, Service, port, protocol). Where two service ports claim one
    virtual server, the later one has it; kube-proxy, too, lets the last one win, but walks them in no fixed
    order.
    """

    settings: Settings
    fragments: Mapping[PortKey, Fragment]
    jumps: tuple[Jump, ...] = JUMPS

    @property
    def family(self) -> Family:
        return self.settings.family

    def virtual_servers(self) -> dict[ServerKey, VirtualServer]:
        """All virtual servers, by protocol and address, in the order of the service ports."""
        found: dict[ServerKey, VirtualServer] = {}
        for fragment in self.fragments.values():
            for server in fragment.servers:
                found[server.protocol, server.address] = server
        return found

    def addresses(self) -> list[str]:
        """The addresses bound to the dummy device, in the order of the service ports."""
        return list(dict.fromkeys([ip for f in self.fragments.values() for ip in f.addresses]))

    def sets(self) -> dict[str, list[str]]:
        """IPv4 name of each of the seventeen sets -> its entries, in the order of the service ports."""
        found: dict[str, dict[str, None]] = {kind.name: {} for kind in SETS}
        for fragment in self.fragments.values():
            for name, entry in fragment.entries:
                found[name][entry] = None
        entries = {name: list(members) for name, members in found.items()}
        entries[IPVS_IPS] = self.addresses()
        return entries

    def filled(self) -> frozenset[str]:
        """The sets (by their IPv4 names) that have an entry."""
        found = {name for fragment in self.fragments.values() for name, _ in fragment.entries}
        if any(fragment.addresses for fragment in self.fragments.values()):
            found.add(IPVS_IPS)
        return frozenset(found)

    def parts(self) -> Iterator[str]:
        """The pieces of the iptables restore text, in order."""
        drops = "".join([fragment.drops for fragment in self.fragments.values() if fragment.drops])
        return restore_parts(self.settings, self.filled(), drops)

    def tables(self) -> dict[str, Chains]:
        """Table -> chain -> iptables rules (jumps aside)."""
        return read_tables("".join(self.parts()))
