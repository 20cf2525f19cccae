"""A user-mode-linux kernel for tests: booted once, it runs many programs, each in a network namespace.

Test machines' own kernels may lack IPVS and dummy devices; Debian's `user-mode-linux` has both as modules and
boots on the host's own root file system in about a second and a half. Programs are shell scripts; what they
print and the files they write are found on the host, as both see the same files.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.kernel.netns import unless

KERNEL = "linux.uml"
MODULES = Path("/usr/lib/uml/modules")
BOOT_SECONDS = 60
MARGIN_SECONDS = 10
TIMED_OUT = 124
"""What `timeout` answers for a program that it had to end."""

_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The console is the channel: a line in is a program to run, a line out says that it ended. In raw mode it
# neither echoes nor edits. Modules are found through a wrapper, also by the kernel itself.
_INIT = """\
#!/bin/sh
export PATH={folder}/bin:{search} HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
echo {folder}/bin/modprobe >/proc/sys/kernel/modprobe
stty raw -echo
echo ready
cd {folder}
while read -r seconds program; do
    unshare --net timeout -k 1 "$seconds" sh -c 'ip link set lo up; exec sh "$0"' "$program" \\
        >"$program.out" 2>"$program.err" </dev/null
    echo "ended $?"
done
echo o >/proc/sysrq-trigger
sleep 60
"""

_MODPROBE = """\
#!/bin/sh
exec /sbin/modprobe -d {folder} "$@"
"""


@dataclass(frozen=True)
class Result:
    """What a program left behind; ``code`` is its exit code."""

    code: int
    stdout: str
    stderr: str


def need() -> None:
    """Skip the test, with its reason, where no such kernel is installed; in CI that is a failure."""
    reason = None
    if shutil.which(KERNEL) is None or not MODULES.is_dir():
        reason = "not installed: user-mode-linux"
    unless(reason)


class Machine:
    """A running kernel. ``folder`` is shared with the host: programs start in it."""

    def __init__(self, folder: Path, megabytes: int = 512) -> None:
        self.folder = folder
        self._count = 0
        self._console = b""
        (folder / "lib").mkdir()
        (folder / "lib" / "modules").symlink_to(MODULES)
        (folder / "bin").mkdir()
        self._script("bin/modprobe", _MODPROBE.format(folder=folder))
        init = self._script("init", _INIT.format(folder=folder, search=_SEARCH))
        self._kernel = subprocess.Popen(
            [
                # Where the tests are killed the end of the console is not enough: it would sleep forever. It
                # is several processes, which end together as those of a namespace do.
                *("setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork", "--kill-child=KILL"),
                KERNEL,
                f"mem={megabytes}M",
                "rootfstype=hostfs",
                "rootflags=/",
                "rw",
                f"init={init}",
                "con=null",
                "con0=fd:0,fd:1",
                "ssl=null",
                "quiet",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self._wait_for(b"ready", BOOT_SECONDS)

    def run(self, program: str, *, seconds: float = 60) -> Result:
        """Run a shell script in a network namespace of its own (lo is up, nothing else is there).

        Raises AssertionError, with what it said so far, where it does not end in time.
        """
        self._count += 1
        name = f"program-{self._count}"
        self._script(name, program)
        self._send(f"{seconds} {name}")
        line = self._wait_for(b"ended ", seconds + MARGIN_SECONDS)
        code = int(line.rpartition(b"ended ")[2])
        out, err = [(self.folder / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("out", "err")]
        if code == TIMED_OUT:
            raise AssertionError(f"not done after {seconds} s; it said: {out}{err}")
        return Result(code, out, err)

    def power_off(self) -> None:
        """Let the kernel end; one that does not is killed."""
        assert self._kernel.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._kernel.stdin.close()
        try:
            self._kernel.wait(10)
        except subprocess.TimeoutExpired:
            self._kernel.kill()
            self._kernel.wait()
        if self._kernel.stdout is not None:
            self._kernel.stdout.close()

    def _script(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def _send(self, line: str) -> None:
        assert self._kernel.stdin is not None
        self._kernel.stdin.write(line.encode() + b"\n")

    def _wait_for(self, word: bytes, seconds: float) -> bytes:
        """The console's line that has ``word`` in it."""
        assert self._kernel.stdout is not None
        console = self._kernel.stdout.fileno()
        deadline = time.monotonic() + seconds
        said = b""
        while True:
            *lines, self._console = self._console.split(b"\n")
            for index, line in enumerate(lines):
                if word in line:
                    self._console = b"\n".join([*lines[index + 1 :], self._console])
                    return line
            said += b"\n".join(lines)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([console], [], [], left)[0]:
                raise AssertionError(f"no {word!r} within {seconds} s; the console said: {said!r}")
            piece = os.read(console, 65536)
            if not piece:
                raise AssertionError(f"the kernel ended; the console said: {said + self._console!r}")
            self._console += piece
