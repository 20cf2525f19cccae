"""Recorded cases of our own: written once, kept while kube-proxy does what it did."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from rulegen.backend import modes
from rulegen.conformance import difference, recordings, replay
from rulegen.conformance.recorder import Recorder, generated, recorded
from tests.conformance import recorder_double

FIXTURES = Path(__file__).parents[2] / "fixtures"
OWN = {
    case["scenario"]["name"]: case
    for mode in modes()
    if (path := FIXTURES / "conformance" / f"1.37-{mode}-own.jsonl.gz").exists()
    for case in recordings.load(path)
}


def test_every_story_was_recorded_in_every_mode() -> None:
    stories = [path.name for path in (FIXTURES / "scenarios").iterdir()]
    for mode in modes():
        if mode != "userspace":
            assert {f"{story}-{mode}" for story in stories} <= OWN.keys()


@pytest.mark.parametrize("name", OWN)
def test_stories_and_generated_scenarios_give_the_rules_of_kube_proxy(name: str) -> None:
    scenario = OWN[name]["scenario"]
    assert difference(scenario["mode"], OWN[name]["expected"], replay(scenario)) is None


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    """A small tree of fixtures: one story, and six cases that others recorded."""
    for mode in ("iptables", "ipvs", "nftables"):
        story = tmp_path / "scenarios" / f"web-{mode}"
        shutil.copytree(FIXTURES / "scenarios" / "cluster-ip", story)
        config = (story / "config.yaml").read_text()
        (story / "config.yaml").write_text(config + f"mode: {mode}\n")
    (tmp_path / "conformance").mkdir()
    cases = [recorder_double.record(recorder_double.scenario(1, n, "iptables"), 0) for n in range(6)]
    write(tmp_path / "conformance" / "1.37-iptables.jsonl.gz", cases)
    return tmp_path


def write(path: Path, cases: list[dict[str, object]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(case) + "\n" for case in cases).encode()))


def test_cases_are_written_once_and_left_alone_while_they_are_true(
    recorder: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recordings, "RECORDED_MODES", ("iptables",))
    arguments = ["--recorder", str(recorder), "--fixtures", str(fixtures)]
    assert recordings.main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1.37-iptables.jsonl.gz: recorded once more, 0 differ",
        "1.37-iptables-own.jsonl.gz: written (new)",
    ]
    own = fixtures / "conformance" / "1.37-iptables-own.jsonl.gz"
    names = [case["scenario"]["name"] for case in recordings.load(own)]
    assert names[0] == "web-iptables-iptables"
    assert len(names) == 1 + recordings.COUNT

    assert recordings.main(arguments) == 0
    assert "still the same" in capsys.readouterr().out

    cases = list(recordings.load(own))
    cases[2]["expected"]["IPv4"]["jumps"].append("nat -N GONE")
    write(own, cases)
    assert recordings.main(arguments) == 0
    assert "written (g20260101-00001-iptables: IPv4: jumps: missing 'nat -N GONE')" in capsys.readouterr().out

    objects = fixtures / "scenarios" / "web-iptables" / "objects.yaml"
    objects.write_text(objects.read_text().replace("clusterIP: 10.96.0.10", "type: ClusterIP"))
    assert recordings.main(arguments) == 0
    told = capsys.readouterr().out
    assert "web-iptables-iptables: left out: not valid" in told
    assert "written (other scenarios)" in told


def test_a_recorder_that_contradicts_what_others_recorded_is_told_off(
    recorder: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recordings, "RECORDED_MODES", ("iptables",))
    judge = fixtures / "conformance" / "1.37-iptables.jsonl.gz"
    cases = list(recordings.load(judge))
    cases[4]["expected"]["IPv4"]["jumps"] = []
    write(judge, cases)
    assert recordings.main(["--recorder", str(recorder), "--fixtures", str(fixtures)]) == 1
    told = capsys.readouterr().out
    assert "1.37-iptables.jsonl.gz: recorded once more, 1 differ\ng1-00004-iptables: IPv4: jumps: " in told


def test_a_recorder_that_ends_early_is_noticed(tmp_path: Path) -> None:
    program = tmp_path / "recorder"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match="generate ended with 3, record with 3"):
        list(generated(program, "iptables", 1, 0, 1))
    with pytest.raises(RuntimeError, match="record ended with 3"):
        list(recorded(program, [recorder_double.scenario(1, n, "iptables") for n in range(200)]))


def test_the_recorder_answers_one_scenario_at_a_time(recorder: Path) -> None:
    with Recorder(recorder) as asked:
        scenario = recorder_double.scenario(1, 7, "iptables")
        first = asked.record(scenario)
        assert first is not None
        assert "nat -N ODD" in first["IPv4"]["jumps"]
        del scenario["services"][2]["spec"]["clusterIP"]
        assert asked.record(scenario) is None
