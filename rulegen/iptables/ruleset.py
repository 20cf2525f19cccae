"""The compiled rules of one node and family, as fragments that are joined into text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeAlias

import msgspec

from rulegen.iptables.base import JUMPS, Base, Jump
from rulegen.iptables.fragment import Fragment
from rulegen.model import Family

PortKey: TypeAlias = tuple[str, str, str, str]
Chains: TypeAlias = dict[str, list[str]]
"""Chain -> its rules in order, each without ``-A CHAIN``."""


class Compiled(Protocol):
    """Rules of one family for ``iptables-restore``, of this mode or of another that needs some."""

    @property
    def family(self) -> Family: ...

    @property
    def jumps(self) -> tuple[Jump, ...]:
        """Ensured one by one outside the restore text, in this order."""

    def parts(self) -> Iterator[str]:
        """The pieces of the restore text, in order."""

    def tables(self) -> dict[str, Chains]:
        """Table -> chain -> rules, of what the restore text holds (jumps aside)."""


class Ruleset(msgspec.Struct, frozen=True):
    """iptables rules of one family: ``fragments`` by service port (namespace, Service, port, protocol).

    ``large`` says that comments were left out of the service chains, as kube-proxy does above 1,000
    endpoints. ``jumps`` are ensured one by one outside the restore text.
    """

    family: Family
    base: Base
    fragments: Mapping[PortKey, Fragment]
    large: bool = False
    jumps: tuple[Jump, ...] = JUMPS

    def parts(self) -> Iterator[str]:
        """The pieces of the restore text, in order."""
        fragments = self.fragments.values()
        base = self.base
        yield "*filter\n"
        yield base.filter_chains
        yield base.filter_head
        yield from [f.filter_rules for f in fragments if f.filter_rules]
        yield base.filter_tail
        yield "COMMIT\n*nat\n"
        yield base.nat_chains
        yield from [f.nat_chains for f in fragments if f.nat_chains]
        yield base.nat_head
        for f in fragments:
            yield f.nat_shared
            yield f.nat_rules
        yield base.nat_tail
        yield "COMMIT\n"

    def tables(self) -> dict[str, Chains]:
        """Table -> chain -> rules, of what the restore text holds (jumps aside)."""
        return read_tables("".join(self.parts()))


def read_tables(text: str) -> dict[str, Chains]:
    """Table -> chain -> rules of a restore text that was compiled."""
    found: dict[str, Chains] = {}
    chains: Chains = {}
    for line in text.splitlines():
        if line[0] == "*":
            chains = found[line[1:]] = {}
        elif line[0] == ":":
            chains[line[1 : line.index(" ")]] = []
        elif line.startswith("-A "):
            chain, _, rule = line[3:].partition(" ")
            chains[chain].append(rule)
    return found
