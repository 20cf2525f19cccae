"""What is wrong with an input, said so that the place can be found and mended."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Problem(msgspec.Struct, frozen=True, order=True):
    """One fault, or one remark, of one place.

    ``file`` is the name as it was given (``-`` for standard input), ``line`` counts from 1 (0: none),
    ``object`` is ``Service default/web`` (empty where it is about a whole file), ``field`` is the path as the
    API server prints it (``spec.ports[0].nodePort``; empty where no field is meant). What the message or the
    field says already is not printed twice.
    """

    file: str
    line: int
    object: str
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        field = "" if f'"{self.field}"' in self.message else self.field
        title = "" if field.startswith(f"{self.object}.") else self.object
        parts = (place, title, field, self.message)
        return one_line(": ".join(part for part in parts if part))


class LoadError(Exception):
    """The input cannot be used. ``problems`` lists every fault of the run, ``warnings`` every remark."""

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def one_line(text: str) -> str:
    """The text without anything that could break out of its line or move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def named(kind: str, namespace: str, name: str) -> str:
    """How an object is called in messages: ``Service default/web``, ``Node n1``."""
    if not name:
        return kind
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
