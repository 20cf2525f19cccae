"""Tables as ``kubectl get`` prints them (``k8s.io/cli-runtime/pkg/printers``, 1.37).

A table is what the server answers: one for a list (in chunks), one for each object asked for by name. kubectl
adds columns for namespace and labels, and lets a tab writer align what it prints until another type comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from rulegen.kubectl.columns import COLUMNS, NAME, Cell, Column
from rulegen.kubectl.columns.base import created
from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.plain import Object, fields, name_of, namespace_of
from rulegen.kubectl.resources import Resource
from rulegen.kubectl.selectors import show_labels
from rulegen.kubectl.tabwriter import TabWriter

ROWS_PER_FLUSH = 100
"""kubectl lays out long tables in parts, so that a wide cell far below no longer widens the first rows."""

_BREAKS = "\f\n\r"


class Style(msgspec.Struct, frozen=True):
    """How a table is shown. ``labels`` are keys that get columns of their own."""

    wide: bool = False
    headers: bool = True
    show_labels: bool = False
    labels: tuple[str, ...] = ()
    show_kind: bool = False
    server: bool = True


class Table(msgspec.Struct, frozen=True):
    """``padded`` says that kubectl evens out the first line itself, which it does for the server's tables."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    padded: bool = True


def writer() -> TabWriter:
    """The tab writer of tables."""
    return TabWriter(min_width=6, padding=3, remember=True)


def table(
    resource: Resource,
    objects: Sequence[Object],
    now: datetime,
    style: Style,
    *,
    namespaces: bool = False,
    kinds: bool = False,
) -> Table:
    """The table of objects of one type; ``namespaces`` and ``kinds`` put these before the name."""
    known = COLUMNS.get((resource.group, resource.kind))
    if not objects:
        return Table((NAME,) if known is None else known.columns, ())
    if not style.server:
        columns: tuple[Column, ...] = (NAME, Column("AGE"))
        rows: list[tuple[Cell, ...]] = [(name_of(item), created(item, now)) for item in objects]
    elif known is None:
        raise KubectlError(f"rulegen has no columns for {resource.full_name}: use -o name, yaml or json")
    else:
        columns = known.columns
        rows = [known.row(item, now) for item in objects]
    shown = [i for i, each in enumerate(columns) if style.wide or not each.wide]
    labels_shown = bool(style.labels) or style.show_labels
    cells: list[tuple[Cell, ...]] = []
    for item, row in zip(objects, rows, strict=True):
        first = f"{resource.group_kind}/{row[0]}" if kinds or style.show_kind else row[0]
        line: list[Cell] = [namespace_of(item)] if namespaces else []
        line += [first, *[row[i] for i in shown[1:]]]
        if labels_shown:
            labels = fields(item, "metadata", "labels")
            line += [labels.get(key, "") for key in style.labels]
            line += [show_labels(labels)] if style.show_labels else []
        cells.append(tuple(line))
    head = [Column("NAMESPACE")] if namespaces else []
    head += [columns[i] for i in shown]
    head += [Column(key.rpartition("/")[2].upper()) for key in style.labels]
    head += [Column("LABELS")] if style.show_labels else []
    return Table(tuple(head), tuple(cells), style.server)


def print_table(shown: Table, out: TabWriter, *, headers: bool) -> None:
    """Write the rows, after the columns' titles where there are ``headers``; nothing for no rows."""
    if not shown.rows:
        return
    if not shown.padded:
        titles = "\t".join(each.title for each in shown.columns)
        lines = ["\t".join(map(_text, row)) for row in shown.rows]
        out.write("\n".join([titles, *lines] if headers else lines) + "\n")
        return
    last = len(shown.columns) - 1
    # The titles, or else the first row, are padded to what is to come, as far as this table goes. Widths are
    # counted in bytes here, unlike those of the tab writer.
    widths = [max(len(_text(row[i]).encode()) for row in shown.rows) for i in range(last)]
    if headers:
        padded = [each.title.ljust(width) for each, width in zip(shown.columns, [*widths, 0], strict=True)]
        out.write("\t".join(padded) + "\n")
    for number, row in enumerate(shown.rows):
        cells = [_cell(each) for each in row]
        if not headers and number == 0:
            for i, width in enumerate(widths):
                cells[i] += " " * (width - len(_text(row[i]).encode()))
        out.write("\t".join(cells) + "\n")
        if (number + 1) % ROWS_PER_FLUSH == 0:
            out.flush()


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _cell(cell: Cell) -> str:
    text = _text(cell)
    if text.isprintable():
        return text
    cut = min((at for at in map(text.find, _BREAKS) if at >= 0), default=-1)
    return escaped(text if cut < 0 else text[:cut]) + ("" if cut < 0 else "...")


def escaped(text: str) -> str:
    """The text without what would move a terminal's cursor or change its colours."""
    return text.replace("\x1b", "^[").replace("\r", "\\r")


def chunks(objects: Sequence[Object], size: int) -> Iterable[Sequence[Object]]:
    """The parts in which the server hands out a list; one for a ``size`` of 0, and at least one."""
    if size <= 0 or len(objects) <= size:
        return [objects]
    return [objects[at : at + size] for at in range(0, len(objects), size)]
