"""The only place, beside producers, that asks the machine what time it is. Lint forbids it elsewhere.

Event-time logic takes its times from the log; what remains is the pacing of loops, the idle test of partitions, and
what is printed for people.
"""

from __future__ import annotations

import datetime as dt
import time


def now() -> dt.datetime:
    """The wall clock, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def unix() -> float:
    """The wall clock, seconds since the epoch."""
    return time.time()


monotonic = time.monotonic
sleep = time.sleep
