"""What Kafka holds that is not in the lake yet: the records of a topic beyond a table's fence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from confluent_kafka import Message, TopicPartition

from lakehouse_jobs import positions
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.problem import LakeError
from riverhouse import clock
from topics.contract import Topic, position

BLOCK = 5000  # records read at once
STALLED_S = 30.0


def raw(topic: Topic, fence: Fence) -> Iterator[Message]:
    """The records of a raw topic beyond bronze's fence."""
    for p, (low, high) in _marks(topic).items():
        yield from _read(topic.name, p, max(low, fence.get(f"{topic.name}/{p}", -1) + 1), high)


def caused(topic: Topic, fence: Fence) -> Iterator[Any]:
    """The decoded records of a clean, duplicates or rejected topic beyond its table's fence, each partition in order."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(topic.value)
    for p, (low, high) in _marks(topic).items():
        read = functools.partial(_values, topic.name, p, decoder)
        yield from beyond(read, low, high, fence.get(f"{topic.name}/{p}", -1))


def beyond(read: Callable[[int, int], list[Any]], low: int, high: int, kept: int, block: int = BLOCK) -> list[Any]:
    """The records of [low, high) whose position is greater than `kept`; `read(start, end)` gives some.

    A position is no offset, so the log is read backwards until a block has nothing new. After a crash a worker publishes again
    what it published before: while it is at that, what it has yet to repeat may be missed here.
    """
    blocks: list[list[Any]] = []
    while high > low:
        start = max(low, high - block)
        new = [record for record in read(start, high) if position(record) > kept]
        if not new:
            break
        blocks.append(new)
        high = start
    return [record for some in reversed(blocks) for record in some]


def at(topic: Topic, partition: int, offset: int) -> Message | None:
    """The record at an offset; None where Kafka has dropped it."""
    low, high = _marks(topic)[partition]
    return next(_read(topic.name, partition, offset, offset + 1), None) if low <= offset < high else None


def _marks(topic: Topic) -> dict[int, tuple[int, int]]:
    with positions.reader() as consumer:
        return {p: positions.marks(consumer, topic.name, p) for p in positions.partitions(consumer, topic)}


def _values(topic: str, partition: int, decoder: msgspec.json.Decoder[Any], start: int, end: int) -> list[Any]:
    return [decoder.decode(m.value()) for m in _read(topic, partition, start, end)]


def _read(topic: str, partition: int, start: int, end: int) -> Iterator[Message]:
    """The records of [start, end). LakeError where none comes for STALLED_S."""
    if start >= end:
        return
    with positions.reader() as consumer:
        consumer.assign([TopicPartition(topic, partition, start)])
        reached, deadline = start, clock.monotonic() + STALLED_S
        while reached < end:
            message = consumer.poll(0.5)
            if message is not None and not message.error():
                reached, deadline = message.offset() + 1, clock.monotonic() + STALLED_S
                if message.offset() < end:
                    yield message
            elif clock.monotonic() > deadline:
                what = f"partition {partition} stays at {reached} of {end}"
                raise LakeError(f"{topic} cannot be read", what, "see `riverhouse status`")
