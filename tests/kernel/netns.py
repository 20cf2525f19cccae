"""Network namespaces of the tests' own, and what to do where the kernel or a tool is missing."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence

import pytest


class Namespace:
    """A named network namespace; every command runs inside it, nothing outside."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *command: str, stdin: str | None = None, check: bool = True) -> str:
        """Standard output of a command; one that fails is an AssertionError with all that it said."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def refuses(self, *command: str, stdin: str) -> bool:
        """Whether a command fails on its input."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode != 0


def missing(tools: Sequence[str]) -> str | None:
    """Why kernel tests with these tools cannot run here; None where they can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [tool for tool in ("ip", *tools) if shutil.which(tool) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def need(*tools: str) -> None:
    """Skip the test, with its reason, where it cannot run; in CI that is a failure."""
    unless(missing(tools))


def unless(reason: str | None) -> None:
    """Skip the test for a reason, if there is one; in CI that is a failure."""
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"kernel test cannot run in CI: {reason}")
    pytest.skip(reason)


def create() -> Namespace:
    """Make a namespace; the caller removes it with :func:`remove`."""
    name = f"rulegen-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True)
    return Namespace(name)


def remove(namespace: Namespace) -> None:
    subprocess.run(["ip", "netns", "delete", namespace.name], check=False, capture_output=True)
