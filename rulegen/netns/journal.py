"""The journal of an apply: what was there before, kept until what should be there is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

FOLDER = Path("/run/rulegen")


class Journal(msgspec.Struct, frozen=True):
    """A namespace, its mode and variant, and the state of each resource (by name) before the apply."""

    space: str
    mode: str
    variant: str
    before: Mapping[str, str]
    pid: int = 0


def path_of(space: str, folder: Path = FOLDER) -> Path:
    return folder / f"{space}.journal"


def write(journal: Journal, folder: Path = FOLDER) -> Path:
    """Write it whole or not at all, and have it on disk before anything is changed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = path_of(journal.space, folder)
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(journal))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return path


def read(space: str, folder: Path = FOLDER) -> Journal | None:
    """The journal that an interrupted apply left, or None. Raises ValueError where it cannot be read."""
    path = path_of(space, folder)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(content, type=Journal)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: not a journal of rulegen: {error}") from error


def remove(space: str, folder: Path = FOLDER) -> None:
    path_of(space, folder).unlink(missing_ok=True)
