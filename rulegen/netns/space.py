"""Network namespaces to work in, behind one small door: run a command there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Protocol

NETNS_FOLDER = Path("/run/netns")
TIMEOUT = 120.0
"""Seconds that one command may take; the largest restore known takes half of it."""

HOST = "host"
"""What the namespace is called that a command is started in."""

LOOPBACK_UP = ("ip", "link", "set", "lo", "up")
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_PACKAGES = {
    "iptables": "iptables", "ip6tables": "iptables", "nft": "nftables", "ipset": "ipset",
    "ipvsadm": "ipvsadm", "nfacct": "nfacct", "ip": "iproute2", "nsenter": "util-linux",
}  # fmt: skip
"""How the command begins -> Debian's package."""


class CommandError(OSError):
    """A command that failed, with what it said. ``command`` is its name and arguments."""

    def __init__(self, command: tuple[str, ...], reason: str) -> None:
        self.command = command
        self.reason = reason
        super().__init__(f"{' '.join(command)}: {reason}")


class MissingToolError(CommandError):
    """A command that is not installed."""

    def __init__(self, command: tuple[str, ...]) -> None:
        package = _PACKAGES.get(command[0].partition("-")[0])
        hint = f" (Debian's package {package} has it)" if package else ""
        super().__init__(command, f"{command[0]} is not installed{hint}")


class Space(Protocol):
    """Where rules are read and programmed.

    ``held`` are file descriptors that every command inherits: who waits until they are closed waits until
    the last command has ended, too.
    """

    @property
    def name(self) -> str: ...

    @property
    def held(self) -> list[int]: ...

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the namespace and return what it printed.

        What is no UTF-8 comes and goes as surrogates, so that others' rules survive. Raises CommandError.
        """


def search_path() -> str:
    """Where commands are looked for: users' PATH often lacks the folders that administrators have."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])


def installed(tool: str) -> bool:
    return shutil.which(tool, path=search_path()) is not None


class _Commands:
    """Runs commands behind a prefix that enters a namespace."""

    def __init__(self, name: str, prefix: tuple[str, ...] = (), *, timeout: float = TIMEOUT) -> None:
        self.name = name
        self.prefix = prefix
        self.timeout = timeout
        self.held: list[int] = []
        self.environment: dict[str, str] = {}

    def run(self, *command: str, stdin: str | None = None) -> str:
        path = search_path()
        for tool in {command[0], *self.prefix[:1]}:
            if shutil.which(tool, path=path) is None:
                raise MissingToolError((tool, *command[1:]) if tool == command[0] else (tool,))
        try:
            done = subprocess.run(
                [*self.prefix, *command],
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",
                timeout=self.timeout,
                pass_fds=self.held,
                env={**os.environ, **self.environment, "PATH": path, "LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(command, f"no answer after {self.timeout:g} s") from error
        except OSError as error:
            raise CommandError(command, error.strerror or str(error)) from error
        # ipvsadm goes on after a line that the kernel refuses, and does not tell it in its exit code.
        if done.returncode != 0 or (command[:2] == ("ipvsadm", "-R") and done.stderr):
            said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
            raise CommandError(command, said.encode("utf-8", "replace").decode())
        return done.stdout


class NamedSpace(_Commands):
    """A namespace as ``ip netns`` makes them."""

    def __init__(self, name: str, *, timeout: float = TIMEOUT) -> None:
        super().__init__(name, ("nsenter", f"--net={NETNS_FOLDER / name}", "--"), timeout=timeout)


class OwnSpace(_Commands):
    """The namespace that this process is in: the host's, or one that it was started in."""

    def __init__(self, name: str = HOST, *, timeout: float = TIMEOUT) -> None:
        super().__init__(name, timeout=timeout)


def check_name(name: str) -> str:
    """A name that can be a file in the folder of namespaces. Raises ValueError."""
    if not name or name in (".", "..") or "/" in name or not name.isprintable() or len(name.encode()) > 255:
        raise ValueError(f"{name!r} is no name of a network namespace")
    return name


def open_space(name: str, *, timeout: float = TIMEOUT) -> NamedSpace:
    """A named namespace that is there.

    Raises ValueError where there is none or it is the host's own, PermissionError without root.
    """
    if not exists(name):
        raise ValueError(f"no network namespace {name}")
    if _is_hosts(NETNS_FOLDER / name):
        raise ValueError(f"{name} is the namespace of the host itself; --host-netns allows it")
    return NamedSpace(name, timeout=timeout)


def exists(name: str) -> bool:
    """Whether there is a namespace of that name. Raises ValueError, and PermissionError without root."""
    check_name(name)
    if os.geteuid() != 0:
        raise PermissionError(
            f"namespace {name}: needs root; without it, `rulegen apply --create -- COMMAND` makes one"
        )
    return (NETNS_FOLDER / name).exists()


def create_space(name: str) -> None:
    """Make a named namespace. Raises ValueError where that cannot be done."""
    netns = _pyroute2_netns()
    try:
        netns.create(name)
    except OSError as error:
        raise ValueError(f"namespace {name} cannot be made: {error.strerror or error}") from error


def fresh_space(name: str, *, timeout: float = TIMEOUT) -> Space:
    """A namespace that looks as a new one would; each command has another one, so nothing lasts."""
    up = " ".join(LOOPBACK_UP)
    return _Commands(name, ("unshare", "--net", "--", "sh", "-c", f'{up}; exec "$@"', "sh"), timeout=timeout)


def remove_space(name: str) -> None:
    """Remove a named namespace, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        _pyroute2_netns().remove(name)


def _pyroute2_netns() -> Any:
    try:
        from pyroute2 import netns
    except ImportError as error:
        raise ValueError("making a namespace needs pyroute2: pip install 'rulegen[netns]'") from error
    return netns


def identity(name: str | None) -> str:
    """What tells a namespace from another one that had its name before; None is this process's own.

    Empty where there is none.
    """
    path = Path("/proc/self/ns/net") if name is None else NETNS_FOLDER / name
    try:
        found = path.stat()
    except OSError:
        return ""
    # The number of a namespace is given again; of a named one the file keeps the time when it was made.
    made = f" {found.st_ctime_ns}" if name is not None else ""
    return f"{found.st_dev}:{found.st_ino}{made}"


def _is_hosts(path: Path) -> bool:
    other = path.stat()
    for own in ("/proc/1/ns/net", "/proc/self/ns/net"):
        try:
            host = Path(own).stat()
        except OSError:  # inside some containers even root may not look at the first process
            continue
        return (host.st_dev, host.st_ino) == (other.st_dev, other.st_ino)
    return True
