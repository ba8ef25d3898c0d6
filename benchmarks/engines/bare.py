"""A bare loop over librdkafka, for comparison: `python -m benchmarks.engines.bare`, until it is killed.

Less than what our worker does: it decodes and validates, drops repeats, publishes the tweets as they came, and counts one KPI,
tweets of each region and minute. No enrichment, no other KPIs, no fence, no state that outlives it.
"""

from __future__ import annotations

import collections
import contextlib

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from benchmarks.engines import job
from riverhouse import addresses

LINGER_S = 0.06  # as long as the broker gathers records for our workers


def main() -> None:
    bootstrap = {"bootstrap.servers": addresses.bootstrap()}
    consumer = Consumer(
        {**bootstrap, "group.id": "bare", "enable.auto.commit": False,
         "max.partition.fetch.bytes": 4_000_000, "queued.min.messages": 200_000}
    )  # fmt: skip
    producer = Producer(
        {**bootstrap, "linger.ms": 20, "batch.size": 1_000_000, "compression.type": "lz4", "enable.idempotence": True,
         "queue.buffering.max.messages": 1_000_000}
    )  # fmt: skip
    partitions = consumer.list_topics(job.RAW, timeout=10).topics[job.RAW].partitions
    consumer.assign([TopicPartition(job.RAW, p, OFFSET_BEGINNING) for p in partitions])
    seen: set[str] = set()
    counts: collections.Counter[tuple[str, int]] = collections.Counter()
    while True:
        messages, changed = consumer.consume(10_000, LINGER_S), set[tuple[str, int]]()
        for message in messages:
            tweet = job.decode(message.value())
            if tweet is None or tweet.tweet_id in seen:
                continue
            seen.add(tweet.tweet_id)
            cell = job.region(tweet), job.start_ms(tweet)
            counts[cell] += 1
            changed.add(cell)
            _send(producer, job.CLEAN, job.encode(tweet), message.key())
        for cell in changed:
            _send(producer, job.VOLUME, job.encode(job.figure(*cell, counts[cell])), cell[0].encode())
        producer.flush()
        if messages:
            consumer.commit(asynchronous=False)


def _send(producer: Producer, topic: str, value: bytes, key: bytes | None) -> None:
    while True:
        with contextlib.suppress(BufferError):
            producer.produce(topic, value, key)
            return
        producer.poll(0.05)


if __name__ == "__main__":
    main()
