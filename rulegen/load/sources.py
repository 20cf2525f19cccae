"""Where manifests come from: files, directories, standard input, streams, values of the caller."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import msgspec

from rulegen.load.problems import Problem

Source: TypeAlias = (
    "str | os.PathLike[str] | IO[str] | IO[bytes] | Mapping[str, Any] | Iterable[Mapping[str, Any]]"
)

SUFFIXES = (".yaml", ".yml", ".json")
"""What a directory's manifests are called, as for ``kubectl apply -f DIRECTORY``."""

STDIN = "-"


class Text(msgspec.Struct, frozen=True):
    """One text to read.

    ``asked_for`` says that the caller named it, so that it must hold something; ``has_lines`` that its lines
    are known to the user.
    """

    file: str
    content: bytes
    asked_for: bool = True
    has_lines: bool = True


def texts(
    sources: Iterable[Source], *, recursive: bool, stdin: IO[bytes] | IO[str] | None, problems: list[Problem]
) -> Iterator[Text]:
    """The texts of all sources in order; what cannot be read is added to ``problems``.

    A directory stands for its ``.yaml``, ``.yml`` and ``.json`` files in sorted order, with ``recursive``
    also for those of its directories. Values of the caller become JSON, so that what they hold is copied.
    """
    stdin_taken = False
    for number, source in enumerate(sources):
        if isinstance(source, str | os.PathLike):
            name = os.fspath(source)
            if name == STDIN and stdin_taken:
                problems.append(_about(STDIN, "standard input is named twice, and can be read once"))
            elif name == STDIN:
                stdin_taken = True
                stream = stdin if stdin is not None else sys.stdin.buffer
                yield from _of_stream(STDIN, stream, problems)
            else:
                yield from _of_path(name, recursive, problems)
        elif hasattr(source, "read"):
            known = getattr(source, "name", None)
            label = known if isinstance(known, str) else f"<stream {number + 1}>"
            yield from _of_stream(label, source, problems)
        else:
            yield from _of_value(f"<objects {number + 1}>", source, problems)


def _of_path(name: str, recursive: bool, problems: list[Problem]) -> Iterator[Text]:
    try:
        mode = Path(name).stat().st_mode
    except FileNotFoundError:
        problems.append(_about(name, "the path does not exist"))
    except (OSError, ValueError) as error:
        problems.append(_about(name, _reason(error)))
    else:
        if stat.S_ISDIR(mode):
            yield from _of_directory(name, recursive, problems)
        else:
            yield from _of_file(name, mode, True, problems)


def _of_directory(name: str, recursive: bool, problems: list[Problem]) -> Iterator[Text]:
    found = False
    skipped = False
    for folder, folders, files in os.walk(name, onerror=lambda error: problems.append(_unreadable(error))):
        if not recursive:
            skipped = bool(folders)
            folders.clear()
        folders.sort()
        for file in sorted(files):
            if not file.endswith(SUFFIXES):
                continue
            path = str(Path(folder, file))
            try:
                mode = Path(path).stat().st_mode
            except OSError as error:
                problems.append(_about(path, _reason(error)))
                continue
            found = True
            yield from _of_file(path, mode, False, problems)
    if not found and not any(problem.file.startswith(name) for problem in problems):
        hint = "; its directories are read with -R" if skipped else ""
        problems.append(
            _about(name, f"the directory holds no {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file{hint}")
        )


def _of_file(path: str, mode: int, asked_for: bool, problems: list[Problem]) -> Iterator[Text]:
    """Pipes are read (``-f <(command)``); devices and sockets, which may never end, are not."""
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        kind = "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a socket"
        problems.append(_about(path, f"is {kind}, not a file"))
        return
    try:
        content = Path(path).read_bytes()
    except (OSError, MemoryError) as error:
        problems.append(_about(path, _reason(error)))
        return
    yield Text(path, content, asked_for)


def _of_stream(name: str, stream: Any, problems: list[Problem]) -> Iterator[Text]:
    try:
        content = stream.read()
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")
    except (OSError, ValueError, MemoryError) as error:
        problems.append(_about(name, _reason(error)))
        return
    yield Text(name, bytes(content))


def _of_value(name: str, value: Any, problems: list[Problem]) -> Iterator[Text]:
    if not isinstance(value, Mapping):
        for index, element in enumerate(value):
            yield from _of_object(f"{name}[{index}]", element, problems)
    else:
        yield from _of_object(name, value, problems)


def _of_object(name: str, value: Any, problems: list[Problem]) -> Iterator[Text]:
    try:
        content = msgspec.json.encode(value, enc_hook=_as_plain)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        problems.append(_about(name, _why_no_data(error)))
    else:
        yield Text(name, content, has_lines=False)


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no place in a manifest")


def _why_no_data(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeError):
        return "a string holds a lone surrogate, which is no character"
    return str(error)


def _unreadable(error: OSError) -> Problem:
    return _about(str(error.filename or ""), _reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "is too large to read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower() if error.strerror[1:2].islower() else error.strerror
    return str(error)


def _about(file: str, message: str) -> Problem:
    return Problem(file, 0, "", "", message)
