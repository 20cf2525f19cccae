"""The smallest change from one state to another, and what it says of Services."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import msgspec

from rulegen.ipvs import Ruleset, compile_rules
from rulegen.ipvs.diff import diff
from rulegen.ipvs.ipsets import IpSet
from rulegen.ipvs.servers import Server
from rulegen.ipvs.state import State, parse, read, state
from rulegen.ipvs.summary import summary
from rulegen.model.objects import ServicePort
from rulegen.plan import plan
from tests.objects import CONFIG, NODE, cluster, service, slice_of


def web(*ends: str, affinity: int = 0, **config: Any) -> Ruleset:
    """One Service with a node port, and its endpoints."""
    of_web = service(
        "web", type="NodePort", ports=[ServicePort(port=80, node_port=30080, name="http")], affinity=affinity
    )
    objects = cluster(of_web, slice_of(of_web, list(ends), port_name="http"))
    proxy = msgspec.structs.replace(CONFIG, mode="ipvs", **config)
    return compile_rules(plan(objects, NODE, proxy, "IPv4"))


def lines(before: Ruleset, after: Ruleset) -> list[tuple[str, tuple[str, ...]]]:
    return [(change.service, change.lines) for change in summary(state(before), state(after))]


def nothing() -> State:
    (found,) = read(
        {"ipvsadm -Sn": "", "ipset save": "", "ip -j addr": "[]", "iptables-save": ""}, "IPv4"
    ).values()
    return found


def test_nothing_is_done_where_all_is_as_it_should_be() -> None:
    before = state(web("10.10.0.1", "10.10.0.2"))
    assert not diff(before, before)
    assert diff(before, before).text == ""


def test_an_endpoint_comes_before_another_one_goes_and_no_server_is_made_anew() -> None:
    before, after = web("10.10.0.1", "10.10.0.2"), web("10.10.0.1", "10.10.0.3")
    change = diff(state(before), state(after))
    assert change.servers[:2] == (
        "-a -t 10.96.0.10:80 -r 10.10.0.3:8080 -m -w 1",
        "-d -t 10.96.0.10:80 -r 10.10.0.2:8080",
    )
    assert not any(line.startswith(("-A", "-D", "-E")) for line in change.servers)
    assert not change.rules and not change.bound and not change.unbound
    assert lines(before, after) == [
        ("default/web:http", ("- endpoint 10.10.0.2:8080", "+ endpoint 10.10.0.3:8080"))
    ]


def test_another_scheduler_and_session_affinity_are_edits_that_keep_connections() -> None:
    before, after = web("10.10.0.1"), web("10.10.0.1", affinity=600, ipvs_scheduler="lc")
    change = diff(state(before), state(after))
    assert change.servers[0] == "-E -t 10.96.0.10:80 -s lc -p 600"
    assert {line.split()[0] for line in change.servers} == {"-E"}
    assert lines(before, after) == [
        (
            "default/web:http",
            ("+ clients stay at their endpoint for 600 s", "~ endpoints are chosen by lc, not rr"),
        )
    ]


def test_a_node_where_nothing_is_gets_sets_before_the_rules_that_need_them() -> None:
    text = diff(nothing(), state(web("10.10.0.1"))).text
    steps = ["ipset restore", "ipvsadm -R", "ip link add kube-ipvs0", "ip -4 -batch -", '-restore" --wait']
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)
    assert "address add 10.96.0.10/32 dev kube-ipvs0\n" in text


def test_servers_of_no_service_go_unless_they_are_excluded() -> None:
    ruleset = web("10.10.0.1", ipvs_exclude_cidrs=("192.0.2.0/24",))
    node = state(ruleset)
    assert node.servers is not None
    mine, old = Server("TCP", "192.0.2.1:443", "wlc"), Server("UDP", "10.96.0.99:53", "rr")
    tampered = msgspec.structs.replace(node, servers={**node.servers, mine.key: mine, old.key: old})
    assert diff(tampered, node).servers == ("-D -u 10.96.0.99:53",)


def test_a_set_of_another_size_is_filled_aside_and_swapped_in() -> None:
    node = state(web("10.10.0.1"))
    assert node.sets is not None
    small = msgspec.structs.replace(node.sets["KUBE-CLUSTER-IP"], header="family inet hashsize 64 maxelem 9")
    change = diff(msgspec.structs.replace(node, sets=dict(node.sets) | {small.name: small}), node)
    assert change.sets == (
        "create rulegen-spare hash:ip,port family inet hashsize 1024 maxelem 65536",
        "add rulegen-spare 10.96.0.10,tcp:80",
        "swap rulegen-spare KUBE-CLUSTER-IP",
        "destroy rulegen-spare",
    )
    assert not change.rules


def test_a_set_of_another_type_is_made_anew_while_no_rule_looks_into_it() -> None:
    node = state(web("10.10.0.1"))
    assert node.sets is not None
    other = IpSet("KUBE-CLUSTER-IP", "hash:ip", "family inet hashsize 1024 maxelem 65536")
    change = diff(msgspec.structs.replace(node, sets=dict(node.sets) | {other.name: other}), node)
    assert change.sets[:2] == (
        "destroy KUBE-CLUSTER-IP",
        "create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536",
    )
    assert ":KUBE-IPVS-FILTER - [0:0]\n" in change.cleared.text
    assert change.text.index("ipset restore") < change.text.rindex("KUBE-IPVS-FILTER")


def test_the_text_is_a_script_that_a_shell_reads() -> None:
    text = diff(nothing(), state(web("10.10.0.1"))).text
    shell = shutil.which("dash") or "sh"
    subprocess.run([shell, "-n"], input=text, text=True, check=True)


def test_all_listings_of_a_node_are_one_text_that_is_read_again() -> None:
    node = state(web("10.10.0.1", affinity=30))
    again = parse(node.text, "IPv4")
    assert not diff(node, again) and not diff(again, node)
    assert again.text == node.text
