"""Every command that was recorded from the real kubectl, byte for byte."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rulegen.conformance import kubectl
from rulegen.kubectl import Cluster, run, to_json, to_kyaml, to_yaml
from rulegen.kubectl.age import moment
from tests.recorded import FIXTURES, cases

CASES = list(cases("kubectl-1.37"))


def own(name: str) -> Iterator[dict[str, Any]]:
    """The cases of a file of fixtures/kubectl."""
    path: Path = FIXTURES / "kubectl" / f"{name}-1.37.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_recorded_commands_print_the_same(case: dict[str, Any]) -> None:
    for command in case["commands"]:
        told = kubectl(case["objects"], ["-n", case["name"], *command["args"]], command["now"])
        expected = {part: command[part] for part in ("code", "stdout", "stderr")}
        assert told == expected, command["args"]


ODD = list(own("odd"))


@pytest.mark.parametrize("case", ODD, ids=[case["name"] for case in ODD])
def test_commands_about_odd_objects_print_the_same(case: dict[str, Any]) -> None:
    cluster = Cluster(case["objects"])
    for command in case["commands"]:
        told = run(cluster, command["args"], moment(command["now"]))
        expected = (command["code"], command["stdout"], command["stderr"])
        assert (told.code, told.stdout, told.stderr) == expected, command["args"]


MANNERS = next(own("manners"))
SHOP = Cluster(MANNERS["objects"])


@pytest.mark.parametrize("command", MANNERS["commands"], ids=lambda command: " ".join(command["args"])[:80])
def test_command_lines_are_understood_as_kubectl_does(command: dict[str, Any]) -> None:
    told = run(SHOP, command["args"], moment(command["now"]))
    assert (told.code, told.stdout, told.stderr) == (command["code"], command["stdout"], command["stderr"])


def test_objects_are_written_as_kubectls_printers_do() -> None:
    for case in own("texts"):
        item = case["object"]
        assert to_yaml(item) == case["yaml"]
        assert to_json(item) == case["json"]
        assert to_kyaml(item) == case["kyaml"]
