"""What is read, changed and put back: one resource for each place in the kernel that holds rules."""

from __future__ import annotations

import re
from typing import Protocol

from rulegen.model import Family
from rulegen.netns.space import CommandError, Space

TABLES = ("filter", "nat", "mangle")
TOOLS: dict[Family, str] = {"IPv4": "iptables", "IPv6": "ip6tables"}
NFT: dict[Family, str] = {"IPv4": "ip", "IPv6": "ip6"}


class Resource(Protocol):
    """A part of the kernel's state, as text.

    ``read`` gives the whole state; ``program`` takes a transaction; ``put_back`` makes the state what an
    earlier ``read`` gave. All raise CommandError.
    """

    name: str

    def read(self, space: Space) -> str: ...

    def program(self, space: Space, text: str) -> None: ...

    def put_back(self, space: Space, text: str) -> None: ...


class Rules:
    """iptables rules of one family; ``variant`` is ``legacy`` or ``nft``."""

    def __init__(self, family: Family, variant: str) -> None:
        self.family = family
        self.name = f"{TOOLS[family]}-{variant}"

    def read(self, space: Space) -> str:
        # Looking at a table loads it: from here on it is there, before as after.
        return "".join(space.run(f"{self.name}-save", "-c", "-t", table) for table in TABLES)

    def program(self, space: Space, text: str) -> None:
        space.run(f"{self.name}-restore", "--noflush", "--counters", stdin=text)

    def put_back(self, space: Space, text: str) -> None:
        space.run(f"{self.name}-restore", "--counters", stdin=_complete(text))


def _complete(text: str) -> str:
    """The tables of a listing, and an empty one for each that it lacks: restoring empties it."""
    missing = [table for table in TABLES if f"*{table}\n" not in text]
    return text + "".join(f"*{table}\nCOMMIT\n" for table in missing)


class Table:
    """kube-proxy's nft table of one family."""

    def __init__(self, family: Family) -> None:
        self.scope = f"{NFT[family]} kube-proxy"
        self.name = f"nft table {self.scope}"

    def read(self, space: Space) -> str:
        try:
            return space.run("nft", "list", "table", *self.scope.split())
        except CommandError as error:
            if "No such file or directory" in str(error):
                return ""
            raise

    def program(self, space: Space, text: str) -> None:
        space.run("nft", "-f", "-", stdin=text)

    def put_back(self, space: Space, text: str) -> None:
        # One transaction: the table is never half there.
        space.run("nft", "-f", "-", stdin=f"add table {self.scope}\ndelete table {self.scope}\n{text}")


class Sysctl:
    """One sysctl of the namespace, such as ``net.ipv4.conf.all.route_localnet``; its state is its value."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.name = f"sysctl {key}"

    def read(self, space: Space) -> str:
        return space.run("sysctl", "-n", self.key).strip()

    def program(self, space: Space, text: str) -> None:
        space.run("sysctl", "-q", "-w", f"{self.key}={text}")

    put_back = program


class Counters:
    """nfacct counters; the state is their names, one a line. What they count is left alone."""

    name = "nfacct"

    def read(self, space: Space) -> str:
        names = re.findall(r"\} = ([^;]+);", space.run("nfacct", "list"))
        return "".join(f"{name}\n" for name in sorted(names))

    def program(self, space: Space, text: str) -> None:
        for name in text.split():
            space.run("nfacct", "add", name)

    def put_back(self, space: Space, text: str) -> None:
        before, now = set(text.split()), set(self.read(space).split())
        for name in sorted(now - before):
            space.run("nfacct", "del", name)
        for name in sorted(before - now):
            space.run("nfacct", "add", name)
