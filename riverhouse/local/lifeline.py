"""Stop everything when a process disappears: `python -m riverhouse.local.lifeline PID`, itself run by supervisord.

Tests start stacks with a lifeline on their own process, so that a killed test run leaves no server behind.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys

from supervisor import childutils


def main() -> None:
    with contextlib.suppress(ProcessLookupError):  # gone already
        select.select([os.pidfd_open(int(sys.argv[1]))], [], [])  # readable once the process has ended
    childutils.getRPCInterface(os.environ).supervisor.shutdown()


if __name__ == "__main__":
    main()
