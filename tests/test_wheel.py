"""What users install is what was tested: the wheel has all it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree and unpacked into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
    ]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=120)
    return target


def run(installed: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "rulegen.cli.main", *arguments]
    done = subprocess.run(
        command, env=environment, cwd=installed, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def test_the_wheel_renders_and_explains(installed: Path) -> None:
    ngx = str(ROOT / "fixtures" / "ngx")
    assert run(installed, "render", "-f", ngx).startswith("*filter\n")
    # Explanations are framed by templates, which the wheel has to carry.
    assert "2 of 2 are ready." in run(installed, "explain", "endpoints", "ngx-svc", "-f", ngx)


def test_the_wheel_carries_types_and_data(installed: Path) -> None:
    assert (installed / "rulegen" / "py.typed").is_file()
    assert (installed / "rulegen" / "load" / "api" / "schema.json").is_file()
    assert list((installed / "rulegen" / "templates").glob("*.j2"))
