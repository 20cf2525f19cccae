"""What is read, changed and put back: one part for each place in the kernel that holds what kube-proxy makes.

A part's state is text, as a command prints it; a change is a list of commands. Both can be shown, kept in a
journal and done again by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

import msgspec

from rulegen.netns.space import Space

NEEDED, SERVED, BOUND, RULES, UNBOUND, UNSERVED, SPARE = range(7)
"""When a step comes: what rules need, virtual servers, their addresses, the rules; then what nobody needs.

In that order packets never meet half of a change; what goes goes the other way round.
"""


UNSUPPORTED = (
    *("Invalid argument", "Operation not supported", "Protocol not supported", "not available"),
    "Cannot open session to kernel",
)
"""How tools tell that the kernel does not know what they ask about."""


class Step(msgspec.Struct, frozen=True):
    """A command, with what it reads from its standard input."""

    command: tuple[str, ...]
    stdin: str | None = None
    when: int = RULES

    @property
    def text(self) -> str:
        """What it programs: its input, or what it was told on the command line."""
        return self.stdin if self.stdin is not None else " ".join(self.command) + "\n"


class Part(Protocol):
    """A part of the kernel's state."""

    @property
    def name(self) -> str:
        """What it is called in a journal, and to people."""

    def read(self, space: Space) -> str:
        """The state; empty where nothing of its kind is there. Raises CommandError."""

    def way(self, now: str, before: str) -> list[Step]:
        """What leads from the state ``now`` to one that ``read`` gave before; empty where they are equal.

        What others did in between is left alone as far as it can be told apart.
        """


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Steps by when they come; what several goals ask for is done once."""
    return sorted(dict.fromkeys(steps), key=lambda step: step.when)


class Sysctl:
    """One setting of the namespace, by its path below ``/proc/sys``; its state is its value."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = f"sysctl {path}"

    def read(self, space: Space) -> str:
        return space.run("cat", f"/proc/sys/{self.path}").strip()

    def way(self, now: str, before: str) -> list[Step]:
        return [] if now == before else [self.write(before)]

    def write(self, value: str) -> Step:
        return Step(("tee", f"/proc/sys/{self.path}"), f"{value}\n", NEEDED)


class Counters:
    """nfacct counters; the state is their names, one a line. What they count is left alone."""

    name = "nfacct"

    def read(self, space: Space) -> str:
        names = re.findall(r"\} = ([^;]+);", space.run("nfacct", "list"))
        return "".join(f"{name}\n" for name in sorted(names))

    def way(self, now: str, before: str) -> list[Step]:
        old, new = set(now.split()), set(before.split())
        return [
            *(self.add(name) for name in sorted(new - old)),
            *(self.delete(name) for name in sorted(old - new)),
        ]

    def add(self, name: str) -> Step:
        return Step(("nfacct", "add", name), None, NEEDED)

    def delete(self, name: str) -> Step:
        return Step(("nfacct", "del", name), None, SPARE)
