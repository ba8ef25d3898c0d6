"""Bytewax, for comparison: `python -m bytewax.run benchmarks.engines.bytewax_tweets:flow()`, to the end of the topic.

The job of `job.py` in its own operators, with recovery snapshots. Its ready-made windows tell their figure once, when they close, an
hour later; so the window has a logic of its own, as its documentation shows, that tells each change. Its place in the topic stands
in its snapshots, not in Kafka; so it reads to the end and ends, or with BENCH_TAIL goes on until it is stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow

from benchmarks.engines import job
from processors.records import EPOCH, from_millis, to_millis
from riverhouse import addresses
from topics.tweets import Tweet

PRODUCER = {"linger.ms": "20", "compression.type": "lz4"}
Told = tuple[bytes, Tweet]


def read(message: KafkaSourceMessage) -> tuple[str, Told] | None:
    tweet = job.decode(message.value)
    return None if tweet is None else (message.key.decode(), (message.key, tweet))


def new(seen: set[str] | None, told: Told) -> tuple[set[str], Iterable[Told]]:
    """The tweet, where the id has not been seen."""
    seen = set() if seen is None else seen
    tweet_id = told[1].tweet_id
    if tweet_id in seen:
        return seen, ()
    seen.add(tweet_id)
    return seen, (told,)


class Counted(win.WindowLogic[Told, int, int]):
    """How many there are in a window; told at each change."""

    def __init__(self, count: int | None) -> None:
        self.count = count or 0

    def on_value(self, value: Told) -> Iterable[int]:  # noqa: ARG002 - each counts the same
        self.count += 1
        return (self.count,)

    def on_merge(self, original: Counted) -> Iterable[int]:
        self.count += original.count
        return (self.count,)

    def on_close(self) -> Iterable[int]:
        return ()

    def snapshot(self) -> int:
        return self.count


def counted(cell: tuple[str, tuple[int, int]]) -> KafkaSinkMessage[bytes, bytes]:
    region, (window, tweets) = cell
    return KafkaSinkMessage(region.encode(), job.encode(job.figure(region, window * job.MINUTE_MS, tweets)))


def flow() -> Dataflow:
    brokers, dataflow = [addresses.bootstrap()], Dataflow("tweets")
    raw = op.input("raw", dataflow, KafkaSource(brokers, [job.RAW], tail="BENCH_TAIL" in os.environ, batch_size=5000))
    read_ = op.filter_map("read", raw, read)
    accepted = op.map("told", op.stateful_flat_map("new", read_, new), lambda keyed: keyed[1])
    out = op.map("clean", accepted, lambda told: KafkaSinkMessage(told[0], job.encode(told[1])))
    op.output("clean_out", out, KafkaSink(brokers, job.CLEAN, PRODUCER))
    clock = win.EventClock(
        lambda told: from_millis(to_millis(told[1].created_at)), wait_for_system_duration=job.LATENESS
    )
    windows = win.TumblingWindower(length=job.MINUTE, align_to=EPOCH)
    by_region = op.key_on("region", accepted, lambda told: job.region(told[1]))
    cells = win.window("count", by_region, clock, windows, Counted, ordered=False)
    op.output("volume_out", op.map("counted", cells.down, counted), KafkaSink(brokers, job.VOLUME, PRODUCER))
    return dataflow
