"""Copying raw records into a side's raw topics, with the time at which the broker took the originals.

**verbatim**: every record to its own partition, in order; so a position of the side is one of the live log, less the offset that the
copy begins at. **spread**: over another number of partitions, by key, in the order of the broker's times; records that the
workers make themselves (versions told to a partition, derived events) are left out and made anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from confluent_kafka import KafkaException, Producer, TopicPartition

from lakehouse_jobs import positions
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.replay import archive
from lakehouse_jobs.replay.record import Raw
from lakehouse_jobs.replay.span import Span
from processors.state import REFERENCE
from riverhouse import brokers, clock
from topics.contract import Stream
from topics.partition import murmur2_partition
from topics.sides import physical

STALLED_S = 60.0
Tell = Callable[[int], object]


def copy(stream: Stream, span: Span, side: str, source: str, spread: int | None, tell: Tell) -> int:
    """Copy one stream; how many records. `spread`: over so many partitions. LakeError where one cannot be read or sent."""
    own = span.of(stream)
    records = _read(stream, own, source, by_time=spread is not None)
    outbox = _Outbox(physical(stream.raw.name, side))
    for copied, record in enumerate(records, start=1):
        if spread is None:
            outbox.send(record, record.partition)
        elif not any(name == REFERENCE for name, _ in record.headers):
            outbox.send(record, _partition(record, spread))
        if copied % 1000 == 0:
            tell(copied)
    outbox.finish()
    return outbox.sent


def _partition(record: Raw, partitions: int) -> int:
    """Where its key goes, as every producer would send it; without a key by where it was, to keep that order."""
    return record.partition % partitions if record.key is None else murmur2_partition(record.key, partitions)


def _read(stream: Stream, span: dict[int, tuple[int, int]], source: str, *, by_time: bool) -> Iterator[Raw]:
    if source == "bronze":
        return archive.read(stream, span, by_time=by_time)
    logs = [_log(stream, p, *ends) for p, ends in sorted(span.items())]
    if not by_time:
        return (record for log in logs for record in log)
    return (record for _, record in heapq.merge(*map(_timed, logs), key=lambda r: (r[0], r[1].partition)))


def _timed(log: Iterator[Raw]) -> Iterator[tuple[int, Raw]]:
    """Each record with the latest time up to it: the broker's clock may step back, a partition's own order stays."""
    reached = 0
    for record in log:
        reached = max(reached, record.at_ms)
        yield reached, record


def _log(stream: Stream, partition: int, begin: int, end: int) -> Iterator[Raw]:
    """The records [begin, end) of one raw partition."""
    expected, deadline = begin, clock.monotonic() + STALLED_S
    with positions.reader({"queued.max.messages.kbytes": 16_384, "auto.offset.reset": "error"}) as consumer:
        consumer.assign([TopicPartition(stream.raw.name, partition, begin)] if begin < end else [])
        while expected < end:
            for message in consumer.consume(5_000, 1.0):
                if message.error():
                    raise _gone(stream, partition, expected, message.error().str())
                if message.offset() != expected:
                    raise _gone(stream, partition, expected, f"the next record is at {message.offset():,}")
                expected, deadline = expected + 1, clock.monotonic() + STALLED_S
                kept = message.timestamp()[1], message.key(), message.value(), message.headers() or []
                yield Raw(partition, message.offset(), *kept)
                if expected == end:
                    break
            if clock.monotonic() > deadline:
                raise _gone(stream, partition, expected, f"nothing came within {STALLED_S:.0f} s")


def _gone(stream: Stream, partition: int, offset: int, detail: str) -> LakeError:
    hint = "has Kafka just dropped it? bronze has it: --source bronze"
    return LakeError(f"record {offset:,} of {stream.raw.name}/{partition} cannot be read", detail, hint)


class _Outbox:
    """Sends records to one topic of the side, in order, and gives nothing up."""

    def __init__(self, topic: str) -> None:
        self.topic, self.sent = topic, 0
        self._refused = ""
        self._producer = Producer(brokers.librdkafka({
            "enable.idempotence": True, "message.timeout.ms": 0, "linger.ms": 20, "batch.size": 1_000_000,
            "compression.type": "lz4", "delivery.report.only.error": True, "on_delivery": self._on_delivery,
        }))  # fmt: skip

    def _on_delivery(self, error: object, _: object) -> None:
        self._refused = self._refused or str(error or "")

    def send(self, r: Raw, partition: int) -> None:
        """Queue one record, with its own time; waits while the queue is full."""
        while True:
            try:
                self._producer.produce(self.topic, r.value, r.key, partition, timestamp=r.at_ms, headers=r.headers)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.sent += 1
        self._producer.poll(0)

    def finish(self) -> None:
        """Wait until the broker has all. LakeError where it refuses one, or has not more of them for a while."""
        left, deadline = len(self._producer), clock.monotonic() + STALLED_S
        try:
            while now := self._producer.flush(1.0):
                if now < left:
                    left, deadline = now, clock.monotonic() + STALLED_S
                if self._refused or clock.monotonic() > deadline:
                    break
        except KafkaException as e:
            self._refused = str(e)
        if now or self._refused:
            detail = self._refused or f"{now:,} records wait"
            raise LakeError(f"records cannot be sent to {self.topic}", detail, "is Kafka up? see `riverhouse status`")
