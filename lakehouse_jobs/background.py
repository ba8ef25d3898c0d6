"""Threads beside the query: one that fails says so in the log and ends the sink, rather than leaving it half alive."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from pyspark import InheritableThread
from pyspark.sql import SparkSession

from riverhouse.logs import logger

log = logger(__name__)
LOW = 10  # as `nice` has it


def give_way(application: SparkSession) -> None:
    """Let the Java half of this thread, which plans its queries, wait where processors are short (on Linux; elsewhere it does not).

    Not the Python half: who waited for a processor while holding the interpreter's lock would let all others wait, too.
    """
    jvm: Any = application._jvm  # noqa: SLF001 - only Java knows its thread's number
    thread = jvm.java.io.File("/proc/thread-self").getCanonicalPath()  # /proc/PID/task/NUMBER
    if "/task/" in thread:
        os.setpriority(os.PRIO_PROCESS, int(thread.rpartition("/")[2]), LOW)


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
