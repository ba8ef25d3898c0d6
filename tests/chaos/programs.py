"""Programs of ours as child processes of a test: faulty or as they are, each with its log, none left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from confluent_kafka import KafkaException

from riverhouse import addresses
from tests.chaos import oracle, stack
from tests.chaos.checks import fates, figures, order
from tests.chaos.probes import Kafka
from tests.integration.kafka import KafkaLogs, wait_for
from topics.tweets import TWEETS

STARTS_MAX = 3
_numbers = itertools.count()
Process = subprocess.Popen[bytes]


@contextlib.contextmanager
def program(*arguments: str, name: str) -> Iterator[Process]:
    """`python -m ARGUMENTS…`, killed at the end of the block if it still runs. Its log is <home>/log/NAME.log."""
    log = addresses.home() / "log" / f"{name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=out, stderr=subprocess.STDOUT, env=os.environ
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def worker(index: int, *faulty: str) -> contextlib.AbstractContextManager[Process]:
    """A worker of the tweets; `faulty` is a point of `faulty.py` and the number of the call it strikes at."""
    return program(*_at(faulty), "processors", "worker", "tweets", "--index", str(index), name=f"tweets-{index}")


def sink(*faulty: str) -> contextlib.AbstractContextManager[Process]:
    """A sink, as `worker`."""
    return program(*_at(faulty), "lakehouse_jobs", "sink", name=f"sink-{'-'.join(faulty)}")


@contextlib.contextmanager
def kept(programs: Sequence[Callable[[], contextlib.AbstractContextManager[Process]]]) -> Iterator[Callable[[], bool]]:
    """Programs that run side by side. What is given says whether all do, and starts again what has ended, a few times."""
    with contextlib.ExitStack() as started:
        running = [started.enter_context(start()) for start in programs]
        starts = 0

        def all_run() -> bool:
            nonlocal starts
            ended = [i for i, process in enumerate(running) if process.poll() is not None]
            starts += len(ended)
            assert starts <= STARTS_MAX, "they end again and again; see their logs"
            for i in ended:
                running[i] = started.enter_context(programs[i]())
            return not ended

        yield all_run


def _at(faulty: tuple[str, ...]) -> tuple[str, ...]:
    return ("tests.chaos.faulty", *faulty) if faulty else ()


def produce(count: int) -> None:
    """Send so many tweets, and what is wrong with some of them, at once."""
    options = ("--seed", str(next(_numbers)), "--count", str(count), "--flat-out", "--no-history")
    command = [sys.executable, "-m", "producers", "live", "tweets", *options, *stack.FAULTS["tweets"]]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=os.environ)


def killed(process: Process, within_s: float = 90) -> None:
    """Wait until a faulty program has come to its point."""
    code = process.wait(within_s)
    assert code == -9, f"it ended with {code} before it came to its point; see its log"


def done() -> bool:
    """Whether the workers have taken all that there is."""
    kafka = Kafka()
    try:
        return kafka.left() == 0
    except KafkaException:
        return False


def finish(process: Process) -> None:
    """Wait until a worker, alone, has come to the end."""
    wait_for("the workers have done everything", lambda: process.poll() is None and done(), within_s=120)


def check() -> KafkaLogs:
    """Every number in Kafka is that of the oracle."""
    logs = KafkaLogs([t.name for t in TWEETS.topics])
    raw = [logs.logs[TWEETS.raw.name, p] for p in range(logs.partitions)]
    db = oracle.connect(raw)
    fates(logs, raw, db)
    order(logs, raw)
    figures(logs, db)
    return logs
