"""The README shows what really happens: its commands print what stands below them, to the letter."""

from __future__ import annotations

import doctest
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Rulegen

ROOT = Path(__file__).parent.parent
PROMPT = "    $ rulegen "


def shown() -> Iterator[tuple[str, list[str]]]:
    """Every command over the beginner's manifests, with the lines shown as its output."""
    command, output = "", list[str]()
    for line in [*(ROOT / "README.md").read_text().splitlines(), "end"]:
        inside = line.startswith("    ") or not line
        if command and (not inside or line.startswith("    $ ")):
            yield command, output
            command = ""
        if line.startswith(PROMPT) and "-f fixtures/ngx" in line:
            command, output = line.removeprefix(PROMPT), []
        elif command:
            output.append(line.removeprefix("    "))


@pytest.mark.parametrize(("command", "output"), [pytest.param(*each, id=each[0]) for each in shown()])
def test_a_command_prints_what_the_readme_shows(
    rulegen: Rulegen, monkeypatch: pytest.MonkeyPatch, command: str, output: list[str]
) -> None:
    monkeypatch.chdir(ROOT)
    call, _, wanted = command.partition(" | grep ")
    done = rulegen(*shlex.split(call))
    printed = "\n".join(line for line in done.out.splitlines() if wanted in line).rstrip()
    whole, elided, _ = "\n".join(output).rstrip().partition("\n...")
    assert done.code == 0
    assert printed == whole or (elided and printed.startswith(whole + "\n"))


def test_the_readme_shows_the_commands_of_a_beginner() -> None:
    shown_commands = {command.split()[0] for command, _ in shown()}
    assert {"render", "show", "explain"} <= shown_commands


def test_the_kernels_in_memory_answer_as_the_readme_shows() -> None:
    text = (ROOT / "README.md").read_text()
    section = text[text.index("### A kernel in memory") : text.index("### In Python")]
    test = doctest.DocTestParser().get_doctest(section, {}, "README.md", "README.md", 0)
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0
    assert len(test.examples) >= 10
