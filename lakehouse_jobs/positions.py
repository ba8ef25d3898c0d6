"""Where a stream stands in Kafka: what the workers committed, and the last causes on the topics they write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from lakehouse_jobs.fences import Fence
from lakehouse_jobs.problem import LakeError
from riverhouse import brokers, clock
from topics import progress
from topics.contract import Stream, Topic, position
from topics.sides import physical

TIMEOUT_S = 10.0


def committed(stream: Stream) -> dict[int, int]:
    """For each raw partition the offset after the last one that the workers have dealt with; 0 where there is none."""
    with reader() as consumer:
        done = progress.committed(stream.group)
        return {p: done.get((physical(stream.raw.name), p), 0) for p in partitions(consumer, stream.raw)}


def has_records(stream: Stream) -> bool:
    """Whether anything was ever written to the raw topic."""
    with reader() as consumer:
        return any(marks(consumer, stream.raw.name, p)[1] for p in partitions(consumer, stream.raw))


def first_offsets(stream: Stream) -> dict[int, int]:
    """The first raw offset that Kafka still holds, of each partition."""
    with reader() as consumer:
        return {p: marks(consumer, stream.raw.name, p)[0] for p in partitions(consumer, stream.raw)}


def end_offsets(topic: Topic) -> dict[int, int]:
    """The offset after the last record of each partition now."""
    with reader() as consumer:
        return {p: marks(consumer, topic.name, p)[1] for p in partitions(consumer, topic)}


def last_causes(topic: Topic) -> Fence:
    """The place of the last record of each partition now, as a fence that has taken it would say."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(topic.value)
    with reader() as consumer:
        ends = {p: marks(consumer, topic.name, p) for p in partitions(consumer, topic)}
        wanted = [TopicPartition(physical(topic.name), p, high - 1) for p, (low, high) in ends.items() if high > low]
        consumer.assign(wanted)
        causes: dict[int, int] = {}
        deadline = clock.monotonic() + 3 * TIMEOUT_S
        while len(causes) < len(wanted):
            if clock.monotonic() > deadline:
                raise LakeError(
                    f"the last records of {topic.name} cannot be read",
                    f"{len(causes)} of {len(wanted)} came",
                    "is Kafka up? see `riverhouse status`",
                )
            message = consumer.poll(1.0)
            if message is not None and not message.error():
                record = decoder.decode(message.value() or b"")
                causes[record.raw_partition] = position(record)
    return {f"{topic.name}/{p}": at for p, at in causes.items()}


def partitions(consumer: Consumer, topic: Topic) -> list[int]:
    """The numbers of a topic's partitions."""
    name = physical(topic.name)
    return sorted(consumer.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions)


def marks(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """The first offset that Kafka still holds, and the next one to be written."""
    low, high = consumer.get_watermark_offsets(TopicPartition(physical(topic), partition), timeout=TIMEOUT_S)
    return int(low), int(high)


@contextlib.contextmanager
def reader(settings: Mapping[str, str | int | bool] = MappingProxyType({})) -> Iterator[Consumer]:
    """A consumer that joins no group and commits nothing, with these settings. LakeError where Kafka does not answer."""
    own = {"group.id": "riverhouse-probe", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer(brokers.librdkafka({**own, **settings}))
    try:
        yield consumer
    except KafkaException as e:
        raise LakeError("Kafka does not answer", str(e.args[0]), "is it up? see `riverhouse status`") from e
    finally:
        consumer.close()
