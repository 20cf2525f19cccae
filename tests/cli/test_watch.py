"""Editing manifests with `rulegen watch` beside the editor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import FIXTURES, Rulegen

NGX = FIXTURES / "ngx"
ROOT = FIXTURES.parent


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    for file in NGX.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text())
    return folder


def test_an_edit_prints_the_transaction_and_a_broken_file_is_passed_over(manifests: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "rulegen.cli.main",
        "watch",
        "-f",
        str(manifests),
        "--interval",
        "0.05",
        "--count",
        "1",
    ]
    watching = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert watching.stderr is not None
    said: list[str] = []

    def wait_for(text: str) -> None:
        end = time.monotonic() + 30
        assert watching.stderr is not None
        while time.monotonic() < end:
            line = watching.stderr.readline()
            said.append(line)
            if text in line:
                return
        raise AssertionError(said)

    try:
        wait_for("watching 3 files (IPv4)")
        pods = manifests / "pods.yaml"
        good = pods.read_text()
        pods.write_text("kind: [")
        wait_for("not used: the rules stay as they were")
        pods.write_text(good.replace("10.10.1.86", "10.10.1.90"))
        out, _ = watching.communicate(timeout=30)
    finally:
        watching.kill()
        watching.wait()
    assert watching.returncode == 0
    assert out.startswith("*nat\n") and out.endswith("COMMIT\n")
    assert "--to-destination 10.10.1.90:80" in out and "10.10.0.232" not in out


def test_standard_input_and_other_modes_cannot_be_watched(rulegen: Rulegen) -> None:
    assert "standard input cannot be watched" in rulegen("watch", "-f", "-").err
    assert "iptables mode only" in rulegen("watch", "-f", str(NGX), "--mode", "nftables").err
