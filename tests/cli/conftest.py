from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Rulegen


@pytest.fixture
def rulegen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Rulegen:
    monkeypatch.chdir(tmp_path)
    return Rulegen(monkeypatch, capsys)
