"""The ipvs mode in memory: what it takes, what it refuses, what it says; the kernel is the judge."""

from __future__ import annotations

import functools
import json
import os
import re
from typing import Any

import pytest

from rulegen.fake import Ipvs, RefusedError
from rulegen.iptables.dump import Variant
from tests.fake import commands
from tests.fake.commands import Answer, Command, in_memory, maker
from tests.kernel.netns import Namespace, need
from tests.uml.harness import Machine

THOROUGH = bool(os.environ.get("RULEGEN_THOROUGH"))

SETS = """\
create A hash:ip,port
add A 10.96.0.1,tcp:80
add A 10.96.0.1,udp:53
create PORTS bitmap:port range 0-65535
add PORTS 30080
"""
SERVERS = """\
-A -t 10.96.0.1:80 -s rr
-a -t 10.96.0.1:80 -r 10.10.0.2:8080 -m -w 1
-a -t 10.96.0.1:80 -r 10.10.0.1:8080 -m -w 1
-A -u [fd00::1]:53 -s rr -p 600
"""
RULE = "*filter\n-A INPUT -m set --match-set A dst,dst -j ACCEPT\nCOMMIT\n"

REFUSED = {
    "a set that is not there": ("ipset add B 10.0.0.1", "The set with the given name does not exist"),
    "an entry twice": (
        "ipset add A 10.96.0.1,80",
        "Element cannot be added to the set: it's already added",
    ),
    "an entry of another family": (
        "ipset add A fd00::1,80",
        "Syntax error: cannot parse fd00::1: resolving to IPv4 address failed",
    ),
    "an entry of another type": (
        "ipset add A 10.0.0.1",
        "Syntax error: Second element is missing from 10.0.0.1.",
    ),
    "a set that a rule looks into": (
        "ipset destroy A",
        "Set cannot be destroyed: it is in use by a kernel component",
    ),
    "a set of another type for it": (
        "ipset swap A PORTS",
        "The sets cannot be swapped: their type does not match",
    ),
    "a name that is taken": (
        "ipset create A hash:ip",
        "Set cannot be created: set with the same name already exists",
    ),
    "a virtual server twice": ("ipvsadm -A -t 10.96.0.1:80", "Service already exists"),
    "a real server of none": ("ipvsadm -a -t 10.96.0.9:80 -r 10.10.0.1:80 -m", "Service not defined"),
    "a real server twice": ("ipvsadm -a -t 10.96.0.1:80 -r 10.10.0.1:8080 -m", "Destination already exists"),
    "a scheduler nobody knows": (
        "ipvsadm -E -t 10.96.0.1:80 -s nosuch",
        "Scheduler or persistence engine not found",
    ),
    "a device that is not there": (
        "ip addr add 10.96.0.1/32 dev kube-ipvs1",
        'Cannot find device "kube-ipvs1"',
    ),
    "an address twice": ("ip addr add 10.96.0.1/32 dev kube-ipvs0", "RTNETLINK answers: File exists"),
}


def started() -> Ipvs:
    kernel = Ipvs()
    kernel.run("ipset restore", SETS)
    kernel.run("ipvsadm -R", SERVERS)
    kernel.run("ip link add kube-ipvs0 type dummy")
    kernel.run("ip -batch -", "address add 10.96.0.1/32 dev kube-ipvs0\n")
    kernel.run("iptables-nft-restore --noflush", RULE)
    return kernel


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses_in_the_words_of_the_tools(what: str) -> None:
    command, fault = REFUSED[what]
    kernel = started()
    with pytest.raises(RefusedError) as refusal:
        kernel.run(command)
    assert refusal.value.fault == fault


def test_it_says_what_it_was_told() -> None:
    kernel = started()
    saved = kernel.run("ipset save")
    assert [line for line in saved.splitlines() if line.startswith("add")] == [
        "add A 10.96.0.1,tcp:80",
        "add A 10.96.0.1,udp:53",
        "add PORTS 30080",
    ]
    assert "References: 1\nNumber of entries: 2\n" in kernel.run("ipset list A")
    lines = SERVERS.splitlines(keepends=True)
    # Real servers are listed by their addresses.
    assert kernel.run("ipvsadm -Sn") == "".join([lines[0], lines[2], lines[1], lines[3]])
    assert "  -> 10.10.0.1:8080               Masq    1      0          0         \n" in kernel.run(
        "ipvsadm -Ln"
    )
    (link,) = json.loads(kernel.run("ip -j addr show dev kube-ipvs0"))
    assert [each["local"] for each in link["addr_info"]] == ["10.96.0.1"]


def test_there_is_no_rule_on_a_set_of_nobody_or_of_the_other_family() -> None:
    kernel = started()
    with pytest.raises(RefusedError, match="line 2: Set NOSUCH doesn't exist"):
        kernel.run("iptables-restore -n", RULE.replace("set A", "set NOSUCH"))
    with pytest.raises(RefusedError, match="The protocol family of set A is IPv4"):
        kernel.run("ip6tables-restore -n", RULE)
    kernel.run("iptables-restore -n", RULE.replace("-A", "-D"))
    kernel.run("ipset destroy A")
    assert kernel.run("ipset list -n") == "PORTS\n"


