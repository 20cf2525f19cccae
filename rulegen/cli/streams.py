"""The standard streams of a process: what is printed arrives whole, or the command fails and says so."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TextIO

READER_GONE = 141
"""What a shell says of a program that was ended by SIGPIPE (128 + 13)."""


class Data(io.TextIOWrapper):
    """Standard output.

    Where the reader (``head``, ``less``) has seen enough the command ends, with the exit code of a program
    that died of it: 1 would mean a difference. Anything else that keeps data from arriving is an OSError.
    """

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise self._lost(error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise self._lost(error) from None

    def _lost(self, error: OSError) -> BaseException:
        _discard(self)
        if isinstance(error, BrokenPipeError):
            return SystemExit(READER_GONE)
        if error.errno == errno.EBADF:
            return OSError(errno.EBADF, "standard output is closed")
        return error


class Notes(io.TextIOWrapper):
    """Standard error: notes that nobody takes are dropped, and what is being done goes on."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            _discard(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _discard(self)


def _discard(stream: TextIO) -> None:
    """Send what is left in the buffers nowhere: they would complain once more at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def secure() -> None:
    """Take over the streams of this process.

    Python writes without a buffer where ``PYTHONUNBUFFERED`` is set, as it is in many containers, and then
    drops what a full disk or a reader that leaves did not take. A stream that was closed when the process
    began is None, and its number would go to the next file that is opened.
    """
    for number in range(3):
        _occupy(number)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 - it lives as long as the process
    sys.stdout = Data(_buffer(sys.stdout, 1), *_manner(sys.stdout, "strict"))
    sys.stderr = Notes(_buffer(sys.stderr, 2), *_manner(sys.stderr, "backslashreplace"))


def _occupy(number: int) -> None:
    """Put something in the place of a closed stream with which reading and writing data fail."""
    try:
        os.fstat(number)
    except OSError:
        # The lowest free number is taken, and those below are. Notes may be lost, data may not.
        os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_WRONLY)


def _buffer(stream: TextIO | None, number: int) -> io.BufferedWriter:
    binary = io.FileIO(number, "w", closefd=False) if stream is None else stream.buffer
    return binary if isinstance(binary, io.BufferedWriter) else io.BufferedWriter(binary)


def _manner(stream: TextIO | None, errors: str) -> tuple[str, str, None, bool]:
    """How a stream writes text: its encoding, what it does with what has none, newlines, line by line."""
    if not isinstance(stream, io.TextIOWrapper):
        return "utf-8", errors, None, False
    at_once = stream.line_buffering or stream.write_through
    return stream.encoding, stream.errors or errors, None, at_once
