"""Where derived topics go on after a fence: for each log the first Kafka record whose position lies beyond it.

Positions of clean, duplicates and rejected records are raw positions, so a fence does not say which Kafka offset comes next.
They grow along a log, except where a crash made the workers publish a stretch again. A binary search finds a place with
nothing new before it; what is published again after it is complete again, and fences drop it. All logs are searched at
once, by one consumer, a round for each halving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from lakehouse_jobs import positions
from lakehouse_jobs.problem import LakeError
from riverhouse import clock
from topics.catalogue import STREAMS
from topics.contract import Topic, position
from topics.sides import logical, physical

TIMEOUT_S: Final = 60.0
SEEKS: Final = {  # single records are wanted, and to be told where a log ends
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 20,
    "queued.max.messages.kbytes": 4096,
    "fetch.message.max.bytes": 65536,
}
Log = tuple[str, int]


@dataclass
class Search:
    """One log's search: the answer lies in [low, high]; `first` is the oldest offset that Kafka holds, `end` the next one.

    `found` is the position of the record there, None where nothing lies beyond the fence; `oldest` that of the first record.
    """

    first: int
    end: int
    low: int
    high: int
    found: int | None = None
    oldest: int | None = None

    @property
    def offset(self) -> int:
        """The answer, once the search is done."""
        return self.high

    @property
    def done(self) -> bool:
        return self.low >= self.high

    @property
    def asks(self) -> int:
        """The offset at or after which it wants the next record: the first one to begin with."""
        return self.first if self.oldest is None else (self.low + self.high) // 2

    def hear(self, record: tuple[int, int] | None, fence: int) -> None:
        """Take the offset and position of the record asked for into account; None: the log ends before there is one."""
        asked = self.asks
        if record is None:
            self.high = asked
            return
        offset, at = record
        self.oldest = at if self.oldest is None else self.oldest
        if at > fence:
            self.high, self.found = asked, at
        else:
            self.low = min(offset + 1, self.high)


def begin(first: int, end: int) -> Search:
    """A search of the offsets from `first` to before `end`."""
    return Search(first, end, low=first, high=end)


def derived() -> dict[str, Topic]:
    """By name: the topics whose records name the raw position that they were made from."""
    return {t.name: t for s in STREAMS for t in (s.clean, s.duplicates, s.rejected)}


def search(fences: Mapping[Log, int]) -> dict[Log, Search]:
    """For each log of a derived topic what comes after a fence (-1: nothing was taken). LakeError where Kafka is away."""
    topics = derived()
    decoders: dict[str, msgspec.json.Decoder[Any]] = {
        name: msgspec.json.Decoder(topics[name].value) for name, _ in fences
    }

    def place(message: Message) -> tuple[int, int]:
        value = decoders[logical(str(message.topic()))].decode(message.value() or b"")
        return int(message.offset() or 0), position(value)

    with positions.reader(SEEKS) as c:
        searches = {log: begin(*positions.marks(c, *log)) for log in fences}
        while open_ones := {log: s for log, s in searches.items() if not s.done}:
            for log, message in _read(c, {log: s.asks for log, s in open_ones.items()}).items():
                open_ones[log].hear(place(message) if message is not None else None, fences[log])
    return searches


def ends(topics: list[str]) -> dict[Log, tuple[int, int]]:
    """The oldest offset and that of the next record, of every partition of these topics."""
    with positions.reader(SEEKS) as c:
        known = c.list_topics(timeout=10).topics
        logs = [(t, p) for t in topics if physical(t) in known for p in known[physical(t)].partitions]
        return {log: positions.marks(c, *log) for log in logs}


def _read(c: Consumer, wanted: Mapping[Log, int]) -> dict[Log, Message | None]:
    """The first record at or after an offset, of each log; None where the log ends before there is one."""
    c.assign([TopicPartition(physical(topic), p, offset) for (topic, p), offset in wanted.items()])
    found: dict[Log, Message | None] = {}
    deadline = clock.monotonic() + TIMEOUT_S
    while len(found) < len(wanted):
        if clock.monotonic() > deadline:
            raise LakeError(
                "Kafka does not answer", f"{len(found)} of {len(wanted)} records came", "see `riverhouse status`"
            )
        for message in c.consume(500, 0.5):
            log = (logical(str(message.topic())), int(message.partition() or 0))
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
                raise KafkaException(error)
            if error is not None or int(message.offset() or 0) >= wanted.get(log, 0):
                found.setdefault(log, None if error is not None else message)
    return found
