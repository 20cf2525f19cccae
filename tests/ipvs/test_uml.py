"""The script is run on a kernel with IPVS, and what that kernel then says is what was compiled."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rulegen.iptables.save import save
from rulegen.ipvs import Ruleset, compile_rules, ipset, ipvsadm, script
from rulegen.model import FAMILIES, Cluster
from rulegen.model.objects import ServicePort
from rulegen.plan import plan
from tests.ipvs.rulesets import addresses, bound, covering, rule_lines, rulesets, saved_set_lines, set_lines
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of
from tests.uml.harness import Machine

pytestmark = [pytest.mark.uml, pytest.mark.xdist_group("uml")]

SAMPLE = {case["scenario"]["name"]: case["scenario"] for case in covering("1.37-ipvs")}

LEGACY = "export IPTABLES=iptables-legacy IP6TABLES=ip6tables-legacy\n"
# One after the other into files: what the kernel prints may be large.
LISTINGS = {
    "servers": "ipvsadm -Sn",
    "sets": "ipset save",
    "addresses": "ip -j addr show dev kube-ipvs0",
    "IPv4": "iptables-legacy-save",
    "IPv6": "ip6tables-legacy-save",
}


def programmed(uml: Machine, *scripts: str) -> dict[str, str]:
    """Run scripts one after the other in a fresh namespace; what the kernel says then."""
    lists = "".join(f"{command} >listing.{name}\n" for name, command in LISTINGS.items())
    for name in LISTINGS:
        (uml.folder / f"listing.{name}").unlink(missing_ok=True)
    done = uml.run(LEGACY + "set -e\n" + "".join(f"({text})\n" for text in scripts) + lists)
    assert (done.code, done.stderr) == (0, "")
    return {name: (uml.folder / f"listing.{name}").read_text() for name in LISTINGS}


def assert_as_compiled(said: dict[str, str], compiled: list[Ruleset]) -> None:
    texts = "".join(ipvsadm(ruleset) for ruleset in compiled)
    assert sorted(said["servers"].splitlines()) == sorted(texts.splitlines())
    assert saved_set_lines(said["sets"]) == set_lines(ipset(ruleset) for ruleset in compiled)
    assert addresses(said["addresses"]) == bound(compiled)
    for ruleset in compiled:
        assert rule_lines(said[ruleset.family]) == rule_lines(save(ruleset, "legacy", with_jumps=True))


@pytest.mark.parametrize("name", SAMPLE)
def test_after_the_script_the_kernel_says_what_was_compiled(uml: Machine, name: str) -> None:
    compiled = rulesets(SAMPLE[name])
    said = programmed(uml, "".join(script(ruleset) for ruleset in compiled))
    assert_as_compiled(said, compiled)


DUAL = msgspec.structs.replace(
    NODE,
    ips=("192.168.10.1", "2001:db8:1::1"),
    interfaces=dict(NODE.interfaces, eth0=("192.168.10.1/24", "2001:db8:1::1/64")),
)


def dual_stack(objects: Cluster, **config: Any) -> list[Ruleset]:
    proxy = msgspec.structs.replace(CONFIG, mode="ipvs", **config)
    return [compile_rules(plan(objects, DUAL, proxy, family)) for family in FAMILIES]


def before() -> Cluster:
    """A Service of each family, one with a node port, and a Service that will go."""
    ports = [ServicePort(port=80, node_port=30080)]
    web = service("web", affinity=600, type="NodePort", ports=ports, vips=["198.51.100.7"])
    six = service("six", ip="fd00:10:96::6")
    gone = service("gone", ip="10.96.0.99", external_ips=["198.51.100.99"])
    return cluster(
        web,
        slice_of(web, [endpoint("10.10.0.1", "n1"), endpoint("10.10.1.1"), endpoint("10.10.1.2")]),
        six,
        slice_of(six, ["fd00:10:10::1", "fd00:10:10::2"], family="IPv6"),
        gone,
        slice_of(gone, ["10.10.7.7"]),
    )


def after() -> Cluster:
    """No affinity any more, other endpoints, other addresses, and a Service that is new."""
    ports = [ServicePort(port=80, node_port=30081)]
    web = service("web", type="NodePort", ports=ports, external_ips=["198.51.100.8"])
    six = service("six", ip="fd00:10:96::6")
    new = service("new", ip="fd00:10:96::7", affinity=30)
    return cluster(
        web,
        slice_of(web, [endpoint("10.10.0.2", "n1"), endpoint("10.10.1.1")]),
        six,
        slice_of(six, ["fd00:10:10::2", "fd00:10:10::3"], family="IPv6"),
        new,
        slice_of(new, ["fd00:10:10::9"], family="IPv6"),
    )


def whole(rules: list[Ruleset]) -> str:
    return "".join(script(ruleset) for ruleset in rules)


def test_run_again_the_script_changes_nothing(uml: Machine) -> None:
    rules = dual_stack(before())
    told = "ipvsadm -Sn >>told\nip -o addr show dev kube-ipvs0 >>told\n"
    (uml.folder / "told").unlink(missing_ok=True)
    said = programmed(uml, whole(rules), told, whole(rules), told)
    assert_as_compiled(said, rules)
    first, second = _halves((uml.folder / "told").read_text())
    # The kernel lists servers as it hashed them, and addresses as they came: nothing was made anew.
    assert first == second


def _halves(text: str) -> tuple[str, str]:
    middle = len(text) // 2
    return text[:middle], text[middle:]


def test_the_script_of_a_changed_cluster_leaves_nothing_of_the_old_one(uml: Machine) -> None:
    rules = dual_stack(after())
    assert_as_compiled(programmed(uml, whole(dual_stack(before())), whole(rules)), rules)


def test_only_excluded_servers_of_others_are_left_alone(uml: Machine) -> None:
    others = [
        "-A -t 203.0.113.7:80 -s wlc",
        "-A -t 203.0.116.7:80 -s wlc",
        "-A -u [2001:db8:5:7::1]:53 -s wlc",
        "-A -u [2001:db8:5:8::1]:53 -s wlc",
    ]
    rules = dual_stack(after(), ipvs_exclude_cidrs=("203.0.112.0/22", "2001:db8:5::/61", "::1/128"))
    made = "ipvsadm -R <<'END'\n" + "".join(f"{line}\n" for line in others) + "END\n"
    said = programmed(uml, made, whole(rules))
    wanted = "".join(ipvsadm(ruleset) for ruleset in rules).splitlines()
    assert sorted(said["servers"].splitlines()) == sorted([*wanted, others[0], others[2]])


def test_kernel_settings_are_those_of_kube_proxy(uml: Machine) -> None:
    rules = dual_stack(before(), ipvs_strict_arp=True, ipvs_tcp_timeout=30.9, ipvs_udp_timeout=7.0)
    paths = [sysctl.path for ruleset in rules for sysctl in ruleset.settings.sysctls]
    reads = "".join(f"echo {path} $(cat /proc/sys/{path})\n" for path in dict.fromkeys(paths))
    fin = "fin=$(ipvsadm -l --timeout | awk '{ print $6 }')\n"
    result = uml.run(
        f"{LEGACY}set -e\n{fin}({whole(rules)})\n{reads}"
        '[ "$(ipvsadm -l --timeout)" = "Timeout (tcp tcpfin udp): 30 $fin 7" ] && echo timeouts\n'
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "net/ipv4/vs/conntrack 1",
        "net/ipv4/vs/conn_reuse_mode 1",  # left as it is: this kernel is newer than 5.9
        "net/ipv4/vs/expire_nodest_conn 1",
        "net/ipv4/vs/expire_quiescent_template 1",
        "net/ipv4/ip_forward 1",
        "net/ipv4/conf/all/arp_ignore 1",
        "net/ipv4/conf/all/arp_announce 2",
        "timeouts",
    ]


def test_a_scheduler_that_the_kernel_does_not_have_stops_the_script(uml: Machine) -> None:
    (rules, _) = dual_stack(before(), ipvs_scheduler="nosuch")
    result = uml.run(LEGACY + script(rules) + "echo still here")
    assert result.code != 0
    assert "ipvsadm: " in result.stderr and "still here" not in result.stdout
    assert uml.run("iptables-legacy-save").stdout == ""
