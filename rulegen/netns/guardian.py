"""A child process that puts a namespace back at once where the command that changes it is killed.

It holds one end of a pipe. The other end is held by the command, and by every tool that it runs: when the
last of them is gone, the pipe closes. Is the journal still there then, it is undone; a change that came to
its end has removed it. The guardian is a program of its own, in a session of its own: what kills the command,
or what is typed at its terminal, does not hit it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rulegen.netns.journal import Desk, Journal
    from rulegen.netns.space import Space


@contextlib.contextmanager
def guarded(desk: Desk, lock: int, space: Space, journal: Journal) -> Iterator[None]:
    """Have a journal, and a guardian over it, while something is changed.

    ``lock`` is the descriptor of the desk's lock. Who has made the change, or has taken it back, removes the
    journal.
    """
    reading, writing = os.pipe()
    try:
        child = _start(desk, lock, reading)
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    space.held.extend((lock, writing))
    try:
        desk.write(journal)
        yield
    except Exception:
        child.kill()  # whatever could be put back has been, and the rest has been told of
        raise
    except BaseException:
        raise  # such as Control-C: the guardian does the rest, once the pipe is closed
    else:
        child.kill()
    finally:
        space.held.clear()
        os.close(writing)
        child.wait()


def _start(desk: Desk, lock: int, reading: int) -> subprocess.Popen[bytes]:
    package = str(Path(__file__).parent.parent.parent)
    arguments = [str(desk.folder), str(os.getpid()), *([] if desk.netns is None else [desk.netns])]
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        # -P: nothing is imported from the folder that the user happens to be in.
        [sys.executable, "-P", "-m", __name__, *arguments],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        pass_fds=[lock],
        start_new_session=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
    )


def main(folder: str, pid: str, netns: str | None = None) -> None:
    """Wait for the end of the pipe at standard input, then put back what the journal says."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    from rulegen.netns.journal import Desk
    from rulegen.netns.undo import RestoreError, recover

    desk = Desk(netns, Path(folder))
    try:
        journal = desk.read()
        if journal is None or journal.pid != int(pid):
            return
        said = recover(desk)
    except (RestoreError, ValueError) as error:
        said = str(error)
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{said}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