def test_lines_before_the_refused_one_have_taken_place() -> None:
    kernel = started()
    with pytest.raises(RefusedError, match="line 3: The set"):
        kernel.run("ipset restore", "add A 10.96.0.2,80\nflush PORTS\nflush NOSUCH\nflush A\n")
    assert "Number of entries: 3" in kernel.run("ipset list A")
    with pytest.raises(RefusedError, match="line 1: No such service"):
        kernel.run("ipvsadm -R", "-D -t 10.96.0.9:80\n-D -t 10.96.0.1:80\n")
    assert kernel.run("ipvsadm -Sn") == "-A -u [fd00::1]:53 -s rr -p 600\n"  # ipvsadm goes on


def test_a_copy_goes_its_own_way() -> None:
    kernel = started()
    before = kernel.run("ipset save"), kernel.run("ipvsadm -Sn"), kernel.run("ip -j addr")
    other = kernel.copy()
    other.run("iptables-restore")
    other.run("iptables-restore", "*filter\nCOMMIT\n")
    other.run("ipset destroy")
    other.run("ipvsadm -C")
    other.run("ip link delete kube-ipvs0")
    assert (kernel.run("ipset save"), kernel.run("ipvsadm -Sn"), kernel.run("ip -j addr")) == before
    assert (other.run("ipset save"), other.run("ipvsadm -Sn")) == ("", "")
    with pytest.raises(RefusedError):
        kernel.run("ipset destroy A")


# --- against the real ones


def said(answer: Answer) -> str:
    """The first line of what a tool said, without its name."""
    line = answer[1].strip().partition("\n")[0]
    line = re.sub(r"^ipset v[\d.]+: (?:Error in (line \d+): )?", r"\1: ", line)
    # The tool names the line of some faults only, and has two ways to tell of a bug of its own.
    line = re.sub(r"^(?:line \d+)?(?:: )?", "", line)
    return re.sub(r"^There are not allowed options.*", "", line)


def shown(command: str, text: str) -> Any:
    """A listing without what the kernel makes up, and the order of what it hashes."""
    if command.startswith("ip -j"):
        return [(link["ifname"], link["flags"], link["addr_info"]) for link in json.loads(text)]
    text = re.sub(r" (?:hashsize|bucketsize|initval) \w+|Size in memory: \d+", "", text)
    return sorted(text.strip().splitlines())


def assert_same(asked: list[Command], real: list[Answer], listings: tuple[str, ...]) -> None:
    answers = in_memory(Ipvs("legacy" if any("legacy" in c for c, _ in asked) else "nft"), asked)
    assert len(real) == len(asked)
    for command, theirs, ours in zip(asked, real, answers, strict=True):
        if command[0] in listings:
            assert shown(command[0], theirs[1]) == shown(command[0], ours[1])
        elif command[0] == "ipvsadm -R":
            # It goes on after what the kernel refuses, and tells nobody but its reader.
            assert (bool(said(theirs)), said(theirs)) == (not ours[0], said(ours)), command
        elif "tables" in command[0]:
            assert theirs[0] == ours[0], command
        else:
            same = theirs[0] == ours[0] and (ours[0] or said(theirs) == said(ours))
            usage = command[0].startswith("ipset") and "`ipset help'" in theirs[1] and not ours[0]
            assert same or usage, (command, theirs, ours)


@pytest.mark.kernel
@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_sets_in_memory_take_and_refuse_what_the_kernel_does(netns: Namespace, variant: Variant) -> None:
    need("ipset", *(f"{tool}-{variant}-restore" for tool in ("iptables", "ip6tables")))
    makers = [commands.ipset] * 8 + [functools.partial(commands.rules, variant=variant)]
    for seed in range(20 if THOROUGH else 1):
        chosen = maker(seed, makers, 300 if THOROUGH else 150)
        asked = [each for command in chosen for each in (command, ("ipset save", ""))] + [("ipset list", "")]
        real = commands.answers(netns.run("sh", stdin=commands.script(asked)))
        assert_same(asked, real, ("ipset save", "ipset list"))
        for tool in ("iptables", "ip6tables"):
            netns.run(f"{tool}-{variant}", "-F", "FORWARD")
        netns.run("ipset", "flush")
        netns.run("ipset", "destroy")


@pytest.mark.uml
@pytest.mark.xdist_group("uml")
def test_servers_and_addresses_in_memory_take_and_refuse_what_the_kernel_does(uml: Machine) -> None:
    listings = ("ipvsadm -Sn", "ipvsadm -Ln", "ip -j addr")
    for seed in range(20 if THOROUGH else 1):
        asked = []
        for command in maker(seed, [commands.ipvsadm] * 2 + [commands.ip], 120 if THOROUGH else 80):
            asked += [command, ("ipvsadm -Sn" if command[0].startswith("ipvsadm") else "ip -j addr", "")]
        asked.append(("ipvsadm -Ln", ""))
        result = uml.run(commands.script(asked), seconds=120)
        assert_same(asked, commands.answers(result.stdout), listings)
