"""Comparing: two states of a repository, two configurations, a cluster and one of its nodes."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import FIXTURES, Rulegen
from tests.recorded import cases

NGX = FIXTURES / "ngx"
IPTABLES_NODES = [c for c in cases("dumps-1.37") if "iptables-save" in c["dumps"]]


@pytest.fixture
def replaced(tmp_path: Path) -> str:
    """The beginner's application after one of its pods was replaced by another."""
    folder = tmp_path / "after"
    folder.mkdir()
    for file in NGX.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text().replace("10.10.1.86", "10.10.1.90"))
    return str(folder)


def test_a_replaced_pod_is_a_replaced_endpoint_and_nothing_else(rulegen: Rulegen, replaced: str) -> None:
    done = rulegen("diff", str(NGX), replaced)
    assert (done.code, done.out) == (
        1,
        "default/ngx-svc\n"
        "  - endpoint 10.10.1.86:80\n"
        "  + endpoint 10.10.1.90:80\n"
        "1 service port changed in IPv4: 444 bytes\n",
    )


def test_the_transaction_holds_only_what_changed(rulegen: Rulegen, replaced: str) -> None:
    done = rulegen("diff", str(NGX), replaced, "-o", "restore")
    assert done.code == 1
    assert done.out.startswith("*nat\n") and done.out.endswith("COMMIT\n")
    assert "-X KUBE-SEP-XWG4OMELOYUSY7NQ" in done.out and "10.10.0.232" not in done.out


def test_the_same_on_both_sides_is_no_difference(rulegen: Rulegen) -> None:
    for form in ("summary", "restore", "unified"):
        done = rulegen("diff", str(NGX), str(NGX), "-o", form)
        assert (done.code, done.out) == (0, "")
    assert json.loads(rulegen("diff", str(NGX), str(NGX), "-o", "json").out) == {
        "different": False,
        "families": [],
    }


def test_two_configurations_of_one_cluster_can_be_compared(rulegen: Rulegen, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        "clusterCIDR: 10.99.0.0/16\n"
    )
    done = rulegen("diff", str(NGX), str(NGX), "--b-config", str(config), "-o", "unified")
    assert done.code == 1
    assert "! -s 10.99.0.0/16 -j KUBE-MARK-MASQ" in done.out


