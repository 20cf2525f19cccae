"""Editing manifests with `rulegen watch` beside the editor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rulegen.watching import Stamp, settled, stamp
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
        # What waits for a line that never comes sees the end instead.
        self.alarm = threading.Timer(60, self.process.kill)
        self.alarm.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.alarm.cancel()
        self.process.kill()
        self.process.communicate()

    def wait_for(self, text: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
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


SERVICE_CIDR = """\
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: kubernetes}
spec: {cidrs: [%s]}
"""


PLAIN_SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: more-%d}
spec: {ports: [{port: 80}]}
"""


def test_files_that_are_not_all_there_for_a_moment_do_not_end_it(manifests: Path) -> None:
    cidr, node = manifests / "cidr.yaml", manifests.with_name("node-file.yaml")
    cidr.write_text(SERVICE_CIDR % "10.96.0.0/12")
    node.write_text("name: n1\nips: [192.168.10.1]\n")
    with Watching(manifests, "--node-file", str(node)) as watching:
        watching.wait_for("watching 5 files (IPv4)")
        node.unlink()
        watching.wait_for("node-file.yaml: the path does not exist")
        watching.wait_for("not used: the rules stay as they were")
        node.write_text("name: n1\nips: [192.168.10.1]\n")
        # Two Services more than a range of two addresses has.
        more = manifests / "more.yaml"
        cidr.write_text(SERVICE_CIDR % "10.96.0.0/30")
        more.write_text("\n---\n".join(PLAIN_SERVICE % number for number in range(4)))
        watching.wait_for("not used: the rules stay as they were")
        more.unlink()
        cidr.write_text(SERVICE_CIDR % "10.96.0.0/12")
        replace_a_pod(manifests)
        assert "--to-destination 10.10.1.90:80" in watching.end()


def test_a_file_that_is_being_written_is_not_read_before_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("")
    pieces = ["kind: Service\n", "metadata:\n", "  name: web\n"]
    waited = []

    def write_on(seconds: float) -> None:
        waited.append(seconds)
        if pieces:
            with file.open("a") as opened:
                opened.write(pieces.pop(0))

    def look() -> Stamp:
        return stamp([str(tmp_path)], recursive=False)

    assert settled(look(), look, write_on) == look()
    assert (len(waited), file.read_text().count("\n")) == (4, 3)
    pieces += ["#\n"] * 1000  # never at rest: read as it is, some time
    settled(look(), look, write_on)
    assert len(waited) < 100


def test_every_change_of_a_file_is_seen(tmp_path: Path) -> None:
    file, link = tmp_path / "web.yaml", tmp_path / "link.yaml"
    file.write_text("kind: a")
    times = file.stat()
    seen = [stamp([str(tmp_path)], recursive=False)]
    file.write_text("kind: b")  # as long, and as old as before: what `cp -p` leaves
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    seen.append(stamp([str(tmp_path)], recursive=False))
    link.symlink_to("nowhere")
    seen.append(stamp([str(tmp_path)], recursive=False))
    file.unlink()
    seen.append(stamp([str(tmp_path)], recursive=False))
    assert all(seen[i] != seen[j] for i in range(4) for j in range(i))


def test_another_configuration_is_followed_as_a_whole_and_another_mode_is_not(manifests: Path) -> None:
    node = manifests / "node.yaml"
    with Watching(manifests) as watching:
        watching.wait_for("watching 3 files (IPv4)")
        kept = node.read_text()
        node.write_text(kept + "mode: nftables\n")
        watching.wait_for("nftables mode is another one: start watch anew to follow it")
        watching.wait_for("not used: the rules stay as they were")
        node.write_text(kept.replace("clusterCIDR: 10.10.0.0/16", "clusterCIDR: 10.20.0.0/16"))
        watching.wait_for("the node, the configuration or the Service CIDRs changed: ")
        out = watching.end()
    assert "! -s 10.20.0.0/16" in out and out.count("\n") < 10


