"""Namespaces to apply to: clusters, neighbours, ways into a namespace that note, fail or kill."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from rulegen.iptables.dump import Variant
from rulegen.model import FAMILIES, Cluster, Family, ServicePort
from rulegen.netns.apply import Report, Target
from rulegen.netns.facts import Says
from rulegen.netns.programs import apply
from rulegen.netns.space import CommandError, NamedSpace
from rulegen.plan import Plan, plan
from tests.kernel.netns import Namespace
from tests.netns.others import TABLES
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of

IPVS = bool(os.environ.get("RULEGEN_TEST_IPVS"))
"""Whether all this is about the ipvs mode, on a kernel that has what that needs."""

WAYS: tuple[tuple[str, Variant], ...] = (
    (("ipvs", "legacy"),) if IPVS else (("iptables", "legacy"), ("iptables", "nft"), ("nftables", "nft"))
)
"""Modes, and variants of iptables."""

SAVES = tuple(f"{t}-{v}-save" for t in ("iptables", "ip6tables") for v in ("legacy", "nft"))

THOROUGH = bool(os.environ.get("RULEGEN_THOROUGH"))

DUAL = msgspec.structs.replace(NODE, ips=("192.168.10.1", "2001:db8:1::1"))


def first() -> Cluster:
    """A Service of each family, the first one also by a node port and a load balancer, with affinity."""
    ports = [ServicePort(port=80, node_port=30080)]
    web = service("web", ports=ports, affinity=600, type="NodePort", vips=["198.51.100.7"])
    six = service("six", ip="fd00:10:96::6")
    gone = service("gone", ip="10.96.0.99", external_ips=["198.51.100.99"])
    empty = service("empty", ip="10.96.0.98")
    return cluster(
        web,
        slice_of(web, [endpoint("10.10.0.1", "n1"), endpoint("10.10.1.1"), endpoint("10.10.1.2")]),
        six,
        slice_of(six, ["fd00:10:10::1", "fd00:10:10::2"], family="IPv6"),
        gone,
        slice_of(gone, ["10.10.7.7"]),
        empty,
    )


def second() -> Cluster:
    """Other endpoints in both families, a Service gone, one new, one that has endpoints by now."""
    ports = [ServicePort(port=80, node_port=30081)]
    web = service("web", ports=ports, type="NodePort", external_ips=["198.51.100.8"])
    six = service("six", ip="fd00:10:96::6")
    new = service("new", ip="fd00:10:96::7", affinity=30)
    empty = service("empty", ip="10.96.0.98")
    return cluster(
        web,
        slice_of(web, [endpoint("10.10.0.2", "n1"), endpoint("10.10.1.1")]),
        six,
        slice_of(six, ["fd00:10:10::2", "fd00:10:10::3"], family="IPv6"),
        new,
        slice_of(new, ["fd00:10:10::9"], family="IPv6"),
        empty,
        slice_of(empty, ["10.10.8.8"]),
    )


def plans(
    objects: Cluster, mode: str, families: tuple[Family, ...] = FAMILIES, **options: Any
) -> Callable[[Says], Mapping[Family, Plan]]:
    """What is wanted of a node with these objects; ``options`` are those of kube-proxy."""
    config = msgspec.convert({**msgspec.to_builtins(CONFIG), "mode": mode, **options}, type(CONFIG))

    def wanted(facts: Says) -> Mapping[Family, Plan]:
        node = msgspec.structs.replace(DUAL, nfacct=facts.nfacct, conntrack_tcp_be_liberal=facts.liberal)
        return {family: plan(objects, node, config, family) for family in families}

    return wanted


class Noting(NamedSpace):
    """Notes every command; one of them (from 0) may fail, before or after it is carried out."""

    def __init__(
        self, name: str, *, fails: int | None = None, afterwards: bool = False, seconds: float = 60
    ) -> None:
        super().__init__(name, timeout=seconds)
        self.commands: list[tuple[str, ...]] = []
        self.fails = fails
        self.afterwards = afterwards

    def run(self, *command: str, stdin: str | None = None) -> str:
        number = len(self.commands)
        self.commands.append(command)
        if number == self.fails and not self.afterwards:
            raise CommandError(command, "no")
        if number != self.fails:
            return super().run(*command, stdin=stdin)
        with contextlib.suppress(CommandError):
            super().run(*command, stdin=stdin)
        raise CommandError(command, "no answer")

    @property
    def written(self) -> list[tuple[str, ...]]:
        """The commands that change something."""
        return [command for command in self.commands if not reads(command)]


def reads(command: tuple[str, ...]) -> bool:
    return (
        command[0] == "cat"
        or command[0].endswith("-save")
        or command[0] in ("uname", sys.executable)
        or command[1:2] in (("list",), ("-j",), ("--version",), ("save",), ("-Sn",), ("-l",), ("-o",))
    )


class Lab:
    """A namespace, and the folder of its journals."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder

    @property
    def target(self) -> Target:
        return Target(netns=self.namespace.name, folder=self.folder)

    def apply(self, objects: Cluster, mode: str, variant: Variant, space: NamedSpace | None = None) -> Report:
        return apply(self.target, mode, plans(objects, mode), variant=variant, space=space)

    def noting(self, *, fails: int | None = None, afterwards: bool = False) -> Noting:
        return Noting(self.namespace.name, fails=fails, afterwards=afterwards)

    def foreign(self) -> dict[str, str]:
        """The same without what is kube-proxy's by its names: what every change has to leave as it is."""
        found = {}
        for command, text in self.dumps().items():
            if command.endswith("-save"):
                lines = [line for line in text.splitlines(True) if " KUBE-" not in f" {line.lstrip(':')}"]
                found[command] = "".join(lines)
            elif command == "nft list ruleset":
                for table in TABLES:
                    found[table] = self.namespace.run("nft", "-s", "list", "table", *table.split())
        return found

    def _of_ipvs(self) -> dict[str, str]:
        """What the ipvs mode adds; sets and virtual servers are hashed, so their order means nothing."""
        run = self.namespace.run
        links = json.loads(run("ip", "-j", "addr"))
        bound = [
            f"{link['ifname']} {each['local']}/{each['prefixlen']}\n"
            for link in links
            for each in [*link["addr_info"], {"local": "there", "prefixlen": ""}]
            if each.get("scope") != "link"
        ]
        settings = ("conntrack", "expire_nodest_conn", "expire_quiescent_template", "conn_reuse_mode")
        paths = [*(f"vs/{name}" for name in settings), "ip_forward", "conf/all/arp_ignore"]
        return {
            "ipset save": "".join(sorted(map(without_chance, run("ipset", "save").splitlines(True)))),
            "ipvsadm -Sn": "".join(sorted(run("ipvsadm", "-Sn").splitlines(True))),
            "ipvsadm -l --timeout": run("ipvsadm", "-l", "--timeout"),
            "ip addr": "".join(sorted(bound)),
            "sysctls": run("cat", *(f"/proc/sys/net/ipv4/{path}" for path in paths)),
        }

    def dumps(self) -> dict[str, str]:
        """All that the namespace says of itself, without comments: they hold the time."""
        run = self.namespace.run
        found = self._of_ipvs() if IPVS else {}
        for command in (
            *(
                f"{tool}-{variant}-save"
                for tool in ("iptables", "ip6tables")
                for variant in ("legacy", "nft")
            ),
            "nft list ruleset",
            "cat /proc/sys/net/ipv4/conf/all/route_localnet",
        ):
            lines = run(*command.split()).splitlines(keepends=True)
            found[command] = "".join(line for line in lines if not line.startswith("#"))
        # nft lists tables, chains and sets as they were made, which means nothing.
        tables = found["nft list ruleset"].split("\n}\n")
        found["nft list ruleset"] = "\n}\n".join(sorted("\n\n".join(_blocks(table)) for table in tables))
        # What they count is no state.
        counters = run("nfacct", "list").splitlines()
        found["nfacct"] = "".join(sorted(line.rpartition(" ")[2] + "\n" for line in counters))
        return found


def without_chance(line: str) -> str:
    """A line of ``ipset save`` without what the kernel makes up."""
    return re.sub(r" (?:bucketsize|initval) \w+", "", line)


def _blocks(table: str) -> list[str]:
    """The head of a table and each of its chains and sets."""
    head, _, rest = table.partition("\n")
    return [head, *sorted(block.strip("\n") for block in rest.split("\n\n"))]
