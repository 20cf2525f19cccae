"""Each command told as a story: what people type over the manifests in fixtures/, and what comes back.

A story is a text file in tests/golden/stories: lines with ``## `` tell, those with ``$ `` are typed, all
others are what was printed: standard output, then standard error behind ``! ``, then the exit code where it
is not 0. To tell a new one, write its first two kinds of lines; ``pytest --update-golden`` writes the rest.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from rulegen.pytest_plugin import Golden
from tests.cli.running import FIXTURES, Result, Rulegen

STORIES = Path(__file__).parent / "stories"


def typed(rulegen: Rulegen, line: str) -> Result:
    """Run what stands behind a prompt, one or more commands with pipes between them."""
    out, noted, code = "", "", 0
    for part in line.split(" | "):
        program, *words = shlex.split(part)
        assert program == "rulegen", f"{part}: a story is about rulegen"
        code, out, err = rulegen(*words, stdin=out)
        noted += err
    return Result(code, out, noted)


def told(rulegen: Rulegen, story: str) -> str:
    """A story with what is printed now."""
    text = ""
    for line in story.splitlines():
        if line.startswith("## "):
            text += f"{line}\n"
        elif line.startswith("$ "):
            done = typed(rulegen, line.removeprefix("$ "))
            text += f"{line}\n{done.out}"
            text += "".join(f"! {each}\n" for each in done.err.splitlines())
            text += f"[exit {done.code}]\n\n" if done.code else "\n"
    return text


@pytest.mark.parametrize("story", sorted(path.stem for path in STORIES.glob("*.txt")))
def test_the_story_is_still_true(
    rulegen: Rulegen, rulegen_golden: Golden, monkeypatch: pytest.MonkeyPatch, story: str
) -> None:
    monkeypatch.chdir(FIXTURES)
    monkeypatch.setenv("NO_COLOR", "1")
    path = STORIES / f"{story}.txt"
    rulegen_golden.text(told(rulegen, path.read_text()), path)


@pytest.mark.parametrize(
    ("golden", "manifests", "number", "mode"),
    [
        ("bookshop-n1-iptables", "bookshop", 1, "iptables"),
        ("bookshop-n3-nftables", "bookshop", 3, "nftables"),
        ("ngx-userspace", "ngx", 1, "userspace"),
    ],
)
def test_the_rules_are_those_of_the_golden_file(
    rulegen_golden: Golden, golden: str, manifests: str, number: int, mode: str
) -> None:
    """Of Services that nobody has created yet, too: what they will be allocated is known."""
    rulegen_golden(
        FIXTURES / manifests,
        f"golden/{golden}.rules",
        node={"name": f"n{number}", "ips": [f"192.168.20.{number}"]},
        mode=mode,
        version="1.25" if mode == "userspace" else None,
    )
