"""Threads beside the query: one that fails says so in the log and ends the sink, rather than leaving it half alive."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pyspark import InheritableThread

from riverhouse.logs import logger

log = logger(__name__)


def start(work: Callable[[], None], name: str, stopping: threading.Event) -> threading.Thread:
    """Run `work` in a thread with its own JVM thread, so that Spark's job properties are its own."""

    def guarded() -> None:
        try:
            work()
        except Exception:
            if not stopping.is_set():
                log.exception("thread_failed", thread=name)

    thread = InheritableThread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread
