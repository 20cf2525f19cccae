"""A shop's transcripts: what the real kubectl 1.37 printed about objects.yaml, read as one would read them.

Each file of fixtures/kubectl/shop holds commands and what they printed, stdout before stderr, and the exit
code where it is not 0.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rulegen.kubectl import Cluster, run
from rulegen.kubectl.age import moment

SHOP = Path(__file__).parents[2] / "fixtures" / "kubectl" / "shop"
OBJECTS: list[dict[str, Any]] = yaml.safe_load((SHOP / "objects.yaml").read_text())["items"]
CLUSTER = Cluster(OBJECTS)


def transcripts() -> Iterator[Any]:
    for path in sorted(SHOP.glob("*.txt")):
        head, *commands = re.split(r"^\$ kubectl(?: |(?=\n))", path.read_text(), flags=re.MULTILINE)
        now = re.findall(r"^# (\S+Z)$", head, re.MULTILINE)[0]
        for each in commands:
            line, _, printed = each.partition("\n")
            yield pytest.param(now, line, printed.removesuffix("\n"), id=f"{path.stem}: {line}")


@pytest.mark.parametrize(("now", "line", "printed"), list(transcripts()))
def test_the_shop_looks_as_it_did_to_kubectl(now: str, line: str, printed: str) -> None:
    outcome = run(CLUSTER, shlex.split(line), moment(now))
    told = outcome.stdout + outcome.stderr + (f"[exit {outcome.code}]\n" if outcome.code else "")
    assert told == printed
