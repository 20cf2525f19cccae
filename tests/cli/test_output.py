"""How things look: tables on narrow terminals, and warnings that would repeat themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rulegen.cli import output
from tests.cli.running import FIXTURES, Rulegen

ROWS = [
    ("10.10.0.232:80", "ngx-dep-1", "ready"),
    ("10.10.1.86:80", "ngx-dep-2", "zone hints: this node is in zone-a, the endpoint is for zone-b"),
]


def test_the_last_column_goes_on_below_itself_where_the_terminal_ends() -> None:
    assert output.table(("ENDPOINT", "POD", "WHY"), ROWS, width=60) == (
        "ENDPOINT         POD         WHY\n"
        "10.10.0.232:80   ngx-dep-1   ready\n"
        "10.10.1.86:80    ngx-dep-2   zone hints: this node is in\n"
        "                             zone-a, the endpoint is for\n"
        "                             zone-b\n"
    )


def test_where_no_words_would_fit_the_terminal_does_as_it_likes() -> None:
    assert output.table(("ENDPOINT", "POD", "WHY"), ROWS, width=40).count("\n") == 3


def test_in_a_pipe_a_row_is_a_line(rulegen: Rulegen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert (
        len(rulegen("explain", "endpoints", "ngx-svc", "-f", str(FIXTURES / "ngx")).out.splitlines()[1]) > 60
    )


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "72")
    assert output.terminal_width() == 72
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert output.terminal_width() == sys.maxsize


def test_a_warning_about_many_objects_is_one_line_and_validate_lists_all(
    rulegen: Rulegen, tmp_path: Path
) -> None:
    """As kubectl, which prints each warning of the API server once."""
    (tmp_path / "many.yaml").write_text(
        "".join(
            f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{i}}}\n"
            f"spec: {{clusterIP: 10.96.0.{i}, externalIPs: [203.0.113.{i}], ports: [{{port: 80}}]}}\n---\n"
            for i in range(2, 32)
        )
    )
    rendered = [line for line in rulegen("render", "-f", "many.yaml").err.splitlines() if "warning" in line]
    assert len(rendered) == 1
    assert rendered[0].startswith("warning: many.yaml:4: Service default/s2: spec.externalIPs: ")
    assert rendered[0].endswith(" (and 29 more like it; rulegen validate lists them)")
    assert rulegen("validate", "-f", "many.yaml").err.count("warning: ") == 30
