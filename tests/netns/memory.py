"""A node of the ipvs mode in memory, as a way into a namespace: quick enough to fail at every single step."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys

from rulegen.fake import Ipvs, RefusedError
from rulegen.iptables.dump import Variant
from rulegen.model import FAMILIES
from rulegen.netns.space import CommandError, Space
from tests.netns.lab import reads, without_chance

SYSCTLS = {
    "net/ipv4/vs/conntrack": "0",
    "net/ipv4/vs/conn_reuse_mode": "1",
    "net/ipv4/vs/expire_nodest_conn": "0",
    "net/ipv4/vs/expire_quiescent_template": "0",
    "net/ipv4/ip_forward": "0",
    "net/ipv4/conf/all/route_localnet": "0",
    "net/ipv4/conf/all/arp_ignore": "0",
    "net/ipv4/conf/all/arp_announce": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
}


def _used(save: str) -> list[str]:
    """The tables that hold something: one that has been looked at never goes."""
    return [table for table in save.split("*")[1:] if "\n-A " in table or " - [" in table]


class Node:
    """A kernel, and its settings."""

    def __init__(self, variant: Variant) -> None:
        self.kernel = Ipvs(variant)
        self.files = {f"/proc/sys/{path}": value for path, value in SYSCTLS.items()}
        self.files |= {"/proc/net/if_inet6": "::1", "/proc/net/ip_vs_stats": "0"}

    def dumps(self) -> dict[str, object]:
        """All that it holds, but for the order of what a kernel hashes."""
        run = self.kernel.run
        links = json.loads(run("ip -j addr"))
        return {
            "sets": sorted(map(without_chance, run("ipset save").splitlines())),
            "servers": run("ipvsadm -Sn"),
            "timeouts": run("ipvsadm -l --timeout"),
            "links": {link["ifname"]: sorted(each["local"] for each in link["addr_info"]) for link in links},
            "rules": [_used(self.kernel.iptables.save(family)) for family in FAMILIES],
            "files": dict(self.files),
        }

    def run(self, command: tuple[str, ...], stdin: str) -> str:
        match command:
            case ("cat", path):
                if path not in self.files:
                    raise CommandError(command, f"cat: {path}: No such file or directory")
                return self.files[path] + "\n"
            case ("tee", path):
                self.files[path] = stdin.strip()
            case (sys.executable, *_, "IPv4" | "IPv6" as family):  # what libiptc reads
                return self.kernel.iptables.save(family)
            case ("uname", "-r"):
                return "6.1.0\n"
            case ("nft", "list", "table", *_):
                raise CommandError(command, "No such file or directory")
            case ("nft" | "nfacct", "list", *_):
                pass
            case (tool, *_) if tool.endswith("-save") and self.kernel.iptables.variant not in tool:
                pass
            case _:
                try:
                    return self.kernel.run(shlex.join(command), stdin)
                except RefusedError as refused:
                    raise CommandError(command, str(refused)) from None
        return ""


class Memory(Space):
    """Notes every command; one of them (from 0) may fail, before or after it is carried out."""

    def __init__(self, node: Node, *, fails: int | None = None, afterwards: bool = False) -> None:
        self.node = node
        self.fails = fails
        self.afterwards = afterwards
        self.commands: list[tuple[str, ...]] = []
        self._held: list[int] = []

    @property
    def name(self) -> str:
        return "memory"

    @property
    def held(self) -> list[int]:
        return self._held

    def run(self, *command: str, stdin: str | None = None) -> str:
        number = len(self.commands)
        self.commands.append(command)
        if number != self.fails:
            said = self.node.run(command, stdin or "")
            self.check_bound()
            return said
        if self.afterwards:
            with contextlib.suppress(CommandError):
                self.node.run(command, stdin or "")
        raise CommandError(command, "no")

    @property
    def written(self) -> list[tuple[str, ...]]:
        return [command for command in self.commands if not reads(command)]

    def check_bound(self) -> None:
        """No address is bound without a virtual server: packets to it would meet the node itself."""
        if self.fails is not None:
            return  # putting back has the same order, but begins anywhere
        kernel = self.node.kernel
        servers = kernel.run("ipvsadm -Sn")
        for link in json.loads(kernel.run("ip -j addr")):
            for each in link["addr_info"] if link["ifname"] == "kube-ipvs0" else ():
                ip = each["local"]
                assert f" {ip}:" in servers or f"[{ip}]:" in servers, ip
