"""The command line starts quickly: a command is made when it is called."""

from __future__ import annotations

import subprocess
import sys

from rulegen.cli.commands import COMMANDS, Commands
from tests.cli.running import Rulegen


def test_every_command_of_the_help_is_in_the_room_that_is_named_for_it(rulegen: Rulegen) -> None:
    group = Commands(name="rulegen")
    for name in COMMANDS:
        command = group.commands.get(name)
        assert command is not None and command.name == name
    told = rulegen("--help").out
    for name, (_, about) in COMMANDS.items():
        assert f"  {name} " in told and about in told


def test_the_help_reads_no_room_of_the_product() -> None:
    script = "import sys, rulegen.cli.main; print(*[m for m in sys.modules if m.startswith('rulegen')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {
        "rulegen",
        "rulegen.cli",
        "rulegen.cli.commands",
        "rulegen.cli.main",
        "rulegen.cli.streams",
    }


def test_a_command_that_was_mistyped_is_told_with_the_one_that_was_meant(rulegen: Rulegen) -> None:
    done = rulegen("shwo", "svc/web")
    assert done.code == 2 and "Did you mean 'show'?" in done.err
