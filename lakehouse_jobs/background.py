"""`background`: gold and maintenance, the sink's other process.

Nobody waits for a commit of theirs, and they are at work most of the time. As threads of the sink they stood between a record and
its commit: for a processor, for Python's lock, for Java's collector. So they have a Python and a Java of their own, at a low
priority (decision 16). They live and die with the sink: who holds the writer's lock holds it for both, who stops the sink
stops both, and when one ends by an error, both are started again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

from pyspark import InheritableThread

from lakehouse_jobs import gold, maintenance, spark, writer_lock
from riverhouse.local import child
from riverhouse.logs import configure, logger
from riverhouse.settings import load

log = logger(__name__)
LOW = 10  # as `nice` has it
STOPS_WITHIN_S = 30.0  # then it is killed: what is half done is done again
Process = subprocess.Popen[bytes]


def command() -> list[str]:
    return [sys.executable, "-m", "lakehouse_jobs", "background"]


@contextlib.contextmanager
def beside() -> Iterator[Process]:
    """The process, beside the block; after an error nobody waits for it. Only for the main thread: with it the process dies."""
    process = subprocess.Popen([sys.executable, child.__file__, "--", *command()])
    try:
        yield process
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOPS_WITHIN_S)
    finally:
        process.kill()
        process.wait()


def main(argv: list[str]) -> int:
    """`background`: until a signal stops it; 1 where gold or maintenance failed."""
    _ = argv
    os.nice(LOW)
    configure("sink")
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # as in sink.py
    session = writer_lock.connect()
    writer_lock.listen(session, maintenance.ASK)
    application = spark.session("riverhouse-background")
    stopping = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stopping.set())
    threads = [
        _thread("gold", lambda: gold.keep(application, stopping), stopping),
        _thread("maintenance", lambda: maintenance.keep(application, session, stopping), stopping),
    ]
    log.info("background_started", heap_mb=load().lake.spark_heap_mb)
    while not stopping.wait(0.5) and all(t.is_alive() for t in threads):
        pass
    failed = not stopping.is_set()
    stopping.set()
    for t in threads:
        t.join(0 if failed else STOPS_WITHIN_S)
    application.stop()
    return int(failed)


def _thread(name: str, work: Callable[[], None], stopping: threading.Event) -> threading.Thread:
    """Run `work` in a thread with a JVM thread of its own, so that Spark's job properties are its own. What fails is logged."""

    def guarded() -> None:
        try:
            work()
        except Exception:
            if not stopping.is_set():
                log.exception("thread_failed", thread=name)

    thread = InheritableThread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread
