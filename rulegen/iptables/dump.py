"""What a kernel holds, and what turns it into something else.

A :class:`Dump` is the state of one family as ``iptables-save`` prints it; a :class:`Transaction` is input of
``iptables-restore --noflush``. Both are text that is kept as it is: rules are strings, in any form that
iptables takes or prints (:mod:`rulegen.iptables.normal` says which of them are equal).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from rulegen.model import Family

Variant: TypeAlias = Literal["legacy", "nft"]
"""Which of its two kernel interfaces an iptables uses: that of ip_tables, or nf_tables."""

USER = "-"
"""The policy of a chain that is not the kernel's own."""

BUILTIN: Mapping[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
"""Table -> the chains that the kernel calls, in the order in which iptables-save prints them."""


class Chain(msgspec.Struct, gc=False):
    """A chain: its policy (``ACCEPT``, ``DROP``, or ``-``) and its rules, each without ``-A CHAIN``.

    ``counters`` (``[packets:bytes]``) and ``rule_counters``, one for each rule, are kept as they were read
    and mean nothing here; None where the text had none. Who needs another chain makes one: these are shared.
    """

    policy: str = USER
    rules: list[str] = msgspec.field(default_factory=list)
    counters: str = "[0:0]"
    rule_counters: list[str] | None = None


Table: TypeAlias = dict[str, Chain]


class Dump(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one family, chains in the order of the text; ``variant`` is None where unknown."""

    family: Family = "IPv4"
    variant: Variant | None = None
    tables: dict[str, Table] = msgspec.field(default_factory=dict)

    @property
    def text(self) -> str:
        """As ``iptables-save`` writes it, comment lines left out: chains first, then the rules of each."""
        return "".join(self.lines())

    def lines(self) -> Iterator[str]:
        for table, chains in self.tables.items():
            yield f"*{table}\n"
            for name, chain in chains.items():
                yield f":{name} {chain.policy} {chain.counters}\n"
            for name, chain in chains.items():
                if chain.rule_counters is None:
                    for rule in chain.rules:
                        yield f"-A {name} {rule}\n" if rule else f"-A {name}\n"
                else:
                    for counter, rule in zip(chain.rule_counters, chain.rules, strict=True):
                        yield f"{counter} -A {name} {rule}\n" if rule else f"{counter} -A {name}\n"
            yield "COMMIT\n"

    def chain(self, table: str, name: str) -> Chain | None:
        return self.tables.get(table, {}).get(name)

    def rules(self, table: str, name: str) -> list[str]:
        """The rules of a chain; none where there is no such chain."""
        chain = self.tables.get(table, {}).get(name)
        return chain.rules if chain is not None else []


class Section(msgspec.Struct, frozen=True):
    """What one table is told, line by line: ``:CHAIN - [0:0]``, ``-A ...``, ``-D ...``, ``-X ...``."""

    table: str
    lines: tuple[str, ...]


class Transaction(msgspec.Struct, frozen=True):
    """Input of ``iptables-restore --noflush``: each section is one atomic change of the kernel."""

    sections: tuple[Section, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sections)

    @property
    def text(self) -> str:
        pieces = []
        for section in self.sections:
            pieces.append(f"*{section.table}\n")
            pieces += [f"{line}\n" for line in section.lines]
            pieces.append("COMMIT\n")
        return "".join(pieces)
