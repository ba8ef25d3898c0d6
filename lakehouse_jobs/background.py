"""`background`: gold and maintenance, the sink's other process.

Nobody waits for a commit of theirs, and they are at work most of the time. As threads of the sink they stood between a record and
its commit: for a processor, for Python's lock, for Java's collector. So they have a Python and a Java of their own, at a low
priority (decision 16). They live and die with the sink: who holds the writer's lock holds it for both, who stops the sink
stops both, and when one ends by an error, both are started again.

Files that compaction has merged are handed to the sink, which puts them in the place of the small ones between two appends: as
another writer of the same table, at a low priority, compaction would lose the race again and again.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection

import psutil
from pyiceberg.manifest import DataFile
from pyspark import InheritableThread

from lakehouse_jobs import gold, maintenance, shared_files, spark, writer_lock
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.writer import FencedTable
from riverhouse.local import child
from riverhouse.local.applications import run
from riverhouse.logs import configure, logger
from riverhouse.settings import load

log = logger(__name__)
LOW = 10  # as `nice` has it
STOPS_WITHIN_S = 30.0  # then it is killed: what is half done is done again
Process = subprocess.Popen[bytes]


def command() -> list[str]:
    return run("lakehouse_jobs", "background")


@contextlib.contextmanager
def beside(tables: Mapping[str, FencedTable]) -> Iterator[Process]:
    """The process, beside the block; what it merges is committed to `tables` by name. After an error nobody waits for it.

    Only for the main thread: with the thread that started it the process dies.
    """
    ours, its = multiprocessing.Pipe()
    with ours:
        with its:
            program = [sys.executable, child.__file__, "--", *command(), str(its.fileno())]
            process = subprocess.Popen(program, pass_fds=[its.fileno()])
        threading.Thread(target=_commit, args=(ours, tables), name="merged", daemon=True).start()
        try:
            yield process
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOPS_WITHIN_S)
        finally:
            process.kill()
            process.wait()


def _commit(asked: Connection, tables: Mapping[str, FencedTable]) -> None:
    """Answer requests of `MergedTable` until the other process ends."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, old, new = asked.recv()
            try:
                asked.send(tables[name].replace(old, new))
            except Exception as e:
                log.exception("merged_files_not_committed", table=name)
                asked.send(str(e))


class MergedTable(FencedTable):
    """A table whose merged files the sink commits."""

    def __init__(self, name: str, sink: Connection) -> None:
        super().__init__(name)
        self._sink = sink

    def replace(self, old: Sequence[DataFile], new: Sequence[DataFile]) -> bool:
        """As that of FencedTable. LakeError where the sink could not commit."""
        self._sink.send((self.name, list(old), list(new)))
        answer = self._sink.recv()
        if isinstance(answer, str):
            raise LakeError(f"merged files of {self.name} were not committed", answer, "see the sink's log")
        return bool(answer)


def main(argv: list[str]) -> int:
    """`background FD`: until a signal stops it; 1 where gold or maintenance failed."""
    parser = argparse.ArgumentParser("background", description=__doc__)
    parser.add_argument("sink", type=int, help="the file descriptor that leads to the sink")
    sink = Connection(parser.parse_args(argv).sink)
    os.nice(LOW)
    began = dt.datetime.fromtimestamp(psutil.Process(os.getppid()).create_time(), dt.UTC)  # the sink, which writes
    shared_files.mark_left()  # the sink before this one may have been killed between a file and its commit
    configure("sink")
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # as in sink.py
    session = writer_lock.connect()
    writer_lock.listen(session, maintenance.ASK)
    application = spark.session("riverhouse-background")
    stopping = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stopping.set())

    def maintain() -> None:
        maintenance.keep(application, session, lambda name: MergedTable(name, sink), stopping, began)

    threads = [_thread("gold", lambda: gold.keep(application, stopping), stopping)]
    threads += [_thread("maintenance", maintain, stopping)]
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