def test_two_nodes_of_one_cluster_can_be_compared(rulegen: Rulegen, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.mkdir()
    for file in NGX.glob("*.yaml"):
        text = file.read_text().replace(
            "  type: NodePort\n", "  type: NodePort\n  internalTrafficPolicy: Local\n"
        )
        (local / file.name).write_text(text)
    (tmp_path / "n1.yaml").write_text("name: n1\nips: [192.168.10.1]\n")
    (tmp_path / "n2.yaml").write_text("name: n2\nips: [192.168.10.2]\n")
    done = rulegen(
        "diff",
        str(local),
        str(local),
        "--a-node-file",
        "n1.yaml",
        "--b-node-file",
        "n2.yaml",
        "-o",
        "restore",
    )
    assert done.code == 1
    assert "KUBE-SVL-DQYKF4NVSQPF2JO7" in done.out


def write_side(folder: Path, case: dict[str, Any]) -> list[str]:
    """A recorded node: its dumps in one file, its cluster in another; the arguments that compare them."""
    scenario = case["scenario"]
    (folder / "node.save").write_text(case["dumps"]["iptables-save"] + case["dumps"]["ip6tables-save"])
    (folder / "node.json").write_text(json.dumps(scenario["node"]))
    (folder / "config.json").write_text(json.dumps(scenario["config"]))
    objects = [*scenario["services"], *scenario["slices"]]
    for item in objects:
        item["metadata"].setdefault("uid", "x")
    (folder / "cluster.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return ["diff", "cluster.json", "node.save", "--node-file", "node.json", "--config", "config.json"]


@pytest.mark.parametrize("case", IPTABLES_NODES, ids=lambda case: str(case["name"]))
def test_a_node_that_a_real_kube_proxy_programmed_is_as_it_should_be(
    rulegen: Rulegen, tmp_path: Path, case: dict[str, Any]
) -> None:
    done = rulegen(*write_side(tmp_path, case))
    assert done.code == 0, done
    assert set(done.out.splitlines()) <= {
        "IPv4: the node is as it should be",
        "IPv6: the node is as it should be",
    }


def test_a_rule_that_is_gone_from_a_node_is_named_with_what_that_does(
    rulegen: Rulegen, tmp_path: Path
) -> None:
    case = IPTABLES_NODES[0]
    arguments = write_side(tmp_path, case)
    dump = (tmp_path / "node.save").read_text().splitlines(keepends=True)
    lost = next(i for i, line in enumerate(dump) if "--to-destination" in line)
    (tmp_path / "node.save").write_text("".join(dump[:lost] + dump[lost + 1 :]))
    done = rulegen(*arguments)
    assert done.code == 1
    assert "missing" in done.out and "KUBE-SEP-" in done.out
    data = json.loads(rulegen(*arguments, "-o", "json").out)
    assert data["different"]
    assert [f["what"] for family in data["families"] for f in family["findings"]] == ["missing"]


def test_sides_that_cannot_be_compared_are_told_why(rulegen: Rulegen, tmp_path: Path) -> None:
    assert "standard input can be one side only" in rulegen("diff", "-", "-").err
    nft = tmp_path / "nft.yaml"
    nft.write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n"
    )
    done = rulegen("diff", str(NGX), str(NGX), "--b-config", str(nft))
    assert (done.code, done.out) == (2, "")
    assert "the sides are in different modes (iptables, nftables)" in done.err
    done = rulegen("diff", str(NGX), "gone.yaml")
    assert done.code == 2 and "the path does not exist" in done.err


def test_dumps_without_a_family_in_common_are_not_called_equal(rulegen: Rulegen, tmp_path: Path) -> None:
    case = next(c for c in IPTABLES_NODES if "ip6tables-save" in c["dumps"])
    for name in ("iptables-save", "ip6tables-save"):
        (tmp_path / name).write_text(case["dumps"][name])
    done = rulegen("diff", str(tmp_path / "iptables-save"), str(tmp_path / "ip6tables-save"))
    assert (done.code, done.out) == (2, "")
    assert "hold no rules of the same mode and family to compare" in done.err


def test_a_dump_may_come_by_a_pipe(rulegen: Rulegen) -> None:
    rules = rulegen("render", "-f", str(NGX), "-o", "save", "--with-jumps").out
    assert rulegen("diff", str(NGX), "-", stdin=rules).out == "IPv4: the node is as it should be\n"
    done = rulegen("diff", "-", str(NGX), stdin=rules.replace("10.10.1.86:80", "10.10.1.99:80"))
    assert done.code == 1 and "10.10.1.99:80" in done.out


def test_manifests_may_come_by_a_pipe(rulegen: Rulegen) -> None:
    app = "\n---\n".join(file.read_text() for file in sorted(NGX.glob("*.yaml")))
    done = rulegen("diff", "-", str(NGX), stdin=app)
    assert (done.code, done.out) == (0, "")


def test_a_pipe_with_a_name_can_be_a_side(rulegen: Rulegen, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    rules = rulegen("render", "-f", str(NGX), "-o", "save", "--with-jumps").out
    writer = threading.Thread(target=pipe.write_text, args=(rules,))
    writer.start()
    done = rulegen("diff", str(NGX), str(pipe))
    writer.join()
    assert (done.code, done.out) == (0, "IPv4: the node is as it should be\n")


def test_a_node_that_answers_with_nothing_has_no_rules(rulegen: Rulegen, tmp_path: Path) -> None:
    """``iptables-save`` prints nothing where nobody has made a rule yet."""
    (tmp_path / "iptables-save.txt").write_text("")
    done = rulegen("diff", str(NGX), str(tmp_path))
    assert done.code == 1
    assert "missing: all chains and rules of kube-proxy" in done.out


def test_the_text_for_a_tool_is_that_of_one_family(rulegen: Rulegen, tmp_path: Path) -> None:
    """Piped into ``iptables-restore``, rules of IPv6 would do harm."""
    app = (FIXTURES / "scenarios" / "dual-stack" / "objects.yaml").read_text()
    (tmp_path / "before.yaml").write_text(app.replace("180::5", "180::6").replace("180.0.5", "180.0.6"))
    (tmp_path / "after.yaml").write_text(app)
    sides = (str(tmp_path / "before.yaml"), str(tmp_path / "after.yaml"), "-o", "restore")
    both = rulegen("diff", *sides)
    other = rulegen("diff", *sides, "--family", "IPv6")
    assert both.code == other.code == 1
    assert both.out and other.out and ("fd00:" in both.out, "fd00:" in other.out) == (False, True)
    assert "IPv6 changes, too: --family IPv6 prints what its own tool takes" in both.err


def test_manifests_without_a_mode_are_held_against_the_mode_of_the_node(
    rulegen: Rulegen, tmp_path: Path
) -> None:
    dump = tmp_path / "node.nft"
    dump.write_text(rulegen("render", "-f", str(NGX), "--mode", "nftables").out)
    done = rulegen("diff", str(NGX), str(dump))
    assert (done.code, done.out) == (
        0,
        "IPv4: the node is as it should be\nIPv6: the node is as it should be\n",
    )
    assert "nftables mode is meant, as the node's rules are of that" in done.err
    assert rulegen("diff", str(NGX), str(dump), "--mode", "iptables").code == 2
