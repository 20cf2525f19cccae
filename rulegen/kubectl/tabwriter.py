"""Columns as Go's ``text/tabwriter`` aligns them, padded with spaces.

kubectl prints tables through a variant that remembers the width of each column over flushes
(``github.com/liggitt/tabwriter``, RememberWidths), and descriptions through the one of Go's library.
Both break cells and lines in the same way: ``\\t`` and ``\\v`` end a cell, ``\\n`` and ``\\f`` a line. A
column is a block of consecutive lines that have a cell there which is ended by a tab: the last cell of a line
belongs to no column.
"""

from __future__ import annotations

import re

_BREAK = re.compile("[\t\v\n\f]")


class TabWriter:
    """Text with tabs goes in by :meth:`write`, aligned text comes out by :meth:`flush` or :meth:`text`.

    ``min_width`` and ``padding`` count characters; a column is as wide as its widest cell and the padding,
    and at least ``min_width``. With ``remember``, a column that was printed before is never narrower again,
    until :meth:`forget`.
    """

    def __init__(self, *, min_width: int, padding: int, remember: bool = False) -> None:
        self._min_width = min_width
        self._padding = padding
        self._remember = remember
        self._remembered: list[int] = []
        self._lines: list[list[str]] = [[]]
        self._rest = ""
        self._out: list[str] = []

    def write(self, text: str) -> None:
        lines = self._lines
        start = 0
        for found in _BREAK.finditer(text):
            lines[-1].append(self._rest + text[start : found.start()])
            self._rest = ""
            start = found.end()
            stop = found.group()
            if stop in "\n\f":
                alone = len(lines[-1]) == 1
                lines.append([])
                if stop == "\f" or alone:
                    # A line of one cell ends every column, so that what came before can be laid out.
                    self.flush()
                    lines = self._lines
        self._rest += text[start:]

    def flush(self) -> None:
        """Lay out what was written so far; columns start anew."""
        if self._rest:
            self._lines[-1].append(self._rest)
            self._rest = ""
        self._format(0, len(self._lines), [])
        self._lines = [[]]

    def forget(self) -> None:
        """Forget the widths that were remembered."""
        self._remembered = []

    def text(self) -> str:
        """All that was laid out."""
        self.flush()
        text = "".join(self._out)
        self._out = [text]
        return text

    def _format(self, first: int, end: int, widths: list[int]) -> None:
        column = len(widths)
        lines = self._lines
        at = first
        while at < end:
            if column >= len(lines[at]) - 1:
                at += 1
                continue
            self._print(first, at, widths)
            first = at
            width = self._min_width
            while at < end and column < len(lines[at]) - 1:
                width = max(width, len(lines[at][column]) + self._padding)
                at += 1
            if self._remember:
                known = self._remembered
                if len(known) < column:
                    known.extend(widths[len(known) :])
                if len(known) == column:
                    known.append(width)
                else:
                    width = known[column] = max(width, known[column])
            self._format(first, at, [*widths, width])
            first = at
        self._print(first, end, widths)

    def _print(self, first: int, end: int, widths: list[int]) -> None:
        out = self._out
        last = len(self._lines) - 1
        for at in range(first, end):
            line = self._lines[at]
            out.extend([cell.ljust(width) for cell, width in zip(line, widths, strict=False)])
            out.extend(line[len(widths) :])
            if at != last:
                out.append("\n")
