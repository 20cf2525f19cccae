"""The journal of a change: what was there before, kept until what should be there is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

PATIENCE = 60.0
"""Seconds to wait for another command that works in the same namespace."""

_SYSTEM = Path("/run/rulegen")


class BusyError(OSError):
    """Another command works in the namespace, and does not come to an end."""


class JournalError(ValueError):
    """A file that should be a journal and is none."""


class Journal(msgspec.Struct, frozen=True):
    """The state of each part (by name) before a change.

    ``netns`` is the name of the namespace, None for that of the process itself; ``identity`` tells it from
    others of the name. ``created``: it was not there, so putting it back is to remove it. ``pid`` is the
    process that makes the change.
    """

    netns: str | None
    identity: str
    before: Mapping[str, bytes]
    created: bool = False
    pid: int = msgspec.field(default_factory=os.getpid)

    def texts(self) -> dict[str, str]:
        return {name: text.decode("utf-8", "surrogateescape") for name, text in self.before.items()}


def of_texts(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text.encode("utf-8", "surrogateescape") for name, text in texts.items()}


class Desk:
    """Where the journal of one namespace is kept, and who may write it: one command at a time."""

    def __init__(self, netns: str | None, folder: Path | None = None) -> None:
        self.netns = netns
        self.folder = folder or default_folder()
        stem = f"netns-{netns}" if netns is not None else "host"
        self.path = self.folder / f"{stem}.journal"
        self._lock = self.folder / f"{stem}.lock"

    @contextlib.contextmanager
    def held(self, patience: float = PATIENCE) -> Iterator[int]:
        """Have the namespace to oneself, from other commands of rulegen; yields a descriptor.

        Processes that inherit the descriptor keep the lock until the last of them has ended. Raises
        BusyError, and OSError where the folder cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.stat().st_uid != os.geteuid():
            raise PermissionError(f"{self.folder}: belongs to somebody else, who could plant a journal there")
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise BusyError(
                            f"{self.netns or 'host'}: another rulegen has been at work for {patience:g} s"
                            f" (it holds {self._lock})"
                        ) from None
                    time.sleep(0.02)
            yield lock
        finally:
            os.close(lock)

    def write(self, journal: Journal) -> None:
        """Write it whole or not at all, and have it on disk before anything is changed."""
        new = self.path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(journal))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def read(self) -> Journal | None:
        """The journal of an interrupted change, or None. Raises JournalError where it cannot be read."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(content, type=Journal)
        except msgspec.DecodeError as error:
            raise JournalError(f"{self.path}: not a journal of rulegen: {error}") from error

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def default_folder() -> Path:
    """Root's journals are in /run: a restart does away with them, as it does with the rules."""
    if os.access(_SYSTEM.parent, os.W_OK):
        return _SYSTEM
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"rulegen-{os.getuid()}"
