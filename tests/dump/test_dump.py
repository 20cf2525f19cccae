"""What people have from a node: one listing in a file, several, or the archive of `rulegen collect`."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from rulegen.dump import DumpError, mode_of, read, recognise, script, variant
from tests.kernel.netns import Namespace, need
from tests.recorded import cases

NODES = [*cases("dumps-1.37"), *cases("dumps-ipvs-1.37")]


@pytest.mark.parametrize("node", NODES, ids=lambda node: f"{node['name']}-{node['variant']}")
def test_every_listing_of_a_node_is_recognised_by_its_text(node: dict[str, dict[str, str]]) -> None:
    for command, text in node["dumps"].items():
        # What has no counters in any rule line may have been printed with -c all the same.
        assert recognise(text) in (command, command.removesuffix(" -c"))


def test_both_families_may_stand_in_one_file(tmp_path: Path) -> None:
    dumps = NODES[0]["dumps"]
    both = tmp_path / "node.save"
    both.write_text(dumps["iptables-save"] + dumps["ip6tables-save"])
    assert read(str(both)) == {name: dumps[name] for name in ("iptables-save", "ip6tables-save")}


def test_the_header_tells_the_variant() -> None:
    for node in NODES:
        if "iptables-save" in node["dumps"]:
            assert variant(node["dumps"]) == node["variant"]


def test_a_file_that_is_no_dump_is_refused_with_what_is_known(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("hello\n")
    with pytest.raises(DumpError, match=r"notes.txt: neither a dump nor an archive.*iptables-save"):
        read(str(other))


def test_a_missing_file_a_binary_and_a_broken_archive_are_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="No such file"):
        read(str(tmp_path / "gone"))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DumpError, match="not text"):
        read(str(binary))
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(b"\x1f\x8b" + b"x" * 100)
    with pytest.raises(DumpError, match="not a readable archive"):
        read(str(broken))


def test_an_archive_with_other_files_beside_the_listings_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "node.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (("./iptables-save.txt", "*nat\nCOMMIT\n"), ("./README", "mine\n")):
            data = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert read(str(path)) == {"iptables-save": "*nat\nCOMMIT\n"}


@pytest.mark.kernel
def test_the_collect_script_gathers_a_namespace(netns: Namespace, tmp_path: Path) -> None:
    need("iptables-save", "nft")
    netns.run("iptables", "-t", "nat", "-N", "KUBE-SERVICES")
    path = tmp_path / "collect.sh"
    path.write_text(script())
    netns.run("sh", str(path), str(tmp_path / "node.tar.gz"))
    listings = read(str(tmp_path / "node.tar.gz"))
    assert ":KUBE-SERVICES - [0:0]" in listings["iptables-save"]
    assert '"ifname":"lo"' in listings["ip -j addr"]


def test_the_collect_script_is_plain_posix_shell() -> None:
    subprocess.run(["sh", "-n"], input=script(), text=True, check=True)


@pytest.mark.kernel
@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_the_collect_script_finds_rules_in_either_variant(
    netns: Namespace, tmp_path: Path, variant: str
) -> None:
    need("iptables-legacy", "iptables-nft")
    netns.run(f"iptables-{variant}", "-A", "INPUT", "-p", "tcp", "--dport", "7", "-j", "DROP")
    path = tmp_path / "collect.sh"
    path.write_text(script())
    netns.run("sh", str(path), str(tmp_path / "node.tar.gz"))
    assert "--dport 7 -j DROP" in read(str(tmp_path / "node.tar.gz"))["iptables-save"]


IPVS_RULE = '-A INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL'


@pytest.mark.parametrize(
    ("listings", "mode"),
    [
        ({"nft list ruleset": "table ip kube-proxy {\n}\n"}, "nftables"),
        ({"nft list ruleset": "add table ip kube-proxy\n"}, "nftables"),  # a script of ours
        (
            {"nft -j list ruleset": '{"nftables": [{"table": {"family": "ip6", "name": "kube-proxy"}}]}'},
            "nftables",
        ),
        # iptables-nft on a node of the ipvs mode: a comment names kube-proxy.
        ({"nft list ruleset": IPVS_RULE, "ipvsadm -Sn": "-A -t 10.96.0.1:443 -s rr\n"}, "ipvs"),
        ({"ipvsadm -Ln": "IP Virtual Server version 1.2.1 (size=4096)\n"}, "iptables"),
        ({"ipset save": "create KUBE-CLUSTER-IP hash:ip,port family inet\n"}, "ipvs"),
        ({"iptables-save": ":KUBE-PORTALS-HOST - [0:0]\n"}, "userspace"),
        ({"iptables-save": ":KUBE-SERVICES - [0:0]\n"}, "iptables"),
        ({}, "iptables"),
    ],
)
def test_the_mode_of_a_node_is_told_by_its_listings(listings: dict[str, str], mode: str) -> None:
    assert mode_of(listings) == mode
