"""Where a stream stands in Kafka: what the workers committed, and the last causes on the topics they write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from lakehouse_jobs.fences import Fence
from lakehouse_jobs.problem import LakeError
from riverhouse import addresses, clock
from topics import progress
from topics.contract import Stream, Topic, position

TIMEOUT_S = 10.0


def committed(stream: Stream) -> dict[int, int]:
    """For each raw partition the offset after the last one that the workers have dealt with; 0 where there is none."""
    with consumer() as asked:
        done = progress.committed(stream.group)
        return {p: done.get((stream.raw.name, p), 0) for p in _partitions(asked, stream.raw)}


def has_records(stream: Stream) -> bool:
    """Whether anything was ever written to the raw topic."""
    with consumer() as asked:
        return any(_ends(asked, stream.raw, p)[1] for p in _partitions(asked, stream.raw))


def first_offsets(stream: Stream) -> dict[int, int]:
    """The first raw offset that Kafka still holds, of each partition."""
    with consumer() as asked:
        return {p: _ends(asked, stream.raw, p)[0] for p in _partitions(asked, stream.raw)}


def end_offsets(topic: Topic) -> dict[int, int]:
    """The offset after the last record of each partition now."""
    with consumer() as asked:
        return {p: _ends(asked, topic, p)[1] for p in _partitions(asked, topic)}


def last_causes(topic: Topic) -> Fence:
    """The place of the last record of each partition now, as a fence that has taken it would say."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(topic.value)
    with consumer() as asked:
        ends = {p: _ends(asked, topic, p) for p in _partitions(asked, topic)}
        wanted = [TopicPartition(topic.name, p, high - 1) for p, (low, high) in ends.items() if high > low]
        asked.assign(wanted)
        causes: dict[int, int] = {}
        deadline = clock.monotonic() + 3 * TIMEOUT_S
        while len(causes) < len(wanted):
            if clock.monotonic() > deadline:
                raise LakeError(
                    f"the last records of {topic.name} cannot be read",
                    f"{len(causes)} of {len(wanted)} came",
                    "is Kafka up? see `riverhouse status`",
                )
            message = asked.poll(1.0)
            if message is not None and not message.error():
                record = decoder.decode(message.value() or b"")
                causes[record.raw_partition] = position(record)
    return {f"{topic.name}/{p}": at for p, at in causes.items()}


def _partitions(consumer: Consumer, topic: Topic) -> list[int]:
    return sorted(consumer.list_topics(topic.name, timeout=TIMEOUT_S).topics[topic.name].partitions)


def _ends(consumer: Consumer, topic: Topic, partition: int) -> tuple[int, int]:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=TIMEOUT_S)
    return int(low), int(high)


@contextlib.contextmanager
def consumer() -> Iterator[Consumer]:
    """A consumer that joins no group and commits nothing. LakeError where Kafka does not answer."""
    consumer = Consumer(
        {
            "bootstrap.servers": addresses.bootstrap(),
            "group.id": "riverhouse-probe",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    try:
        yield consumer
    except KafkaException as e:
        raise LakeError("Kafka does not answer", str(e.args[0]), "is it up? see `riverhouse status`") from e
    finally:
        consumer.close()
