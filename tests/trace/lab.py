"""Real connections through real rules, in network namespaces of this program's own.

Run as root: reads a request from standard input and prints results, both JSON (see :func:`main`). It needs no
more than Python, ip(8) and the tools whose rules it loads, so that it also runs in another kernel.

The world: the node with its devices; outside behind eth0, where every address of the request lives that is
neither the node's nor a pod's; pods behind a bridge, in a namespace of servers and one for each client, as
two pods in one namespace would reach each other past the node. Every endpoint answers with the address that
it sees its client under.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

CLONE_NEWNET = 0x40000000
TIMES = 4
TIMEOUT = 1.7
"""Seconds. A refusal at the node's own OUTPUT is learned of at the first retransmit, after one."""

LAST_SWEEPS = 100
"""Looks at what has come when the time is up; some sockets claim again and again to have something."""

LONG_TIMEOUT = 3.7
"""Seconds, the next retransmit included, which comes two seconds later."""

MAC = "02:00:00:00:00:01"
"""Of both ends of eth0: with ARP off, every address outside is just there."""

SETTINGS = (
    "net.ipv6.conf.all.accept_dad=0",
    "net.ipv6.conf.default.accept_dad=0",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.all.send_redirects=0",
    "net.ipv4.conf.default.send_redirects=0",
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv4.icmp_ratemask=0",
    "net.ipv6.icmp.ratelimit=0",
)


FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


