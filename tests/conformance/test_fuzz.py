"""Random scenarios through both sides, up to the first difference, told as a small story."""

from pathlib import Path

import pytest

from rulegen.conformance import fuzz, stories
from tests.conformance import recorder_double


def test_the_first_difference_becomes_a_story(
    recorder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--recorder", str(recorder), "--mode", "iptables", "--count", "20", "--seed", "3"]
    assert fuzz.main([*arguments, "--jobs", "1", "--fixtures", str(tmp_path / "scenarios")]) == 1
    told = capsys.readouterr().out
    assert "iptables: 20 scenarios of seed 3 in" in told
    assert "2 differ" in told
    assert "g3-00007-iptables: IPv4: jumps: missing 'nat -N ODD'" in told
    (story,) = stories.read(tmp_path / "scenarios" / "g3-00007-iptables", "1.37")
    (service,) = story["services"]
    assert service == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "odd"},
        "spec": {"clusterIP": "10.96.0.3"},
    }


def test_no_difference_is_said_in_one_line(
    recorder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz.main(["--recorder", str(recorder), "--mode", "iptables", "--count", "5", "--jobs", "1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("0 differ")


def test_what_kube_proxy_does_not_do_twice_is_no_difference(recorder: Path) -> None:
    scenario = recorder_double.scenario(1, 1, "iptables")
    scenario["services"][0]["metadata"]["name"] = "fickle"
    assert fuzz.minimal(recorder, scenario) is None


def test_an_error_of_ours_is_a_difference() -> None:
    assert "KeyError" in (fuzz.judge("iptables", {}, {"mode": "iptables"}) or "")
