"""Named scenarios read like what a user has, and are what kube-proxy's side is asked about."""

import json
from pathlib import Path

import pytest

from rulegen.conformance import stories
from rulegen.conformance.shrink import shrink

SCENARIOS = Path(__file__).parents[2] / "fixtures" / "scenarios"
NAMES = sorted(path.name for path in SCENARIOS.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_story_is_told_in_every_mode_and_survives_being_written_down(name: str, tmp_path: Path) -> None:
    for scenario in stories.read(SCENARIOS / name, "1.37"):
        directory = tmp_path / scenario["mode"] / name
        stories.write(directory, scenario, "Why this matters.\nIn two lines.")
        assert (directory / "objects.yaml").read_text().startswith("# Why this matters.\n# In two lines.\n")
        assert stories.read(directory, "1.37") == [scenario]


def test_the_cluster_that_is_told_about_is_the_one_in_the_files() -> None:
    scenarios = stories.read(SCENARIOS / "dual-stack", "1.36")
    assert [scenario["name"] for scenario in scenarios] == [
        "dual-stack-iptables",
        "dual-stack-ipvs",
        "dual-stack-nftables",
    ]
    assert [scenario["config"]["mode"] for scenario in scenarios] == ["iptables", "ipvs", "nftables"]
    assert {scenario["version"] for scenario in scenarios} == {"1.36"}
    assert [service["metadata"]["name"] for service in scenarios[0]["services"]] == ["web", "six"]
    assert scenarios[0]["node"]["ips"] == ["192.168.10.11", "2001:db8:1::b"]
    assert scenarios[2]["serviceCIDRs"] == {"IPv4": ["10.96.0.0/12"], "IPv6": ["fd00:10:96::/112"]}
    assert "serviceCIDRs" not in scenarios[0]


def test_a_found_story_is_told_in_its_own_mode_with_all_that_its_kinds_need(tmp_path: Path) -> None:
    scenario = stories.read(SCENARIOS / "hints", "1.37")[1]
    small = shrink(scenario, lambda candidate: len(candidate["services"]) == 1)
    stories.write(tmp_path / "found", small, "Found.")
    (read,) = stories.read(tmp_path / "found", "1.37")
    assert read["mode"] == "ipvs"
    assert read["services"][0]["kind"] == "Service"


def test_objects_that_make_no_rules_are_named(tmp_path: Path) -> None:
    for file in ("node.yaml", "config.yaml"):
        (tmp_path / file).write_text("name: a\n")
    (tmp_path / "objects.yaml").write_text("kind: Pod\n")
    with pytest.raises(ValueError, match=r"objects.yaml: kind 'Pod' makes no rules"):
        stories.read(tmp_path, "1.37")
    (tmp_path / "objects.yaml").write_text("- a\n- b\n")
    with pytest.raises(ValueError, match=r"objects.yaml: a document is no mapping"):
        stories.read(tmp_path, "1.37")


def test_stories_are_printed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    stories.main(["--version", "1.35", str(SCENARIOS / "cluster-ip"), str(SCENARIOS / "node-port")])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"].rsplit("-", 1)[0] for line in lines[::3]] == ["cluster-ip", "node-port"]
    assert len(lines) == 6
