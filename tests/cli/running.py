"""Run the command line as a user does, and see what it prints."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from rulegen.cli.main import main

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Rulegen:
    """Calls ``rulegen ARGUMENTS`` in this process, from a folder of the test's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        self.monkeypatch.setattr(sys, "argv", ["rulegen", *arguments])
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        self.capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        out, err = self.capsys.readouterr()
        return Result(code, out, err)
