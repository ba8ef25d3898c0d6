"""A worker or a sink that is hit at an exact point: `python -m tests.chaos.faulty POINT N PROGRAM ARGUMENTS…`.

The real program runs, with one of its functions wrapped: at its Nth call the process sends a signal to itself. So the
product carries no hooks for tests, and a kill hits the same line each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

POINTS: dict[str, Callable[[int], None]] = {}


def point(install: Callable[[int], None]) -> Callable[[int], None]:
    POINTS[install.__name__.replace("_", "-")] = install
    return install


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def on_batch(nth: int, act: Callable[[list[Any], Callable[[list[Any]], None], Callable[[], object]], None]) -> None:
    """Let `act(outputs, send, flush)` send the outputs of the Nth batch that has accepted events."""
    publisher = importlib.import_module("processors.publisher").Publisher
    real, calls = publisher.send, itertools.count(1)

    def send(self: Any, outputs: Any, generation: int) -> None:
        given = list(outputs)
        if any(o.topic.endswith(".clean") for o in given) and next(calls) == nth:
            act(given, lambda some: real(self, some, generation), lambda: self._producer.flush(30))
        else:
            real(self, given, generation)

    publisher.send = send


@point
def after_clean(nth: int) -> None:
    """Dies when the clean records, which are the changelog, are in the log, and nothing else of their batch."""

    def act(outputs: list[Any], send: Callable[[list[Any]], None], flush: Callable[[], object]) -> None:
        send([o for o in outputs if o.topic.endswith(".clean")])
        flush()
        die()

    on_batch(nth, act)


@point
def half_of_the_partials(nth: int) -> None:
    """Dies when half of what a batch caused is in the log: some of its partials, no marker."""

    def act(outputs: list[Any], send: Callable[[list[Any]], None], flush: Callable[[], object]) -> None:
        send(outputs[: sum(not o.topic.endswith(".partials") for o in outputs) + 20])
        flush()
        die()

    on_batch(nth, act)


@point
def before_the_commit(nth: int) -> None:
    """Dies when all that a batch caused is in the log, and its offset is not committed."""

    def act(outputs: list[Any], send: Callable[[list[Any]], None], flush: Callable[[], object]) -> None:
        send(outputs)
        flush()
        die()

    on_batch(nth, act)


@point
def in_recovery(nth: int) -> None:
    """Dies in the middle of reading its state back."""
    store = importlib.import_module("processors.state_table").StateStore
    real, calls = store.recover, itertools.count(1)

    def recover(self: Any, partition: int, values: Any) -> None:
        given = list(values)
        if next(calls) == nth:
            real(self, partition, given[: len(given) // 2])
            die()
        real(self, partition, given)

    store.recover = recover


@point
def zombie(nth: int) -> None:
    """Stops with the outputs of a batch in its hands; it sends them when someone wakes it."""

    def act(outputs: list[Any], send: Callable[[list[Any]], None], flush: Callable[[], object]) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        send(outputs)

    on_batch(nth, act)


@point
def ready_late(tenths: int) -> None:
    """A worker that processes nothing for so many tenths of a second once it knows where it begins to read."""
    consumer = importlib.import_module("processors.consumer").BatchConsumer
    real = consumer.perform_seek

    async def perform_seek(self: Any) -> None:
        await real(self)
        async with self.working:
            await asyncio.sleep(tenths / 10)

    consumer.perform_seek = perform_seek


@point
def unanswered(nth: int) -> None:
    """A worker whose Nth commit is not told how long the logs are."""
    consumer = importlib.import_module("processors.consumer").BatchConsumer
    real, calls = consumer.highwaters, itertools.count(1)

    async def highwaters(self: Any, *tps: Any) -> Any:
        if self.working.locked() and next(calls) == nth:
            raise TimeoutError("the broker did not answer")
        return await real(self, *tps)

    consumer.highwaters = highwaters


@point
def after_the_batch(nth: int) -> None:
    """A sink that dies when Iceberg has a micro-batch and Spark's checkpoint has not."""
    sink = importlib.import_module("lakehouse_jobs.sink").Sink
    real, calls = sink.commit, itertools.count(1)

    def commit(self: Any, batch: Any, batch_id: int) -> None:
        real(self, batch, batch_id)
        if next(calls) == nth:
            die()

    sink.commit = commit


@point
def between_tables(nth: int) -> None:
    """A sink that dies when some tables have a micro-batch and others have not."""
    table = importlib.import_module("lakehouse_jobs.writer").FencedTable
    real, calls = table.append, itertools.count(1)

    def append(self: Any, rows: Any) -> int:
        kept = int(real(self, rows))
        if next(calls) == nth:
            die()
        return kept

    table.append = append


@point
def without_the_lock(nth: int) -> None:
    """Sink number N, which believes that it is the only writer, with a checkpoint of its own."""
    writer_lock = importlib.import_module("lakehouse_jobs.writer_lock")
    resume = importlib.import_module("lakehouse_jobs.resume")
    checkpoints: Callable[[], pathlib.Path] = resume.checkpoints

    @contextlib.contextmanager
    def only_writer(wait_s: float = 30) -> Iterator[Any]:
        session = writer_lock.connect()
        try:
            yield session
        finally:
            session.close()

    writer_lock.only_writer = only_writer
    resume.checkpoints = lambda: checkpoints().with_name(f"sink-{nth}")


def main(argv: list[str]) -> None:
    name, nth, module, *arguments = argv
    POINTS[name](int(nth))
    program = importlib.import_module(f"{module}.__main__")
    sys.argv = [module, *arguments]
    if module == "lakehouse_jobs":
        sys.exit(program.main(arguments))
    program.main()


if __name__ == "__main__":
    main(sys.argv[1:])
