"""Applies in a process that is killed on its way: ``python -m tests.netns.killed ARGUMENTS``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from rulegen.iptables.dump import Variant
from rulegen.netns.apply import Target
from rulegen.netns.programs import apply
from rulegen.netns.space import CommandError
from tests.netns.lab import Noting, plans, second

SLOW_SECONDS = 0.6


class Killing(Noting):
    """Kills this process at a command; ``all_of_it`` also kills whoever would see to that."""

    all_of_it: bool = False

    def run(self, *command: str, stdin: str | None = None) -> str:
        try:
            return super().run(*command, stdin=stdin)
        except CommandError as error:
            if error.reason in ("no", "no answer"):
                self.end()
            raise

    def end(self) -> None:
        for child in _children() if self.all_of_it else ():
            os.kill(child, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


class Slow(Noting):
    """Kills this process while a tool is at work, which then goes on and programs what it was given."""

    def run(self, *command: str, stdin: str | None = None) -> str:
        if not command[0].endswith("-restore"):
            return super().run(*command, stdin=stdin)
        threading.Timer(SLOW_SECONDS / 2, os.kill, (os.getpid(), signal.SIGKILL)).start()
        slowly = f'sleep {SLOW_SECONDS}; exec "$@"'
        return super().run("sh", "-c", slowly, "sh", *command, stdin=stdin)


class Undoing(Killing):
    """Fails at a command, and kills this process at one of those that put things back (from 0)."""

    kills: int = 0

    def run(self, *command: str, stdin: str | None = None) -> str:
        assert self.fails is not None
        if len(self.commands) == self.fails + 1 + self.kills:
            Noting.run(self, *command, stdin=stdin)
            self.end()
        return Noting.run(self, *command, stdin=stdin)


def _children() -> list[int]:
    return list(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def main(netns: str, folder: str, mode: str, variant: str, number: str, afterwards: str, who: str) -> None:
    if afterwards == "during":
        space: Noting = Slow(netns)
    else:
        space = killing = Killing(netns, fails=int(number), afterwards=afterwards == "after")
        killing.all_of_it = who == "all"
    target = Target(netns=netns, create=True, folder=Path(folder))
    used: Variant = "legacy" if variant == "legacy" else "nft"
    apply(target, mode, plans(second(), mode), variant=used, space=space)


if __name__ == "__main__":
    main(*sys.argv[1:])
