"""Bytewax, for comparison: `python -m bytewax.run benchmarks.engines.bytewax_tweets:flow()`, to the end of the topic.

The job of `job.py` in its own operators, with recovery snapshots. Its windows tell their figure once, when they close, and its
place in the topic stands in its snapshots, not in Kafka; so it reads to the end and ends.
"""

from __future__ import annotations

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


def closed(cell: tuple[str, tuple[int, int]]) -> KafkaSinkMessage[bytes, bytes]:
    region, (window, tweets) = cell
    return KafkaSinkMessage(region.encode(), job.encode(job.figure(region, window * job.MINUTE_MS, tweets)))


def flow() -> Dataflow:
    brokers, dataflow = [addresses.bootstrap()], Dataflow("tweets")
    raw = op.input("raw", dataflow, KafkaSource(brokers, [job.RAW], tail=False, batch_size=5000))
    read_ = op.filter_map("read", raw, read)
    accepted = op.map("told", op.stateful_flat_map("new", read_, new), lambda keyed: keyed[1])
    out = op.map("clean", accepted, lambda told: KafkaSinkMessage(told[0], job.encode(told[1])))
    op.output("clean_out", out, KafkaSink(brokers, job.CLEAN, PRODUCER))
    clock = win.EventClock(
        lambda told: from_millis(to_millis(told[1].created_at)), wait_for_system_duration=job.LATENESS
    )
    windows = win.TumblingWindower(length=job.MINUTE, align_to=EPOCH)
    cells = win.count_window("count", accepted, clock, windows, key=lambda told: job.region(told[1]))
    op.output("volume_out", op.map("closed", cells.down, closed), KafkaSink(brokers, job.VOLUME, PRODUCER))
    return dataflow