class Space:
    """A network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        run("ip", "netns", "add", name)
        self.run("sysctl", "-q", "-e", "-w", *SETTINGS)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command: str, text: str | None = None) -> str:
        return run("ip", "netns", "exec", self.name, *command, text=text)

    def ip(self, *lines: str) -> None:
        """Commands of ip(8), one a line."""
        run("ip", "-n", self.name, "-batch", "-", text="\n".join(lines) + "\n")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that are made inside are in this namespace, and stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        other = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if libc.setns(other, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            libc.setns(own, CLONE_NEWNET)
            os.close(own)
            os.close(other)


def run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{(text or '')[:2000]}")
    return done.stdout


def bits(ip: str) -> int:
    return 128 if ":" in ip else 32


class World:
    """All namespaces of one request."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.six = request["family"] == "IPv6"
        self.pods = ip_network(request["pods"])
        self.device: str = request["device"]
        self.prefix = f"rg{os.getpid() % 100000}"
        self.spaces: dict[str, Space] = {}
        self.own = {
            text.partition("/")[0]: device
            for device, addresses in request["interfaces"].items()
            for text in addresses
            if (":" in text) == self.six
        }

    def space(self, name: str) -> Space:
        if name not in self.spaces:
            self.spaces[name] = Space(f"{self.prefix}-{name}")
        return self.spaces[name]

    def close(self) -> None:
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "delete", space.name], capture_output=True, check=False)

    def place(self, ip: str, clients: Sequence[str] = ()) -> Space:
        """The namespace where an address lives."""
        if ip in self.own or ip_address(ip).is_loopback:
            return self.space("node")
        if ip_address(ip) in self.pods and ip not in self.request["outside"]:
            return self.space(f"pod{clients.index(ip)}" if ip in clients else "pods")
        return self.space("outside")

    def build(self) -> None:
        node, outside = self.space("node"), self.space("outside")
        node.run("sysctl", "-q", "-e", "-w", *FORWARDING)
        interfaces: dict[str, list[str]] = self.request["interfaces"]
        node.ip(f"link add eth0 type veth peer name eth0 netns {outside.name}")
        for space in (node, outside):
            space.ip(f"link set eth0 address {MAC} arp off up")
        node.ip(
            f"link add {self.device} type bridge forward_delay 0 mcast_snooping 0",
            f"link set {self.device} up",
        )
        for device in interfaces:
            if device not in ("lo", "eth0", self.device):
                kind = "dummy" if device == "kube-ipvs0" else "bridge mcast_snooping 0"
                node.ip(f"link add {device} type {kind}", f"link set {device} up")
        lines = []
        for device, addresses in interfaces.items():
            own = [text for text in addresses if (":" in text) == self.six and device != "lo"]
            lines += [f"addr add {text} dev {device}{' nodad' if self.six else ''}" for text in own]
        node.ip(*lines)
        node.ip(*[f"route add {net} dev {device}" for net, device in self.request["routes"]])
        clients = self.clients()
        by_space: dict[str, list[str]] = {}
        wanted = [*clients, *[ip for ip, _, _ in self.request["servers"]]]
        wanted += [probe["source"] for probe in self.request["probes"] if probe["from"] != "node"]
        for ip in dict.fromkeys(wanted):
            space = self.place(ip, clients)
            if space is not node:
                by_space.setdefault(space.name, []).append(ip)
        names = {space.name: (label, space) for label, space in self.spaces.items()}
        for name, ips in by_space.items():
            label, space = names[name]
            if label != "outside":
                node.ip(
                    f"link add p-{label} type veth peer name eth0 netns {name}",
                    f"link set p-{label} master {self.device} up",
                    f"link set p-{label} type bridge_slave hairpin on",
                )
                space.ip("link set eth0 up")
            nodad = " nodad" if self.six else ""
            space.ip(*[f"addr add {ip}/{bits(ip)} dev eth0{nodad}" for ip in ips])
        anywhere = "::/0" if self.six else "0.0.0.0/0"
        for label, space in self.spaces.items():
            if label == "outside":
                space.ip(f"route add {anywhere} dev eth0")
            elif label != "node":
                gateway = next(ip for ip, device in self.own.items() if device == self.device)
                space.ip(
                    f"route add {gateway}/{bits(gateway)} dev eth0",
                    f"route add {anywhere} via {gateway} dev eth0",
                )

    def clients(self) -> list[str]:
        found = [p["source"] for p in self.request["probes"] if p["from"] in ("pod", "endpoint")]
        return list(dict.fromkeys(ip for ip in found if ip_address(ip) in self.pods))

    # --- rules

    def load(self) -> None:
        node, rules = self.space("node"), self.request["rules"]
        if "nft" in rules:
            node.run("nft", "-f", "-", text=rules["nft"])
            return
        if self.request["mode"] == "iptables" and not self.six:
            node.run("sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=1")
        if "virtual" in rules:
            self._load_ipvs(rules)
        tool = f"{'ip6tables' if self.six else 'iptables'}-{self.request['variant']}"
        for counter in sorted(set(re.findall(r"--nfacct-name (\S+)", rules["restore"]))):
            node.run("nfacct", "add", counter)
        made = [step.split(" ", 1) for step in rules["jumps"]]
        chains = "".join(
            f"*{t}\n{c}\nCOMMIT\n" for t, c in dict.fromkeys(map(tuple, made)) if c.startswith("-N ")
        )
        node.run(f"{tool}-restore", "--noflush", text=chains)
        node.run(f"{tool}-restore", "--noflush", "--counters", text=rules["restore"])
        jumps = "".join(f"*{t}\n{c}\nCOMMIT\n" for t, c in made if c.startswith("-I "))
        node.run(f"{tool}-restore", "--noflush", text=jumps)

    def _load_ipvs(self, rules: dict[str, Any]) -> None:
        node = self.space("node")
        lines = []
        for name, entries in rules["ipsets"].items():
            kind, _, family = rules["setTypes"][name].partition(" ")
            options = "range 0-65535" if kind == "bitmap:port" else f"family {family}"
            lines.append(f"create {name} {kind} {options}")
            lines += [f"add {name} {entry}" for entry in entries]
        node.run("ipset", "restore", text="\n".join(lines) + "\n")
        servers = []
        option = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}
        for line in rules["virtual"]:
            head, _, reals = line.partition(" -> ")
            protocol, where, scheduler, _, timeout = head.split()
            seconds = int(timeout.partition("=")[2])
            persistent = f" -p {seconds}" if seconds else ""
            servers.append(f"-A {option[protocol]} {where} -s {scheduler.partition('=')[2]}{persistent}")
            for real in filter(
                None,
                reals.strip("[]" if reals == "[]" else "").removeprefix("[").removesuffix("]").split(", "),
            ):
                end, _, weight = real.partition(" w=")
                servers.append(f"-a {option[protocol]} {where} -r {end} -m -w {weight}")
        node.run("ipvsadm", "-R", text="\n".join(servers) + "\n")
        for setting in ("conntrack=1", "expire_nodest_conn=1", "expire_quiescent_template=1"):
            node.run("sysctl", "-q", "-w", f"net.ipv4.vs.{setting}")

    def counters(self) -> str:
        rules = self.request["rules"]
        node = self.space("node")
        if "nft" in rules:
            return node.run("nft", "list", "ruleset")
        return node.run(f"{'ip6tables' if self.six else 'iptables'}-{self.request['variant']}-save", "-c")


