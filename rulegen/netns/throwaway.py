"""A network namespace for one command and its children, gone when the last of them ends; no root needed."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from rulegen.netns.space import LOOPBACK_UP, TIMEOUT, OwnSpace

NAME = "own"

# <linux/sched.h>
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000


def enter(*, timeout: float = TIMEOUT) -> OwnSpace:
    """Move this process into a network namespace of its own, its loopback up.

    Without root a user namespace comes with it, in which the user is root. Raises PermissionError where the
    kernel does not allow that.
    """
    user, group = os.geteuid(), os.getegid()
    if user != 0:
        _unshare(_CLONE_NEWUSER, "a user namespace")
        # Before the network namespace is made: its files in /proc belong to whom root is mapped to by then.
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    # The lock of iptables-legacy is for the whole machine, and root's; nobody else is in here.
    os.environ["XTABLES_LOCKFILE"] = os.devnull
    _unshare(_CLONE_NEWNET, "a network namespace")
    space = OwnSpace(NAME, timeout=timeout)
    space.run(*LOOPBACK_UP)
    return space


def _unshare(flag: int, what: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flag) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise PermissionError(
            f"the kernel does not let this user make {what} ({reason}); as root, or with the sysctls"
            " user.max_user_namespaces, kernel.unprivileged_userns_clone and"
            " kernel.apparmor_restrict_unprivileged_userns set to allow it, it does"
        )
