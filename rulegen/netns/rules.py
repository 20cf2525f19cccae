"""The iptables rules of a namespace."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from rulegen.iptables.dump import BUILTIN, Dump, Variant
from rulegen.iptables.owned import is_owned
from rulegen.iptables.parse import parse
from rulegen.iptables.rewind import rewind
from rulegen.model import Family
from rulegen.netns.parts import SPARE, Step
from rulegen.netns.space import CommandError, MissingToolError, Space

TOOLS: dict[Family, str] = {"IPv4": "iptables", "IPv6": "ip6tables"}
LOCK_SECONDS = 60
"""How long the legacy variant waits for another iptables to end."""


LIBIPTC_RULES = 5000
"""Up to how many rules of a family are read back with libiptc, too."""

_LIBIPTC = Path(__file__).parent / "libiptc.py"


class Rules:
    """The iptables rules of one family and variant; the state is what iptables-save prints.

    Only tables that are there are listed: looking at one with ``-t`` would make it.
    """

    def __init__(self, family: Family, variant: Variant) -> None:
        self.family: Family = family
        self.variant: Variant = variant
        self.name = f"{TOOLS[family]}-{variant}"
        self.listing = f"{TOOLS[family]}-save"

    def read(self, space: Space) -> str:
        return space.run(f"{self.name}-save")

    def read_again(self, space: Space, said: str) -> str:
        """The state by another reader than the tool that programmed it: libiptc, for legacy tables.

        ``said`` is what iptables-save printed; that is it where python-iptables is not installed, or where it
        would take its time: it needs two thirds of a millisecond a rule.
        """
        if self.variant != "legacy" or said.count("\n-A ") > LIBIPTC_RULES or find_spec("iptc") is None:
            return said
        try:
            return space.run(sys.executable, "-P", str(_LIBIPTC), self.family)
        except MissingToolError:
            return said  # in a user namespace of its own the interpreter may be out of reach
        except CommandError as error:
            if "iptc" in error.reason:
                return said  # it knows fewer extensions than iptables, and others may use these
            raise

    def dump(self, text: str) -> Dump:
        return parse(text, self.family)

    def way(self, now: str, before: str) -> list[Step]:
        return self.steps(rewind(self.dump(now), self.dump(before)).text)

    def steps(self, change: str) -> list[Step]:
        """The step that makes a change (input of iptables-restore), if it is one."""
        if not change:
            return []
        wait = str(LOCK_SECONDS)
        command = (f"{self.name}-restore", "--wait", wait, "--noflush", "--counters")
        return [Step(command, change)]


class BaseChains:
    """The chains that iptables-nft makes where the kernel calls it; the state are all tables and chains.

    iptables-nft-save prints them whether they are there or not; nft does not. To put back a namespace, those
    that were not there go again, and their tables, unless others have begun to use them.
    """

    name = "nft base chains"

    def read(self, space: Space) -> str:
        try:
            return space.run("nft", "list", "tables") + space.run("nft", "list", "chains")
        except MissingToolError:
            return ""

    def way(self, now: str, before: str) -> list[Step]:
        tables_now, chains_now = _listed(now)
        tables_before, chains_before = _listed(before)
        lines = []
        for table in sorted(tables_now):
            chains = {chain: told for chain, told in chains_now.items() if chain[0] == table}
            new = {chain: told for chain, told in chains.items() if chain not in chains_before}
            idle = [chain for chain, told in new.items() if _ACCEPTING.fullmatch(told)]
            family, name = table
            if name not in BUILTIN or family not in ("ip", "ip6"):
                continue
            if table not in tables_before and all(c in idle or is_owned(c[1]) for c in chains):
                lines.append(f"delete table {family} {name}\n")
            else:
                lines += [f"delete chain {family} {name} {chain}\n" for _, chain in idle]
        return [Step(("nft", "-f", "-"), "".join(lines), SPARE)] if lines else []


_ACCEPTING = re.compile(r"type \w+ hook \w+ priority [^;]+; policy accept;")

_Table: TypeAlias = tuple[str, str]


def _listed(text: str) -> tuple[set[_Table], dict[tuple[_Table, str], str]]:
    """Tables (family and name), and what each chain (of a table) was made with."""
    tables: set[_Table] = set()
    chains: dict[tuple[_Table, str], str] = {}
    table, chain = ("", ""), ""
    for line in text.splitlines():
        words = line.split()
        match words:
            case ["table", family, name, *_]:
                table = (family, name)
                tables.add(table)
            case ["chain", chain, "{"]:
                chains[table, chain] = ""
            case ["type", *_] if " hook " in line:
                chains[table, chain] = " ".join(words)
    return tables, chains