class Traffic:
    """Servers for all endpoints, and the connections to try, all at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.selector = selectors.DefaultSelector()
        self.clients = world.clients()
        self.open: list[socket.socket] = []
        self.results: list[list[Any]] = []

    def close(self) -> None:
        for each in self.open:
            each.close()

    def serve(self) -> None:
        family = socket.AF_INET6 if self.world.six else socket.AF_INET
        for ip, port, protocol in self.world.request["servers"]:
            kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}.get(protocol)
            if kind is None:
                continue
            with self.world.place(ip, self.clients).entered():
                server = socket.socket(family, kind)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind((ip, port))
                if protocol == "tcp":
                    server.listen(256)
            server.setblocking(False)
            self.open.append(server)
            name = f"[{ip}]:{port}" if self.world.six else f"{ip}:{port}"
            self.selector.register(server, selectors.EVENT_READ, (f"serve-{protocol}", name))

    def connect(self, probes: Sequence[dict[str, Any]], times: int) -> list[list[Any]]:
        """The fates of each probe's connections: ``[fate, own source, source that was seen]``."""
        found: list[list[Any]] = [[] for _ in probes]
        waiting: set[socket.socket] = set()
        for index, probe in enumerate(probes):
            for _ in range(times):
                self._try(index, probe, found[index], waiting)
        started = time.monotonic()
        self._hear(waiting, started + TIMEOUT)
        # Where an answer is to come, or some of a probe's connections had one, a retransmit may bring it.
        late = [found[index] for index, probe in enumerate(probes) if found[index] or probe["answered"]]
        if any(self.selector.get_key(each).data[1] is fates for each in waiting for fates in late):
            self._hear(waiting, started + LONG_TIMEOUT)
        for each in waiting:
            self._end(each, "timeout")
        return found

    def _hear(self, waiting: set[socket.socket], deadline: float) -> None:
        """Serve and listen until then, and hear what has come, however late this program gets to run."""
        sweeps = 0
        while waiting and sweeps < LAST_SWEEPS:
            left = deadline - time.monotonic()
            heard = self.selector.select(max(left, 0))
            for key, _ in heard:
                self._ready(key, waiting)
            if left <= 0:
                sweeps = sweeps + 1 if heard else LAST_SWEEPS

    def _try(self, index: int, probe: dict[str, Any], fates: list[Any], waiting: set[socket.socket]) -> None:
        family = socket.AF_INET6 if self.world.six else socket.AF_INET
        tcp = probe["protocol"] == "tcp"
        source = "" if probe["from"] == "node" else probe["source"]
        space = self.world.place(source, self.clients) if source else self.world.space("node")
        with space.entered():
            client = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        self.open.append(client)
        client.setblocking(False)
        if source:
            client.bind((source, 0))
        try:
            code = client.connect_ex((probe["destination"], probe["port"]))
            if not tcp and not code:
                client.send(b"?")
        except OSError as fault:
            code = fault.errno or errno.EIO
        if code not in (0, errno.EINPROGRESS):
            fates.append([_named(code), "", ""])
            return
        own = client.getsockname()[0]
        self.selector.register(client, selectors.EVENT_READ, ("client", fates, own))
        waiting.add(client)

    def _ready(self, key: selectors.SelectorKey, waiting: set[socket.socket]) -> None:
        sock: socket.socket = key.fileobj  # type: ignore[assignment]
        kind = key.data[0]
        if kind == "serve-tcp":
            with contextlib.suppress(OSError):
                peer, address = sock.accept()
                peer.sendall(f"{key.data[1]} {address[0]}".encode())
                self.open.append(peer)
            return
        if kind == "serve-udp":
            with contextlib.suppress(OSError):
                _, address = sock.recvfrom(64)
                sock.sendto(f"{key.data[1]} {address[0]}".encode(), address)
            return
        if sock not in waiting:
            return
        waiting.discard(sock)
        try:
            answer = sock.recv(256).decode()
        except BlockingIOError:
            waiting.add(sock)  # something was heard, but no answer
            return
        except OSError as fault:
            self._end(sock, _named(fault.errno or errno.EIO))
            return
        end, _, seen = answer.partition(" ")
        self._end(sock, end, seen)

    def _end(self, sock: socket.socket, fate: str, seen: str = "") -> None:
        key = self.selector.unregister(sock)
        key.data[1].append([fate, key.data[2], seen])
        sock.close()  # or it would go on trying


def _named(code: int) -> str:
    if code == errno.EPERM:
        return "denied"
    if code in (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES):
        return "refused"
    return f"error {errno.errorcode.get(code, code)}"


def main() -> None:
    """``{"mode", "variant", "family", "rules", "interfaces", "routes", "device", "pods", "outside",
    "servers", "probes"}`` in.

    Out: ``{"fates": [[[fate, own source, source seen], ...], ...], "counters": [text, ...]}``. With
    ``"counted"`` the probes are tried one after the other, once each, and the counters of all rules are
    listed after each.
    """
    request = json.load(sys.stdin)
    world = World(request)
    traffic = Traffic(world)
    try:
        world.build()
        world.load()
        traffic.serve()
        probes = request["probes"]
        if request.get("counted"):
            fates, counters = [], [world.counters()]
            for probe in probes:
                fates += traffic.connect([probe], 1)
                counters.append(world.counters())
        else:
            fates, counters = traffic.connect(probes, TIMES), []
        json.dump({"fates": fates, "counters": counters}, sys.stdout)
    finally:
        traffic.close()
        world.close()


if __name__ == "__main__":
    main()
