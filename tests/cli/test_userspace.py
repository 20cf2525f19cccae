"""The userspace mode on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_saved_rules_compare_equal_and_tell_the_ports_of_the_proxy(rulegen: Rulegen, tmp_path: Path) -> None:
    saved = rulegen(
        "render", *USERSPACE, "-o", "save", "--with-jumps", "--proxy-port", "default/ngx-svc=40000"
    )
    (tmp_path / "node.save").write_text(saved.out)
    same = rulegen("diff", NGX, "node.save", "--kube-version", "1.25")
    assert (same.code, same.out) == (0, "IPv4: the node is as it should be\n")
    assert "userspace mode is meant, as the node's rules are of that" in same.err
    assert "taken from the node: the ports of the userspace proxy" in same.err
    (tmp_path / "node.save").write_text(saved.out.replace("--dport 30651", "--dport 30652"))
    other = rulegen("diff", NGX, "node.save", "--kube-version", "1.25")
    assert other.code == 1 and other.out.startswith("default/ngx-svc\n")


def test_a_trace_ends_at_the_proxy_and_says_where_that_goes_on(rulegen: Rulegen, tmp_path: Path) -> None:
    goes_on = "The proxy listens on port 27246 for default/ngx-svc and passes connections on, in turn, to"
    for source, to in (
        ("external", "192.168.10.1:30651"),
        ("pod/ngx-dep-1", "svc/ngx-svc"),
        ("node", "svc/ngx-svc"),
    ):
        done = rulegen("trace", "--from", source, "--to", to, *USERSPACE)
        assert done.code == 0 and ":27246, taken by this node itself" in done.out
        assert f"{goes_on} 10.10.0.232:80, 10.10.1.86:80." in done.out
    (tmp_path / "node.save").write_text(rulegen("render", *USERSPACE, "--with-jumps").out)
    dumped = rulegen(
        "trace", "--from", "external", "--to", "192.168.10.1:30651", "--dump", "node.save", *USERSPACE
    )
    assert dumped.code == 0 and goes_on in dumped.out


def test_whose_is_a_port_of_the_proxy(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "node.save").write_text(rulegen("render", *USERSPACE, "--with-jumps").out)
    for where in (USERSPACE, ("--dump", "node.save")):
        found = rulegen("whose", "27246", *where).out.splitlines()[1].split()
        assert found[:3] == ["default/ngx-svc", "TCP", "IPv4"] and "proxy" in found
    assert "node port" in rulegen("whose", "30651", "--dump", "node.save").out
    assert "address" in rulegen("whose", "10.96.240.115:80", "--dump", "node.save").out


@pytest.mark.parametrize(
    "given", ["default/web", "web=80", "default/web=x", "default/web=0", "default/=80", "default/web=70000"]
)
def test_a_proxy_port_that_is_none_is_refused(rulegen: Rulegen, given: str) -> None:
    done = rulegen("render", *USERSPACE, "--proxy-port", given)
    assert (done.code, done.out) == (2, "")
    assert f"--proxy-port {given}: must be NAMESPACE/NAME[:PORT]=NUMBER" in done.err
    twice = rulegen("render", *USERSPACE, "--proxy-port", "a/b=1", "--proxy-port", "a/c=1")
    assert "another service port has port 1" in twice.err


def test_a_proxy_with_nothing_to_do_says_so(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {clusterIP: None, ports: [{port: 80}]}\n"
    )
    done = rulegen("userspace-proxy", "-f", "none.yaml")
    assert (done.code, done.out) == (2, "")
    assert "no Service has a port that the userspace mode would proxy" in done.err
