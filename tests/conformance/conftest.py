"""Fixtures of the recorder's tests."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """A recorder whose Services called odd differ."""
    program = tmp_path / "recorder"
    root = Path(__file__).parents[2]
    program.write_text(
        f"#!/bin/sh\ncd '{root}'\nexec '{sys.executable}' -m tests.conformance.recorder_double \"$@\"\n"
    )
    program.chmod(0o755)
    return program
