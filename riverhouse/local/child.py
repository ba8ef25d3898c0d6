"""Run a program that dies with its parent: `child.py [--user-namespace] -- PROGRAM ARGUMENTS…`.

supervisord starts every service through this, so that no server outlives it, even when it is killed with -9. With
`--user-namespace`, root becomes nobody (65534) in a namespace of its own: PostgreSQL refuses to run as root. Standard
library only, and it becomes the program (exec): no process is left in between.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import signal
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def become_nobody() -> None:
    """Enter a user namespace in which this user is `NOBODY`. OSError where the kernel does not allow it."""
    user, group = os.getuid(), os.getgid()
    _call("unshare", CLONE_NEWUSER)
    pathlib.Path("/proc/self/setgroups").write_text("deny")
    pathlib.Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    pathlib.Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def main() -> None:
    options, command = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    parent = os.getppid()
    if "--user-namespace" in options and os.getuid() == 0:
        become_nobody()
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)  # after the namespace: entering it clears the wish
    if os.getppid() != parent:  # it died before the wish was made
        sys.exit("the parent is gone")
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
