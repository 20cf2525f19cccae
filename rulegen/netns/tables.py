"""kube-proxy's nft tables in a namespace."""

from __future__ import annotations

from rulegen.model import Family
from rulegen.netns.parts import Step
from rulegen.netns.space import CommandError, Space
from rulegen.nftables.listing import ListingError, read
from rulegen.nftables.names import TABLE

FAMILIES: dict[Family, str] = {"IPv4": "ip", "IPv6": "ip6"}


class Table:
    """kube-proxy's table of one family; the state is what nft lists, empty where there is no table."""

    listing = "nft list ruleset"

    def __init__(self, family: Family) -> None:
        self.family: Family = family
        self.scope = f"{FAMILIES[family]} {TABLE}"
        self.name = f"nft table {self.scope}"

    def read(self, space: Space) -> str:
        try:
            return space.run("nft", "list", "table", *self.scope.split())
        except CommandError as error:
            if "No such file or directory" in error.reason:
                return ""
            raise

    def way(self, now: str, before: str) -> list[Step]:
        if now == before or _same(now, before):
            return []
        # One transaction: the table is never half there. One that is not there cannot be deleted.
        return self.steps(f"add table {self.scope}\ndelete table {self.scope}\n{before}")

    def steps(self, script: str) -> list[Step]:
        """The step that carries out a script of nft, if it says anything."""
        return [Step(("nft", "-f", "-"), script)] if script else []


def _same(one: str, other: str) -> bool:
    """Whether two listings differ in nothing but clients that session affinity remembers, and counts."""
    if not one or not other:
        return False
    try:
        return read(one) == read(other)
    except ListingError:
        return False
