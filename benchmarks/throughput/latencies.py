"""How long a raw record takes until its clean record is there, and until the KPI counts it, at a pace that every engine can hold.

From the broker's timestamp of the raw record to the moment this process holds the result; whoever reads transactions waits for their
commit, and so does this. Every record of the measured time counts, however long it waits: the producer keeps its pace whatever an
engine does (no coordinated omission), and one whose result never comes ends the benchmark. Measured when the engine has been at it
for a while. As no engine but ours names the records that a figure is made of, the k-th tweet of a cell counts as seen by the first
figure of that cell that is k or more.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pathlib
import subprocess
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import click
import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer

from benchmarks.engines import job
from benchmarks.engines.catalogue import Engine
from benchmarks.latency import consumer_of, quantiles
from benchmarks.throughput.broker import Broker
from benchmarks.throughput.running import Running, running
from riverhouse.clock import unix

WARM_S, STEP_S, WITHIN_S = 10.0, 0.5, 120.0
Cell = tuple[str, int]  # region, start of the minute in ms


class Clean(msgspec.Struct):
    """A clean record: ours and Kafka Streams' name the id otherwise than the raw record does."""

    event_id: str = ""
    tweet_id: str = ""


class Figure(msgspec.Struct):
    region: str
    window_start_at: str  # Java leaves out seconds that are none
    tweets: int


_clean, _figure = msgspec.json.Decoder(Clean).decode, msgspec.json.Decoder(Figure).decode


@dataclass
class Seen:
    """When records were appended, and when their results were held; s since the epoch."""

    raw: dict[str, float] = field(default_factory=dict)  # id → appended at
    clean: dict[str, float] = field(default_factory=dict)  # id → held at
    tweets: dict[Cell, list[float]] = field(default_factory=lambda: defaultdict(list))  # appended at, in order
    figures: dict[Cell, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))  # growing, held at

    def take(self, topic: str, value: bytes, appended_at: float, now: float) -> None:
        """Note a record of one of the three topics."""
        if topic == job.RAW and (tweet := job.decode(value)):
            self.raw[tweet.tweet_id] = appended_at
            self.tweets[job.region(tweet), job.start_ms(tweet)].append(appended_at)
        elif topic == job.CLEAN:
            clean = _clean(value)
            self.clean.setdefault(clean.event_id or clean.tweet_id, now)
        elif topic == job.VOLUME:
            figure = _figure(value)
            known = self.figures[
                figure.region, int(dt.datetime.fromisoformat(figure.window_start_at).timestamp() * 1000)
            ]
            if not known or figure.tweets > known[-1][0]:
                known.append((figure.tweets, now))

    def to_clean(self, began: float, ended: float) -> list[float | None]:
        """Milliseconds from raw to clean, of what was appended in between; None where there is no clean record."""
        held = ((self.clean.get(i), at) for i, at in self.raw.items() if began <= at < ended)
        return [None if h is None else (h - at) * 1000 for h, at in held]

    def to_figure(self, began: float, ended: float) -> list[float | None]:
        """Milliseconds from raw to the KPI that counts it; None where none does."""
        found: list[float | None] = []
        for cell, arrivals in self.tweets.items():
            figures = self.figures.get(cell, [])
            for k, at in enumerate(sorted(arrivals), 1):
                if began <= at < ended:
                    i = bisect_left(figures, (k, 0.0))
                    found.append((figures[i][1] - at) * 1000 if i < len(figures) else None)
        return found


class Latency(NamedTuple):
    """Milliseconds from the raw record; `cpu` is the engine's share of a processor while that was measured."""

    events: int
    clean_p50: float
    clean_p99: float
    kpi_p50: float
    kpi_p99: float
    cpu: float


class Watch:
    """Reads the topics while an engine runs."""

    def __init__(self, consumer: Consumer, process: Running) -> None:
        self.seen = Seen()
        self._consumer, self._process = consumer, process

    def look(self, seconds: float) -> None:
        end = unix() + seconds
        while unix() < end:
            for m in self._consumer.consume(1000, 0.01):
                if not m.error():
                    self.seen.take(m.topic(), m.value(), m.timestamp()[1] / 1000, unix())
        self._process.ended()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = unix() + WITHIN_S
        while not condition():
            self.look(STEP_S)
            if unix() > end:
                name, said = self._process.engine.name, self._process.last_words()
                raise click.ClickException(f"{name} cannot hold this pace: not within {WITHIN_S:.0f} s: {what}\n{said}")


@contextlib.contextmanager
def producing(rate: float) -> Iterator[None]:
    """Tweets at this rate, none twice, until the end of the block."""
    options = ["--no-history", "--no-faults", "--duplicates", "0", "--rate", str(rate)]
    command = [sys.executable, "-m", "producers", "live", "tweets", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def measure(engine: Engine, broker: Broker, log: pathlib.Path, rate: float, seconds: float) -> Latency:
    """Let an engine follow the topic from its beginning. All topics of the tweets are empty before, and not after."""
    broker.forget(engine, kept=())
    partitions = len(broker.ends(job.RAW))
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(running(engine, partitions, log, engine.follows))
        stack.enter_context(producing(rate))
        consumer: Any = consumer_of(job.RAW, job.CLEAN, job.VOLUME, start=OFFSET_BEGINNING)
        watch = Watch(stack.enter_context(contextlib.closing(consumer)), process)
        seen = watch.seen
        watch.until(lambda: bool(seen.clean and seen.figures), "its first results")
        watch.look(WARM_S)
        began, before = unix(), process.look()
        watch.look(seconds)
        ended, after = unix(), process.look()
        watch.look(STEP_S)  # what was appended before has come to this process
        watch.until(lambda: None not in seen.to_clean(began, ended) + seen.to_figure(began, ended), "all results")
    return _latency(seen, began, ended, (after.cpu_s - before.cpu_s) / (ended - began))


def _latency(seen: Seen, began: float, ended: float, cpu: float) -> Latency:
    found = seen.to_clean(began, ended), seen.to_figure(began, ended)
    (clean_p50, clean_p99), (kpi_p50, kpi_p99) = (
        quantiles(sorted(x for x in f if x is not None), 0.5, 0.99) for f in found
    )
    return Latency(len(found[0]), clean_p50, clean_p99, kpi_p50, kpi_p99, cpu)
