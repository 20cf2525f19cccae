"""Random commands for the tools of the ipvs mode, run by the real ones and by those in memory."""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from rulegen.fake import Ipvs, RefusedError

Command: TypeAlias = tuple[str, str]
"""A command, and what it reads."""

Answer: TypeAlias = tuple[bool, str]
"""Whether a command was taken, and what it said."""

SETS = ("A", "B", "KUBE-6-C", "D", "E")
TYPES = (
    "hash:ip",
    "hash:ip,port",
    "hash:ip,port",
    "hash:ip,port,ip",
    "hash:ip,port,net",
    "hash:net",
    "hash:net,port",
    "bitmap:port",
    "list:set",
    "hash:nosuch",
)
HEADERS = (
    *("", "", "family inet", "family inet6", "maxelem 3", "hashsize 64 maxelem 4 bucketsize 3"),
    *("family inet6 hashsize 1000", "comment", "family nosuch", "nosuch 1", "initval 0x5"),
)
BITMAPS = ("range 0-65535", "range 79-82", "range 82-79", "", "range 0-65536", "range 0-65535 family inet")
ADDRESSES = (
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "0.0.0.0",
    "10.1",
    "fd00::1",
    "FD00:0::2",
    "::",
    "nosuch.invalid",
)
NETWORKS = (
    "10.0.0.1",
    "10.0.0.0/30",
    "10.0.0.3/31",
    "10.0.0.1-10.0.0.3",
    "10.0.0.1/32",
    "10.0.0.0/0",
    "fd00::/64",
)
PORTS = (
    "80",
    "tcp:80",
    "udp:80",
    "UDP:81",
    "sctp:80",
    "6:82",
    "80-82",
    "tcp:70000",
    "nosuch:80",
    "tcp:x",
    "81-80",
)


def ipset(luck: random.Random) -> Command:
    """A command of ipset, one in five of them a text for ``ipset restore``."""
    if luck.random() < 0.2:
        lines = [_set_command(luck) for _ in range(luck.randint(1, 5))]
        exist = luck.choice(("", "", "-exist "))
        return f"ipset {exist}restore", "".join(f"{line}\n" for line in lines)
    return f"ipset {_set_command(luck)}", ""


def _set_command(luck: random.Random) -> str:
    name, other = luck.choice(SETS), luck.choice(SETS)
    exist = luck.choice(("", "", "", " -exist"))
    match luck.choice(
        ("create",) * 4 + ("entry",) * 10 + ("flush", "rename", "swap", "swap", "destroy", "nosuch")
    ):
        case "create":
            kind = luck.choice(TYPES)
            header = luck.choice({"bitmap:port": BITMAPS, "list:set": ("", "size 4")}.get(kind, HEADERS))
            return f"create {name} {kind} {header}".rstrip() + exist
        case "entry":
            entry = ",".join(luck.choice(pool) for pool in luck.choice(_ENTRIES))
            comment = luck.choice(("",) * 8 + (' comment "a b"', " nomatch"))
            return f"{luck.choice(('add', 'add', 'del'))} {name} {entry}{comment}{exist}"
        case "rename" | "swap" as verb:
            return f"{verb} {name} {other}"
        case verb:
            return f"{verb} {name}{exist}"


_ENTRIES: Sequence[Sequence[Sequence[str]]] = (
    (ADDRESSES[:2],),
    (ADDRESSES,),
    (NETWORKS,),
    (PORTS,),
    (SETS,),
    (ADDRESSES[:3], PORTS[:5]),
    (ADDRESSES[5:7], PORTS[:5]),
    (ADDRESSES, PORTS),
    (NETWORKS, PORTS),
    (ADDRESSES[:3], PORTS[:5], ADDRESSES[:3]),
    (ADDRESSES, PORTS, ADDRESSES),
    (ADDRESSES[:3], PORTS[:5], NETWORKS),
)


def rules(luck: random.Random, variant: str) -> Command:
    """A rule on a set comes or goes."""
    tool = luck.choice(("iptables", "iptables", "ip6tables"))
    verb = luck.choice(("-A", "-A", "-D"))
    rule = (
        f"{verb} FORWARD -m set --match-set {luck.choice(SETS)} {luck.choice(('dst', 'dst,dst'))} -j ACCEPT"
    )
    return f"{tool}-{variant}-restore --noflush", f"*filter\n{rule}\nCOMMIT\n"