def test_another_first_family_is_not_followed_without_a_word(manifests: Path) -> None:
    node = manifests.with_name("node-file.yaml")
    node.write_text("name: n1\nips: [192.168.10.1]\n")
    with Watching(manifests, "--node-file", str(node)) as watching:
        watching.wait_for("watching 4 files (IPv4)")
        node.write_text("name: n1\nips: ['fd00::1']\n")
        watching.wait_for("the node's first family is IPv6 now: start watch anew to follow it")
        node.write_text("name: n1\nips: [192.168.10.1]\n")
        replace_a_pod(manifests)
        assert "10.10.1.90:80" in watching.end()


def test_an_interrupt_ends_it_with_the_exit_code_of_one(manifests: Path) -> None:
    with Watching(manifests) as watching:
        watching.wait_for("watching 3 files (IPv4)")
        watching.process.send_signal(signal.SIGINT)
        watching.process.communicate(timeout=30)
        assert watching.process.returncode == 130


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


@pytest.mark.kernel
def test_a_namespace_follows_another_configuration_too(manifests: Path, netns: Namespace) -> None:
    need("iptables-nft-save")
    node = manifests / "node.yaml"
    with Watching(manifests, "--apply", "--netns", netns.name) as watching:
        watching.wait_for("watching 3 files")
        node.write_text(node.read_text().replace("10.10.0.0/16", "10.20.0.0/16"))
        watching.wait_for("all is looked at")
        watching.end()
    listing = netns.run("iptables-nft-save")
    assert "! -s 10.20.0.0/16" in listing and "! -s 10.10.0.0/16" not in listing


@pytest.mark.kernel
def test_a_label_of_the_node_that_no_rule_shows_is_no_transaction(manifests: Path, netns: Namespace) -> None:
    need("iptables-nft-save")
    node = manifests / "node.yaml"
    with Watching(manifests, "--apply", "--netns", netns.name) as watching:
        watching.wait_for("watching 3 files")
        node.write_text(node.read_text().replace("zone: zone-a", "zone: zone-b"))
        watching.wait_for("all is looked at")
        watching.wait_for("nothing to do")
        replace_a_pod(manifests)
        watching.end()
    assert "10.10.1.90:80" in netns.run("iptables-nft-save")


@pytest.mark.kernel
def test_a_namespace_that_went_away_is_made_anew(manifests: Path, rulegen: Rulegen) -> None:
    need("iptables-nft-save", "ip")
    name = f"rulegen-watch-{os.getpid()}"
    try:
        with Watching(manifests, "--apply", "--netns", name, "--create") as watching:
            watching.wait_for("watching 3 files")
            subprocess.run(["ip", "netns", "delete", name], check=True)
            replace_a_pod(manifests)
            watching.wait_for("the kernel refused it, so all was looked at")
            watching.wait_for(f"{name}: made, 1 service changed")
            watching.end()
        assert "nothing to do" in rulegen("apply", "-f", str(manifests), "--netns", name).out
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False)


def test_what_cannot_be_watched_is_told(rulegen: Rulegen) -> None:
    assert "standard input cannot be watched" in rulegen("watch", "-f", "-").err
    userspace = rulegen("watch", "-f", str(NGX), "--mode", "userspace", "--kube-version", "1.25")
    assert userspace.code == 2 and "changes of rules in userspace mode cannot be followed" in userspace.err
    unmade = ("--apply", "--netns", "rulegen-never-made", "--create")
    userspace = rulegen("watch", "-f", str(NGX), "--mode", "userspace", "--kube-version", "1.25", *unmade)
    assert userspace.code == 2 and "cannot be followed" in userspace.err
    assert not Path("/run/netns/rulegen-never-made").exists()
    for interval in ("-1", "nan", "inf", "1e300"):
        done = rulegen("watch", "-f", str(NGX), "--interval", interval)
        assert (done.code, done.err) == (
            2,
            f"error: --interval {float(interval):g}: must be from 0.01 to 86400 seconds\n",
        )
    assert "--create goes with --apply" in rulegen("watch", "-f", str(NGX), "--create").err
    assert rulegen("watch", "-f", str(NGX), "--count", "-1").code == 2
    assert "--apply and --netns NAME go together" in rulegen("watch", "-f", str(NGX), "--apply").err
