"""Applying the ipvs mode on a kernel that has it: user-mode-linux runs tests/netns/ipvs_stories.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.netns.lab import THOROUGH
from tests.uml.harness import Machine

ROOT = Path(__file__).parent.parent.parent

PROGRAM = f"""\
cd {ROOT}
modprobe -a ipv6 dummy || exit 1
export RULEGEN_TEST_IPVS=1
exec {sys.executable} -m pytest -q -x -p no:cacheprovider -p no:xdist tests/netns/ipvs_stories.py
"""


@pytest.mark.uml
@pytest.mark.xdist_group("uml")
def test_the_stories_of_the_ipvs_mode_come_true_on_a_kernel(uml: Machine) -> None:
    result = uml.run(PROGRAM, seconds=3600 if THOROUGH else 480)
    assert result.code == 0, result.stdout + result.stderr
    assert " passed" in result.stdout and "skipped" not in result.stdout
