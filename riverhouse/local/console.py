"""Progress for people: one line a step, with the seconds since the start. Plain text, so that logs can keep it."""

from __future__ import annotations

import sys
import threading

from riverhouse.clock import monotonic


class Console:
    """Prints `[ 12.3s] kafka                ready (4.1s)`; threads may share it."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._start, self._lock, self._quiet = monotonic(), threading.Lock(), quiet
        self._colour = sys.stdout.isatty()

    @property
    def elapsed(self) -> float:
        """Seconds since this console was made."""
        return monotonic() - self._start

    def step(self, name: str, text: str) -> None:
        if self._quiet:
            return
        shown = f"\x1b[1m{name:<20}\x1b[0m" if self._colour else f"{name:<20}"
        with self._lock:
            print(f"[{self.elapsed:6.1f}s] {shown} {text}", flush=True)
