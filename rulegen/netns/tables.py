"""kube-proxy's nft tables in a namespace."""

from __future__ import annotations

from rulegen.model import Family
from rulegen.netns.parts import Step
from rulegen.netns.space import CommandError, Space
from rulegen.nftables.diff import diff
from rulegen.nftables.listing import ListingError, blocks, read
from rulegen.nftables.names import TABLE
from rulegen.nftables.table import same_shape

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
        if now == before:
            return []
        # A table that is there stays: one that is made anew comes after others of the same priority.
        script = self._change(now, before) if now and before else None
        if script is None:
            # One transaction: the table is never half there. One that is not there cannot be deleted.
            script = f"add table {self.scope}\ndelete table {self.scope}\n{before}"
        return self.steps(script)

    def _change(self, now: str, before: str) -> str | None:
        """The smallest change; None where somebody has put into the table what kube-proxy never does."""
        try:
            old, new = (read(text).tables[self.family] for text in (now, before))
        except ListingError:
            return None
        lost = {
            name: clients
            for name, clients in _remembered(before).items()
            if name not in old.containers or not same_shape(old.containers[name], new.containers[name])
        }
        again = [f"add element {self.scope} {name} {clients}\n" for name, clients in lost.items()]
        return diff(old, new).text + "".join(again)

    def steps(self, script: str) -> list[Step]:
        """The step that carries out a script of nft, if it says anything."""
        return [Step(("nft", "-f", "-"), script)] if script else []


_ELEMENTS = "elements = "


def _remembered(listing: str) -> dict[str, str]:
    """Set -> its elements as nft prints them, where these come and go with clients.

    The time that each has left goes with it.
    """
    found = {}
    for table in blocks(listing):
        for inner in table.blocks:
            if any(line.startswith("timeout ") for line in inner.lines):
                for line in inner.lines:
                    if line.startswith(_ELEMENTS):
                        found[inner.head[1]] = line.removeprefix(_ELEMENTS)
    return found