SERVICES = (
    "-t 10.0.0.1:80", "-t 10.0.0.1:443", "-u 10.0.0.1:80", "-u 10.0.0.2:53", "--sctp-service 10.0.0.1:80",
    "-t [fd00::1]:80", "-u [FD00:0::2]:53", "-t 10.0.0.1:0", "-f 5", "-f 0", "-t 10.0.0.1:70000",
    "",
)  # fmt: skip
OPTIONS = (
    *(
        "",
        "",
        "-s rr",
        "-s rr",
        "-s wrr -p 600",
        "-s rr -p",
        "-s mh -b mh-port",
        "-s sh -b sh-port,sh-fallback",
    ),
    *(
        "-s rr -b flag-1",
        "-s mh -b sh-port",
        "-s nosuch",
        "-p 0",
        "-p x",
        "-o",
        "-s rr -p 5 -M 255.255.255.0",
        "-m",
    ),
)
REALS = (
    *("10.1.0.1:80", "10.1.0.2:8080", "10.1.0.2", "[fd00:1::1]:80", "[fd00:1::2]:81", "224.0.0.1:80"),
    *("10.1.0.1:99999", ""),
)
HOWS = ("-m", "-m", "-m -w 5", "-m -w 0", "-g", "-i", "", "-m -w x", "-m -x 5 -y 2", "-m -y 5", "-s rr")


def ipvsadm(luck: random.Random) -> Command:
    """A command of ipvsadm, one in five of them lines for ``ipvsadm -R``."""
    if luck.random() < 0.2:
        return "ipvsadm -R", "".join(f"{_server_command(luck)}\n" for _ in range(luck.randint(1, 5)))
    return f"ipvsadm {_server_command(luck)}", ""


def _server_command(luck: random.Random) -> str:
    service = luck.choice(SERVICES[: luck.choice((3, len(SERVICES)))])
    real = luck.choice(REALS)
    match luck.choice(
        ("-A",) * 4 + ("-E", "-E", "-D") + ("-a",) * 6 + ("-e", "-e", "-d", "-d", "-C", "--set")
    ):
        case "-A" | "-E" as verb:
            return f"{verb} {service} {luck.choice(OPTIONS)}"
        case "-D":
            return f"-D {service}" + luck.choice(("", "", "", " -s rr"))
        case "-a" | "-e" as verb:
            return f"{verb} {service} {f'-r {real}' if real else ''} {luck.choice(HOWS)}"
        case "-d":
            return f"-d {service} {f'-r {real}' if real else ''}" + luck.choice(("", "", "", " -m"))
        case "-C":
            return "-C" if luck.random() < 0.2 else "-Z"
    return luck.choice(("--set 10 20 30", "--set 0 5 0", "--set 1 2", "--set x 1 1"))


DEVICES = ("kube-ipvs0", "kube-ipvs0", "kube-ipvs0", "lo", "nosuch")
BOUND = (
    *("10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32", "fd00::1/128", "fd00::2/128", "fd00::1/64", "10.0.0.1/24"),
    *("10.0.0.2/24", "300.0.0.1/32", "nosuch", "ff02::1/128"),
)


def ip(luck: random.Random) -> Command:
    """A command of ip, one in five of them lines for ``ip -batch``."""
    if luck.random() < 0.2:
        return "ip -batch -", "".join(f"{_address(luck)}\n" for _ in range(luck.randint(1, 5)))
    if luck.random() < 0.15:
        verbs = ("add kube-ipvs0 type dummy",) * 3 + (
            "delete kube-ipvs0",
            "delete nosuch",
            "add x type nosuch",
        )
        return f"ip link {luck.choice(verbs)}", ""
    return f"ip {_address(luck)}", ""


def _address(luck: random.Random) -> str:
    verb = luck.choice(("add", "add", "add", "del"))
    return f"{luck.choice(('addr', 'address'))} {verb} {luck.choice(BOUND)} dev {luck.choice(DEVICES)}"


def in_memory(kernel: Ipvs, commands: Iterable[Command]) -> list[Answer]:
    answers = []
    for command, stdin in commands:
        try:
            answers.append((True, kernel.run(command, stdin)))
        except RefusedError as refused:
            answers.append((False, f"line {refused.line}: {refused.fault}" if stdin else refused.fault))
    return answers


END = "~~~"


def script(commands: Iterable[Command]) -> str:
    """A shell script that runs commands and tells of each what it said, and its exit code."""
    lines = []
    for command, stdin in commands:
        lines.append(f"printf %s {shlex.quote(stdin)} | {command} 2>&1; printf '\\n{END} %s\\n' $?\n")
    return "".join(lines)


def answers(said: str) -> list[Answer]:
    """What such a script printed."""
    found = re.findall(rf"(.*?)\n{END} (\d+)\n", said, re.DOTALL)
    return [(code == "0", text) for text, code in found]


def maker(seed: int, makers: Sequence[Callable[[random.Random], Command]], count: int) -> list[Command]:
    luck = random.Random(seed)
    return [luck.choice(makers)(luck) for _ in range(count)]
