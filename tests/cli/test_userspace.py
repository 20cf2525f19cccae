"""The userspace mode on the command line."""

from __future__ import annotations

import json

from tests.cli.running import FIXTURES, Rulegen

NGX = str(FIXTURES / "ngx")
USERSPACE = ("--mode", "userspace", "--kube-version", "1.25", "-f", NGX)


def test_render_prints_text_for_iptables_restore(rulegen: Rulegen) -> None:
    done = rulegen("render", *USERSPACE)
    assert done.code == 0
    assert done.out.startswith("*filter\n:KUBE-NODEPORT-NON-LOCAL - [0:0]\n") and done.out.endswith(
        "COMMIT\n"
    )
    assert "-A KUBE-PORTALS-HOST -m comment --comment default/ngx-svc -p tcp -m tcp --dport 80" in done.out
    assert "PREROUTING" not in done.out
    assert "-I PREROUTING" in rulegen("render", *USERSPACE, "--with-jumps").out


def test_render_prints_the_commands_that_kube_proxy_ran(rulegen: Rulegen) -> None:
    lines = rulegen("render", *USERSPACE, "-o", "jumps").out.splitlines()
    assert lines[0] == "iptables -w -t nat -N KUBE-PORTALS-CONTAINER"
    assert len(lines) == 15


def test_the_ports_of_the_proxy_are_in_the_data(rulegen: Rulegen) -> None:
    data = json.loads(rulegen("render", *USERSPACE, "-o", "json").out)
    assert list(data["families"]["IPv4"]["proxyPorts"]) == ["default/ngx-svc"]


def test_show_has_the_rules_of_a_service_and_its_ways(rulegen: Rulegen) -> None:
    shown = json.loads(rulegen("show", "ngx-svc", *USERSPACE, "-o", "json").out)["rules"]
    assert [rule["chain"] for rule in shown] == [
        "KUBE-PORTALS-CONTAINER",
        "KUBE-PORTALS-HOST",
        "KUBE-NODEPORT-CONTAINER",
        "KUBE-NODEPORT-HOST",
        "KUBE-NODEPORT-NON-LOCAL",
    ]
    tree = rulegen("show", "ngx-svc", *USERSPACE, "-o", "tree").out
    assert "node port 30651, from this node" in tree


def test_explain_works_as_in_other_modes(rulegen: Rulegen) -> None:
    assert "2 of 2 are ready." in rulegen("explain", "endpoints", "ngx-svc", *USERSPACE).out


def test_a_version_without_the_mode_is_refused_in_clear_words(rulegen: Rulegen) -> None:
    done = rulegen("render", "--mode", "userspace", "-f", NGX)
    assert (done.code, done.out) == (2, "")
    assert (
        "no userspace mode in Kubernetes 1.37: it is gone since Kubernetes 1.26; use --kube-version 1.25"
        in done.err
    )
    other = rulegen("render", "--kube-version", "1.25", "-f", NGX)
    assert (other.code, other.out) == (2, "") and "no iptables mode in Kubernetes 1.25" in other.err
