"""Reconciliation now and then: every `lake.reconcile_interval_s` a run for each business over the last `lake.reconcile_hours`.

Each run is a process of its own, of the lowest priority, that dies with this one; between runs nothing is in memory but this.
What it found is in its output, in `gold.reconciliation_runs` and in `riverhouse status`.
"""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import threading

from riverhouse import clock
from riverhouse.local import child
from riverhouse.logs import configure, logger
from riverhouse.settings import load

log = logger(__name__)
LOWEST = 19


def main(argv: list[str]) -> int:
    """`reconcile-regularly`: until a signal stops it."""
    _ = argv
    configure("reconcile")
    stopping = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stopping.set())
    while not stopping.wait(load().lake.reconcile_interval_s):
        for business in load().businesses:
            run(business, stopping)
    return 0


def run(business: str, stopping: threading.Event) -> int | None:
    """One run; its exit code, None where it was told to stop."""
    since = (clock.now() - dt.timedelta(hours=load().lake.reconcile_hours)).replace(minute=0, second=0, microsecond=0)
    program = [sys.executable, "-m", "lakehouse_jobs", "reconcile", business, "--since", since.isoformat()]
    began = clock.monotonic()
    process = subprocess.Popen([sys.executable, child.__file__, "--", "nice", "-n", str(LOWEST), *program])
    while (code := _ended(process)) is None and not stopping.is_set():
        pass
    if code is None:
        process.terminate()
        process.wait()
    log.info(
        "reconciled",
        business=business,
        since=since.isoformat(),
        exit_code=code,
        took_s=round(clock.monotonic() - began, 1),
    )
    return code


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code, waited for a moment; None while it runs."""
    try:
        return process.wait(0.5)
    except subprocess.TimeoutExpired:
        return None
