"""A bare loop over librdkafka, for comparison: `python -m benchmarks.engines.bare`, until it is killed.

Less than what our worker does: it decodes and validates, drops repeats, publishes the tweets as they came, and counts one KPI,
tweets of each region and minute. No enrichment, no other KPIs, no fence, no state that outlives it.
"""

from __future__ import annotations

import collections
import contextlib

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from riverhouse import addresses
from topics.tweets import TWEETS, VOLUME_BY_REGION, Tweet


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
    partitions = consumer.list_topics(TWEETS.raw.name, timeout=10).topics[TWEETS.raw.name].partitions
    consumer.assign([TopicPartition(TWEETS.raw.name, p, OFFSET_BEGINNING) for p in partitions])
    decode, encode = msgspec.json.Decoder(Tweet).decode, msgspec.json.Encoder().encode
    seen: set[str] = set()
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    while True:
        messages = consumer.consume(10_000, 0.5)
        for message in messages:
            try:
                tweet = decode(message.value())
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if tweet.tweet_id in seen:
                continue
            seen.add(tweet.tweet_id)
            counts[tweet.region or "ZZZ", str(tweet.created_at)[:16]] += 1
            _send(producer, TWEETS.clean.name, encode(tweet), message.key())
        for cell, count in counts.items():
            _send(producer, VOLUME_BY_REGION.topic, encode({"tweets": count}), encode(cell))
        counts.clear()
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
