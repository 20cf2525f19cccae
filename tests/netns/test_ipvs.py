"""Applying the ipvs mode, to a node in memory; tests/netns/test_ipvs_uml.py does it to a real one."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from rulegen.iptables.dump import Variant
from rulegen.model import FAMILIES, Cluster
from rulegen.netns.apply import ApplyError, Report
from rulegen.netns.programs import Plans, apply, cleanup
from rulegen.netns.space import CommandError
from tests.netns.lab import Lab, first, plans, second
from tests.netns.memory import Memory, Node

pytestmark = pytest.mark.kernel

VARIANTS: tuple[Variant, ...] = ("legacy", "nft")
FOREIGN_SETS = "create MINE hash:ip\nadd MINE 192.0.2.1\n"
FOREIGN_SERVERS = "-A -t 203.0.113.7:80 -s wlc\n-a -t 203.0.113.7:80 -r 10.9.9.9:80 -m -w 3\n-A -f 7 -s rr\n"
FOREIGN_RULES = """\
*filter
:MINE - [0:0]
-A MINE -m set --match-set MINE src -j DROP
-A INPUT -j MINE
-A FORWARD -i eth7 -j ACCEPT
COMMIT
*nat
-A PREROUTING -i eth7 -j ACCEPT
-A POSTROUTING -o eth7 -j MASQUERADE
COMMIT
"""
LATECOMERS = """\
*filter
-I INPUT -i wg0 -j ACCEPT
-I INPUT 3 -i wg1 -j ACCEPT
-I FORWARD 2 -i wg2 -j DROP
-I OUTPUT 2 -o wg3 -j ACCEPT
COMMIT
*nat
-I PREROUTING -i wg4 -j RETURN
-I OUTPUT -o wg4 -j RETURN
-A POSTROUTING -o wg5 -j MASQUERADE
COMMIT
"""


@pytest.fixture(params=VARIANTS)
def node(request: pytest.FixtureRequest) -> Node:
    """A node with rules, sets and a virtual server of others."""
    made = Node(request.param)
    made.kernel.run("ipset restore", FOREIGN_SETS)
    made.kernel.run(f"iptables-{request.param}-restore --noflush", FOREIGN_RULES)
    return made


def applied(lab: Lab, node: Node, objects: Cluster, space: Memory | None = None, **options: bool) -> Report:
    variant = node.kernel.iptables.variant
    way = plans(objects, "ipvs")
    return apply(lab.target, "ipvs", way, variant=variant, space=space or Memory(node), **options)


def steps_of(space: Memory) -> Iterator[tuple[int, bool]]:
    """Every command to fail, and whether it is carried out nevertheless."""
    for number in range(len(space.commands)):
        yield number, False
        yield number, True


def test_a_node_is_programmed_and_the_second_time_nothing_is_written(lab: Lab, node: Node) -> None:
    report = applied(lab, node, first())
    assert report.changed == ["default/empty", "default/gone", "default/six", "default/web"]
    assert report.program == f"ipvs, iptables-{node.kernel.iptables.variant}"
    after = node.dumps()
    assert node.files["/proc/sys/net/ipv4/vs/conntrack"] == "1"
    assert "-A -t 10.96.0.98:80 -s rr\n" in str(after["servers"])
    space = Memory(node)
    again = applied(lab, node, first(), space)
    assert (again.steps, again.services, space.written) == ((), (), [])
    assert node.dumps() == after
    assert not list(lab.folder.glob("*.journal"))


def test_a_change_costs_no_more_than_it_is_and_ends_where_a_fresh_node_would(lab: Lab, node: Node) -> None:
    whole = applied(lab, node, first())
    report = applied(lab, node, second())
    assert 0 < report.bytes < whole.bytes
    # One program for each kind of thing, what goes behind what comes.
    tools = [" ".join(step.command[:2]) for step in report.steps]
    assert tools.index("ipset restore") < tools.index("ipvsadm -R") < tools.index("ip -4")
    fresh = Node(node.kernel.iptables.variant)
    fresh.kernel.run("ipset restore", FOREIGN_SETS)
    fresh.kernel.run(f"iptables-{node.kernel.iptables.variant}-restore -n", FOREIGN_RULES)
    applied(lab, fresh, second())
    there, new = node.dumps(), fresh.dumps()
    assert {what: text for what, text in there.items() if what != "rules"} == {
        what: text for what, text in new.items() if what != "rules"
    }
    assert sorted(str(there["rules"]).split("\\n")) == sorted(str(new["rules"]).split("\\n"))


def test_rules_of_others_stay_where_they_are_around_the_jumps(lab: Lab, node: Node) -> None:
    def foreign() -> list[str]:
        saved = [node.kernel.iptables.save(family) for family in FAMILIES]
        return [line for text in saved for line in text.splitlines() if " KUBE-" not in f" {line[1:]}"]

    applied(lab, node, first())
    for tool in ("iptables", "ip6tables"):
        node.kernel.run(f"{tool}-{node.kernel.iptables.variant}-restore -n", LATECOMERS)
    around = foreign()
    for objects in (second(), first(), second()):
        assert applied(lab, node, objects).steps
        assert foreign() == around
    cleanup(lab.target, space=Memory(node))
    assert foreign() == around


def test_a_dry_run_tells_all_and_does_nothing(lab: Lab, node: Node) -> None:
    before = node.dumps()
    space = Memory(node)
    dry = applied(lab, node, first(), space, dry_run=True)
    assert (space.written, node.dumps()) == ([], before)
    assert dry.steps == applied(lab, node, first()).steps


def test_a_command_that_fails_leaves_everything_as_it_was(lab: Lab, node: Node) -> None:
    applied(lab, node, first())
    before = node.dumps()
    space = Memory(node)
    applied(lab, node, second(), space)
    applied(lab, node, first())
    for number, afterwards in steps_of(space):
        with pytest.raises((ApplyError, CommandError), match=r"\bno\b"):
            applied(lab, node, second(), Memory(node, fails=number, afterwards=afterwards))
        assert node.dumps() == before, (number, afterwards, space.commands[number])
    assert not list(lab.folder.glob("*.journal"))
    assert applied(lab, node, first()).steps == ()
    assert applied(lab, node, second()).steps


def test_a_first_apply_that_fails_leaves_nothing(lab: Lab, node: Node) -> None:
    before = node.dumps()
    space = Memory(node)
    applied(lab, node, first(), space)
    cleanup(lab.target, space=Memory(node))
    for path in node.files:
        node.files[path] = before["files"][path]  # type: ignore[index]
    assert node.dumps() == before
    for number, afterwards in steps_of(space):
        with pytest.raises((ApplyError, CommandError), match=r"\bno\b"):
            applied(lab, node, first(), Memory(node, fails=number, afterwards=afterwards))
        assert node.dumps() == before, (number, afterwards, space.commands[number])


def test_a_cleanup_takes_only_what_is_kube_proxys(lab: Lab, node: Node) -> None:
    before = node.dumps()
    applied(lab, node, first())
    node.kernel.run("ipvsadm -R", FOREIGN_SERVERS)
    assert "-A -t 192.168.10.1:30080 " in node.kernel.run("ipvsadm -Sn")
    report = cleanup(lab.target, space=Memory(node))
    assert report.program.endswith("ipvsadm, ipset, kube-ipvs0")
    after = node.dumps()
    assert after["servers"] == FOREIGN_SERVERS
    assert {**after, "servers": "", "files": before["files"]} == before
    assert cleanup(lab.target, space=Memory(node)).steps == ()


def test_a_cleanup_that_fails_removes_nothing(lab: Lab, node: Node) -> None:
    applied(lab, node, first())
    before = node.dumps()
    space = Memory(node)
    cleanup(lab.target, space=space)
    applied(lab, node, first())
    for number, afterwards in steps_of(space):
        with pytest.raises((ApplyError, CommandError), match=r"\bno\b"):
            cleanup(lab.target, space=Memory(node, fails=number, afterwards=afterwards))
        assert node.dumps() == before, (number, afterwards, space.commands[number])


def test_servers_in_excluded_networks_are_left_alone_and_others_are_not(lab: Lab, node: Node) -> None:
    node.kernel.run("ipvsadm -R", FOREIGN_SERVERS)
    wanted = plans(first(), "ipvs", ipvs_exclude_cidrs=("203.0.113.0/24",))
    apply(lab.target, "ipvs", wanted, variant=node.kernel.iptables.variant, space=Memory(node))
    assert "-A -t 203.0.113.7:80 -s wlc\n" in node.kernel.run("ipvsadm -Sn")
    applied(lab, node, first())
    assert "203.0.113.7" not in node.kernel.run("ipvsadm -Sn")


def test_another_mode_says_what_ipvs_mode_has_left_and_prunes_it(lab: Lab, node: Node) -> None:
    variant = node.kernel.iptables.variant
    applied(lab, node, first())
    way = plans(first(), "iptables")
    report = apply(lab.target, "iptables", _without_counters(way), variant=variant, space=Memory(node))
    assert report.notes == (
        "kube-proxy has also left something in ipvsadm, ipset, kube-ipvs0; --prune removes it",
    )
    pruned = apply(
        lab.target, "iptables", _without_counters(way), variant=variant, prune=True, space=Memory(node)
    )
    assert pruned.steps and not pruned.notes
    assert node.kernel.run("ipset list -n") == "MINE\n"
    assert "kube-ipvs0" not in node.kernel.run("ip -j addr")


def _without_counters(way: Plans) -> Plans:
    return lambda facts: way(msgspec.structs.replace(facts, nfacct=False))


def test_timeouts_and_a_strict_arp_are_set_and_put_back(lab: Lab, node: Node) -> None:
    before = node.dumps()
    wanted = plans(first(), "ipvs", ipvs_strict_arp=True, ipvs_tcp_timeout=30.0, ipvs_udp_timeout=7.0)
    variant = node.kernel.iptables.variant
    space = Memory(node)
    report = apply(lab.target, "ipvs", wanted, variant=variant, space=space)
    assert node.kernel.run("ipvsadm -l --timeout") == "Timeout (tcp tcpfin udp): 30 120 7\n"
    assert node.files["/proc/sys/net/ipv4/conf/all/arp_announce"] == "2"
    assert apply(lab.target, "ipvs", wanted, variant=variant, space=Memory(node)).steps == ()
    node_again = Node(variant)
    node_again.kernel.run("ipset restore", FOREIGN_SETS)
    node_again.kernel.run(f"iptables-{variant}-restore -n", FOREIGN_RULES)
    last = max(n for n, command in enumerate(space.commands) if command == report.steps[-1].command)
    with pytest.raises(ApplyError):
        apply(lab.target, "ipvs", wanted, variant=variant, space=Memory(node_again, fails=last))
    assert node_again.dumps() == before


def test_a_kernel_without_ipvs_and_a_dead_loopback_are_told_before_anything_is_done(lab: Lab) -> None:
    class Without(Memory):
        def run(self, *command: str, stdin: str | None = None) -> str:
            if command[0] == "ipvsadm":
                raise CommandError(command, "Can't initialize ipvs: Protocol not available")
            return super().run(*command, stdin=stdin)

    node = Node("nft")
    before = node.dumps()
    with pytest.raises(ValueError, match=r"ipvs mode needs IPVS .*: Can't initialize ipvs"):
        applied(lab, node, first(), Without(node))
    node.kernel.run("ip link set lo down")
    with pytest.raises(ValueError, match=r"the loopback device is down there.* link set lo up"):
        applied(lab, node, first())
    node.kernel.run("ip link set lo up")
    assert node.dumps() == before


def test_a_set_of_another_type_is_no_place_for_entries(lab: Lab, node: Node) -> None:
    variant = node.kernel.iptables.variant
    node.kernel.run("ipset create KUBE-CLUSTER-IP hash:ip")
    rule = "-A KUBE-NODE-PORT -m set --match-set KUBE-CLUSTER-IP dst -j DROP"
    node.kernel.run(f"iptables-{variant}-restore -n", f"*filter\n:KUBE-NODE-PORT - [0:0]\n{rule}\nCOMMIT\n")
    with pytest.raises(
        ValueError, match="KUBE-CLUSTER-IP is there as hash:ip inet, kube-proxy's is hash:ip,port inet"
    ):
        applied(lab, node, first())
    cleanup(lab.target, space=Memory(node))
    assert applied(lab, node, first()).steps
