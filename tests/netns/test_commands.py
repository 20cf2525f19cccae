"""``rulegen apply`` and ``rulegen cleanup`` as a user types them."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import FIXTURES, Rulegen
from tests.kernel import netns as namespaces
from tests.netns.lab import Lab

pytestmark = pytest.mark.kernel

NGX = str(FIXTURES / "ngx")
ROOT = FIXTURES.parent


@pytest.fixture
def unused() -> Iterator[str]:
    """A name that no namespace has, until the test makes one."""
    name = f"rulegen-{secrets.token_hex(4)}"
    yield name
    if Path("/run/netns", name).exists():
        namespaces.remove(namespaces.Namespace(name))


def test_a_namespace_is_made_programmed_changed_and_cleaned(
    rulegen: Rulegen, lab: Lab, unused: str, tmp_path: Path
) -> None:
    apply = ("apply", "-f", NGX, "--variant", "nft", "--netns", unused)
    done = rulegen(*apply)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(f"error: no network namespace {unused}; --create makes it\n")
    done = rulegen(*apply, "--create", "--dry-run")
    assert (done.code, done.out.splitlines()[:2]) == (
        0,
        ["# tee /proc/sys/net/ipv4/conf/all/route_localnet", "1"],
    )
    assert done.err.endswith("bytes to program (iptables-nft); nothing was done\n")
    done = rulegen(*apply, "--create")
    assert done.code == 0
    assert re.fullmatch(
        rf"{unused}: made, 1 service changed, \d+ bytes programmed in \d+ ms \(iptables-nft\), "
        r"read back and equal\n",
        done.out,
    )
    done = rulegen(*apply)
    assert (done.code, done.out) == (
        0,
        f"{unused}: nothing to do (iptables-nft): all is as it should be\n",
    )
    changed = tmp_path / "changed"
    shutil.copytree(NGX, changed)
    for file in changed.glob("*.yaml"):
        file.write_text(file.read_text().replace("10.10.1.86", "10.10.1.90"))
    done = rulegen("apply", "-f", str(changed), "--netns", unused, "-o", "json")
    data = json.loads(done.out)
    assert (data["mode"], data["program"], data["changed"]) == ("iptables", "iptables-nft", True)
    assert [change["changes"] for change in data["services"]] == [
        ["- endpoint 10.10.1.86:80", "+ endpoint 10.10.1.90:80"]
    ]
    assert data["bytes"] < 1000
    assert rulegen("diff", str(changed), f"netns:{unused}").code == 0
    done = rulegen("cleanup", "--netns", unused)
    assert re.match(
        rf"{unused}: kube-proxy's removed, \d+ bytes programmed in \d+ ms \(iptables-nft, ", done.out
    )
    done = rulegen("cleanup", "--netns", unused)
    assert done.out == f"{unused}: nothing to do: nothing of kube-proxy's is there\n"


def test_addresses_that_the_namespace_tells_are_not_said_to_be_assumed(
    rulegen: Rulegen, lab: Lab, tmp_path: Path
) -> None:
    # Node ports on addresses of one range only: it matters which ones the node has.
    own = tmp_path / "ngx"
    shutil.copytree(NGX, own)
    node = own / "node.yaml"
    node.write_text(node.read_text() + "nodePortAddresses: [10.0.0.0/8]\n")
    assert "is assumed" in rulegen("render", "-f", str(own)).err
    done = rulegen("apply", "-f", str(own), "--netns", lab.namespace.name)
    assert done.code == 0 and "is assumed" not in done.err
    assert "taken from the namespace: the addresses of its interfaces" in done.err


def test_a_namespace_has_to_be_named_and_the_hosts_own_by_its_own_flag(rulegen: Rulegen, lab: Lab) -> None:
    said = {
        (): "which namespace? --netns NAME, --create for one of its own, or --host-netns for the host's",
        ("--netns", "../x"): "'../x' is no name of a network namespace",
        ("--netns", "x", "--host-netns"): "--netns and --host-netns are two namespaces: choose one",
        ("--create", "--host-netns"): "the host's own namespace is there: --create is for others",
        ("--netns", "x", "--", "true"): "a command is run in a namespace of its own: leave out --netns and "
        "--host-netns",
    }
    for options, text in said.items():
        done = rulegen("apply", "-f", NGX, *options)
        assert (done.code, done.out) == (2, "")
        assert done.err.endswith(f"error: {text}\n")
    done = rulegen("cleanup")
    assert (done.code, done.err) == (
        2,
        "error: which namespace? --netns NAME, or --host-netns for the host's own\n",
    )


def test_the_hosts_own_namespace_is_refused_under_any_name(rulegen: Rulegen, lab: Lab, unused: str) -> None:
    subprocess.run(["ip", "netns", "attach", unused, str(os.getpid())], check=True)
    for command in (("apply", "-f", NGX, "--netns", unused), ("cleanup", "--netns", unused)):
        done = rulegen(*command)
        assert (done.code, done.out) == (2, "")
        assert f"{unused} is the namespace of the host itself; --host-netns allows it\n" in done.err


def test_inside_a_namespace_the_hosts_flag_means_that_one(lab: Lab) -> None:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{lab.namespace.name}", *_rulegen("apply", "-f", NGX, "--host-netns")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("host: 1 service changed, ")
    assert "KUBE-SVC-" in lab.dumps()["iptables-nft-save"]


def test_tools_that_are_missing_are_named(
    rulegen: Rulegen, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(
        shutil,
        "which",
        lambda tool, **more: None if tool.startswith("ip6tables-nft") else which(tool, **more),
    )
    done = rulegen("apply", "-f", NGX, "--variant", "nft", "--netns", lab.namespace.name)
    assert done.code == 2
    assert "ip6tables-nft-save is not installed (Debian's package iptables has it)" in done.err
    assert lab.dumps()["iptables-nft-save"] == ""


def test_without_root_a_named_namespace_is_refused(
    rulegen: Rulegen, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = rulegen("apply", "-f", NGX, "--netns", lab.namespace.name)
    assert done.code == 2
    assert done.err.endswith(
        f"error: namespace {lab.namespace.name}: needs root; without it, `rulegen apply --create -- COMMAND`"
        " makes one\n"
    )


def _rulegen(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rulegen.cli.main", *arguments]


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_a_command_runs_in_a_namespace_of_its_own(variant: str, lab: Lab) -> None:
    command = ["sh", "-c", f"iptables-{variant}-save | grep -c KUBE-SEP; exit 7"]
    done = subprocess.run(
        _rulegen("apply", "-f", NGX, "--create", "--variant", variant, "--", *command),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (7, "8\n")
    assert "own: 1 service changed, " in done.stderr and "read back and equal" in done.stderr


def without_root() -> list[str]:
    """How to run Python as nobody; an interpreter in root's home is out of its reach."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", python]
        if subprocess.run([*command, "-c", "pass"], capture_output=True).returncode == 0:
            return command
    pytest.skip("no Python that another user may run")


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_without_root_the_same(variant: str, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    command = ["sh", "-c", f"id -u; /usr/sbin/iptables-{variant}-save | grep -c KUBE-SEP; ls /proc/self/fd"]
    manifests = "".join(f"---\n{file.read_text()}" for file in sorted(Path(NGX).glob("*.yaml")))
    done = subprocess.run(
        [
            *without_root(), "-m", "rulegen.cli.main",
            "apply", "-f", "-", "--create", "--variant", variant, "--", *command,
        ],
        input=manifests,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )  # fmt: skip
    if "the kernel does not let this user make a user namespace" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "8", "0", "1", "2", "3"]
