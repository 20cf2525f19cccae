"""Editing manifests with `rulegen watch` beside the editor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import FIXTURES, Rulegen
from tests.kernel.netns import Namespace, need

NGX = FIXTURES / "ngx"
ROOT = FIXTURES.parent


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    for file in NGX.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text())
    return folder


class Watching:
    """`rulegen watch` in a process of its own, until its first transaction."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.said: list[str] = []
        command = [sys.executable, "-m", "rulegen.cli.main", "watch", "-f", str(folder), *options]
        command += ["--interval", "0.05", "--count", "1"]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + 30
        assert self.process.stderr is not None
        while time.monotonic() < end:
            line = self.process.stderr.readline()
            self.said.append(line)
            if text in line:
                return
        raise AssertionError(self.said)

    def end(self) -> str:
        """What it printed by itself, once it has ended."""
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        return out


def replace_a_pod(manifests: Path) -> None:
    pods = manifests / "pods.yaml"
    pods.write_text(pods.read_text().replace("10.10.1.86", "10.10.1.90"))


def test_an_edit_prints_the_transaction_and_a_broken_file_is_passed_over(manifests: Path) -> None:
    with Watching(manifests) as watching:
        watching.wait_for("watching 3 files (IPv4)")
        pods = manifests / "pods.yaml"
        good = pods.read_text()
        pods.write_text("kind: [")
        watching.wait_for("not used: the rules stay as they were")
        pods.write_text(good)
        replace_a_pod(manifests)
        out = watching.end()
    assert out.startswith("*nat\n") and out.endswith("COMMIT\n")
    assert "--to-destination 10.10.1.90:80" in out and "10.10.0.232" not in out


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("nftables", "flush chain ip kube-proxy service-FQ4DLQQ3-default/ngx-svc/tcp/\n"),
        ("ipvs", "-a -t 10.96.240.115:80 -r 10.10.1.90:80 -m -w 1\n"),
    ],
)
def test_the_other_modes_are_watched_as_well(manifests: Path, mode: str, line: str) -> None:
    with Watching(manifests, "--mode", mode, "--interface", "eth0=192.168.10.1/24") as watching:
        watching.wait_for("watching 3 files (IPv4)")
        replace_a_pod(manifests)
        assert line in watching.end()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("mode", "listing"), [("iptables", "iptables-nft-save"), ("nftables", "nft list ruleset")]
)
def test_a_namespace_follows_the_files(
    manifests: Path, netns: Namespace, rulegen: Rulegen, mode: str, listing: str
) -> None:
    need("iptables-nft-save", "nft")
    options = ("--apply", "--netns", netns.name, "--mode", mode)
    with Watching(manifests, *options) as watching:
        watching.wait_for("read back and equal")
        watching.wait_for("watching 3 files (IPv4, IPv6)")
        assert "10.10.1.86" in netns.run(*listing.split())
        replace_a_pod(manifests)
        assert watching.end() == ""
    assert "10.10.1.90" in netns.run(*listing.split()) and "10.10.1.86" not in netns.run(*listing.split())
    again = rulegen("apply", "-f", str(manifests), "--netns", netns.name, "--mode", mode)
    assert "nothing to do" in again.out


@pytest.mark.kernel
def test_a_transaction_that_is_refused_has_everything_looked_at(manifests: Path, netns: Namespace) -> None:
    need("iptables-nft-save")
    with Watching(manifests, "--apply", "--netns", netns.name) as watching:
        watching.wait_for("watching 3 files")
        netns.run("iptables-nft", "-t", "nat", "-F", "KUBE-SVC-DQYKF4NVSQPF2JO7")
        replace_a_pod(manifests)
        watching.wait_for("the kernel refused it, so all was looked at")
        watching.end()
    assert "10.10.1.90:80" in netns.run("iptables-nft-save")


def test_what_cannot_be_watched_is_told(rulegen: Rulegen) -> None:
    assert "standard input cannot be watched" in rulegen("watch", "-f", "-").err
    userspace = rulegen("watch", "-f", str(NGX), "--mode", "userspace", "--kube-version", "1.25")
    assert userspace.code == 2 and "changes of rules in userspace mode cannot be followed" in userspace.err
    assert "--apply and --netns NAME go together" in rulegen("watch", "-f", str(NGX), "--apply").err
