"""`make demo` is the first thing that anybody runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_demo_tells_the_beginners_story_to_its_end(tmp_path: Path) -> None:
    command = tmp_path / "rulegen"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rulegen.cli.main "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "fixtures" / "demo.sh")],
        env={**os.environ, "RULEGEN": str(command), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    headings = [line for line in done.stdout.splitlines() if line.startswith("## ")]
    assert len(headings) == 10
    assert ":KUBE-EXT-DQYKF4NVSQPF2JO7 - [0:0]" in done.stdout
    assert done.stdout.endswith("1 service port changed in IPv4: 444 bytes\n")
