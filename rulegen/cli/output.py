"""How results are printed: data on standard output, notes on standard error, colour on a terminal only."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rulegen.backend import Branch
    from rulegen.load.problems import Problem


_INDEX = re.compile(r"\[\d+\]")
_GAP = "   "
LEAST_ROOM = 16
"""Columns below which wrapping makes nothing easier to read."""


def colourful(stream: Any) -> bool:
    """Whether colour may be used on a stream: a terminal, and NO_COLOR (https://no-color.org) not set."""
    return not os.environ.get("NO_COLOR") and bool(stream.isatty())


def paint(text: str, colour: str, *, bold: bool = False, stream: Any = None) -> str:
    return typer.style(text, fg=colour, bold=bold) if colourful(stream or sys.stdout) else text


def framed(name: str, **values: Any) -> str:
    """A report from its template, with the colours of standard output."""
    from rulegen.reports import report

    painters = {
        "title": lambda text: paint(text, "green", bold=True),
        "heading": lambda text: paint(text, "bright_white", bold=True),
        "aside": lambda text: paint(text, "cyan"),
    }
    return report(name, painters, **values)


def note(text: str) -> None:
    """A note for the person at the terminal; never part of the data."""
    print(paint(text, "yellow", stream=sys.stderr), file=sys.stderr)


def note_warnings(warnings: Iterable[Problem], *, every: bool = False) -> None:
    """Warnings, each in a line; those that say the same of other objects are counted unless ``every``."""
    if every:
        for warning in warnings:
            note(f"warning: {warning}")
        return
    alike: dict[tuple[str, str], list[Problem]] = {}
    for warning in warnings:
        same = _INDEX.sub("[]", warning.field), _INDEX.sub("[]", warning.message)
        alike.setdefault(same, []).append(warning)
    for first, *others in alike.values():
        more = f" (and {len(others)} more like it; rulegen validate lists them)" if others else ""
        note(f"warning: {first}{more}")


def emit(text: str) -> None:
    """Data: whole text, with a newline at its end. Raises OSError where it does not arrive (``streams``)."""
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    sys.stdout.flush()


def dump(data: Any, form: str) -> None:
    """Plain data as ``json`` or ``yaml``."""
    if form == "json":
        emit(json.dumps(data, indent=2, ensure_ascii=False))
        return
    import yaml

    emit(yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=1000))


def dump_objects(items: Sequence[Any], form: str) -> None:
    """Kubernetes objects as ``kubectl apply`` takes them: a stream of YAML documents, or one JSON List."""
    if form == "json":
        dump({"apiVersion": "v1", "kind": "List", "items": items}, "json")
        return
    for index, item in enumerate(items):
        if index:
            emit("---")
        dump(item, "yaml")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None = None) -> str:
    """Columns as wide as their widest cell, three blanks between them; the last one is not padded.

    On a terminal that is too narrow for all of it the last column goes on below itself, where that leaves
    room for some words; ``width`` is that of the terminal unless it is given.
    """
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header) - 1)]
    before = sum(widths) + len(_GAP) * len(widths)
    room = (terminal_width() if width is None else width) - before
    text = []
    for line in lines:
        cells = [cell.ljust(each) for cell, each in zip(line, widths, strict=False)]
        first, *rest = wrapped(line[-1], room) if room >= LEAST_ROOM else [line[-1]]
        text.append(_GAP.join([*cells, first]).rstrip())
        text += [" " * before + each for each in rest]
    text[0] = paint(text[0], "bright_white", bold=True)
    return "\n".join(text) + "\n"


def terminal_width() -> int:
    """The columns of the terminal that standard output is; more than any line has where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most ``width``, broken at blanks only."""
    if len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def tree(branches: Sequence[Branch], *, about: dict[str, str] | None = None) -> str:
    """A tree in box-drawing characters; ``about`` says more of an endpoint's address."""
    lines: list[str] = []
    for branch in branches:
        lines.append(_label(branch, about or {}))
        _grow(branch.children, "", lines, about or {})
    return "\n".join(lines) + "\n" if lines else ""


def _grow(children: Sequence[Branch], indent: str, lines: list[str], about: dict[str, str]) -> None:
    # Notes of neighbours that have any stand below each other.
    width = max((len(child.label) for child in children if child.note), default=0)
    for index, child in enumerate(children):
        last = index == len(children) - 1
        lines.append(f"{indent}{'└─' if last else '├─'} {_label(child, about, width)}")
        _grow(child.children, indent + ("   " if last else "│  "), lines, about)


def _label(branch: Branch, about: dict[str, str], width: int = 0) -> str:
    label = branch.label
    if branch.endpoint and branch.endpoint in about:
        label += f"  ({about[branch.endpoint]})"
    if branch.note:
        label = f"{branch.label.ljust(width)}   " + paint(branch.note, "cyan")
    return label
