"""Network namespaces to work in, behind one small door: run a command there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

NETNS_FOLDER = Path("/run/netns")
TIMEOUT = 120.0
"""Seconds that one command may take; the largest restore known takes half of it."""


class CommandError(RuntimeError):
    """A command that failed, with what it said. ``command`` is its name and arguments."""

    def __init__(self, command: tuple[str, ...], reason: str) -> None:
        self.command = command
        super().__init__(f"{' '.join(command)}: {reason}")


class Space(Protocol):
    """Where rules are read and programmed."""

    name: str

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the namespace and return what it printed. Raises CommandError."""


class _Commands:
    """Runs commands behind a prefix that enters a namespace."""

    name: str
    prefix: tuple[str, ...]

    def run(self, *command: str, stdin: str | None = None) -> str:
        if shutil.which(command[0]) is None:
            raise CommandError(command, f"{command[0]} is not installed")
        try:
            done = subprocess.run(
                [*self.prefix, *command],
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                env={**os.environ, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(command, f"no answer after {TIMEOUT:.0f} s") from error
        except OSError as error:
            raise CommandError(command, error.strerror or str(error)) from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
            raise CommandError(command, said)
        return done.stdout


class NamedSpace(_Commands):
    """A namespace as ``ip netns`` makes them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = ("nsenter", f"--net={NETNS_FOLDER / name}", "--")


class OwnSpace(_Commands):
    """The namespace that this process is in: the host's, or one that it was started in."""

    def __init__(self, name: str = "host") -> None:
        self.name = name
        self.prefix = ()


def check_name(name: str) -> str:
    """A name that can be a file in the folder of namespaces. Raises ValueError."""
    if not name or name in (".", "..") or "/" in name or not name.isprintable() or len(name) > 255:
        raise ValueError(f"{name!r} is no name of a network namespace")
    return name


def open_space(name: str, *, create: bool = False) -> Space:
    """A named namespace, made where it is missing and ``create`` is set; its loopback is then up.

    Raises ValueError where there is none, PermissionError without root.
    """
    check_name(name)
    path = NETNS_FOLDER / name
    if os.geteuid() != 0:
        raise PermissionError(
            f"namespace {name}: needs root; without it, `rulegen apply --create -- COMMAND` makes one"
        )
    if not path.exists():
        if not create:
            raise ValueError(f"no network namespace {name}; --create makes it")
        from pyroute2 import NetNS, netns

        netns.create(name)
        with NetNS(name) as links:
            links.link("set", index=1, state="up")
    elif _is_own(path):
        raise ValueError(f"{name} is the namespace of the host itself; --host-netns allows it")
    return NamedSpace(name)


def _is_own(path: Path) -> bool:
    own, other = Path("/proc/self/ns/net").stat(), path.stat()
    return (own.st_dev, own.st_ino) == (other.st_dev, other.st_ino)
