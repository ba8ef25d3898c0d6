"""A real broker's logs for the checks, and waiting for conditions."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from processors.records import Record
from riverhouse import brokers
from topics import progress


def wait_for(what: str, condition: Callable[[], object], within_s: float = 240, every_s: float = 0.1) -> None:
    """Return once `condition` holds; AssertionError, naming `what`, when it does not in time.

    A broker that does not answer is a condition that does not hold yet.
    """
    deadline = time.monotonic() + within_s
    while True:
        why: object = ""
        try:
            if condition():
                return
        except KafkaException as e:
            why = e
        assert time.monotonic() < deadline, f"not within {within_s} s: {what} {why}"
        time.sleep(every_s)


def consumer() -> Consumer:
    return Consumer(brokers.librdkafka({"group.id": "tests", "enable.auto.commit": False}))


def end_offsets(topic: str) -> list[int]:
    c = consumer()
    try:
        partitions = c.list_topics(topic, timeout=10).topics[topic].partitions
        return [c.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in sorted(partitions)]
    finally:
        c.close()


def committed(group: str, topic: str) -> list[int]:
    """Committed offsets of a group; -1 where there is none."""
    done = progress.committed(group)
    return [done.get((topic, p), -1) for p in range(len(end_offsets(topic)))]


def send(topic: str, logs: Sequence[Sequence[Record]]) -> None:
    """Produce each log to the partition of its number."""
    p = Producer(brokers.librdkafka({"enable.idempotence": True, "linger.ms": 20}))
    for partition, log in enumerate(logs):
        for r in log:
            p.produce(topic, r.value, r.key, partition)
            p.poll(0)
    assert p.flush(60) == 0


class KafkaLogs:
    """All that topics hold, read when first asked for."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.partitions = len(end_offsets(topics[0]))
        for topic in topics:
            self._read(topic)

    def _read(self, topic: str) -> None:
        ends = end_offsets(topic)
        c = consumer()
        c.assign([TopicPartition(topic, p, 0) for p in range(len(ends))])
        left = {p for p, end in enumerate(ends) if end}
        while left:
            for m in c.consume(10_000, 1.0):
                self.logs[topic, m.partition()].append(Record(m.offset(), m.timestamp()[1], m.key(), m.value(), ()))
                if m.offset() >= ends[m.partition()] - 1:
                    left.discard(m.partition())
        c.close()

    def read(self, topic: str) -> list[Record]:
        return [r for p in range(self.partitions) for r in self.logs[topic, p]]
