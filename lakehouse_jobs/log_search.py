"""Where derived topics go on after a fence: for each log the first Kafka record whose position lies beyond it.

Positions of clean, duplicates and rejected records are raw positions, so a fence does not say which Kafka offset comes next.
They grow along a log, except where a crash made the workers publish a stretch again. A binary search finds a place with
nothing new before it; what is published again after it is complete again, and fences drop it. All logs are searched at
once, by one consumer, a round for each halving.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from lakehouse_jobs.problem import LakeError
from riverhouse import addresses, clock
from topics.catalogue import STREAMS
from topics.contract import Topic, position

TIMEOUT_S: Final = 60.0
Log = tuple[str, int]


@dataclass
class Search:
    """One log: the answer lies in [low, high]; `first` is the oldest offset that Kafka holds, `end` that of the next record.

    `found` is the position of the record at `high`, None where nothing lies beyond the fence; `oldest` that of the first.
    """

    first: int
    end: int
    low: int
    high: int
    found: int | None = None
    oldest: int | None = None

    @property
    def offset(self) -> int:
        return self.high

    @property
    def next(self) -> int:
        return (self.low + self.high) // 2 if self.oldest is not None else self.first


def derived() -> dict[str, Topic]:
    """By name: the topics whose records name the raw position that they were made from."""
    return {t.name: t for s in STREAMS for t in (s.clean, s.duplicates, s.rejected)}


def search(fences: Mapping[Log, int]) -> dict[Log, Search]:
    """For each log of a derived topic what comes after a fence (-1: nothing was taken). LakeError where Kafka is away."""
    topics = derived()
    decoders: dict[str, msgspec.json.Decoder[Any]] = {
        name: msgspec.json.Decoder(topics[name].value) for name, _ in fences
    }

    def place(message: Message) -> int:
        return position(decoders[str(message.topic())].decode(message.value() or b""))

    with consumer() as c:
        searches = {log: _begun(c, log) for log in fences}
        open_ones = {log: s for log, s in searches.items() if s.low < s.high}
        while open_ones:
            for log, message in _read(c, {log: s.next for log, s in open_ones.items()}).items():
                _narrow(open_ones[log], message, fences[log], place)
            open_ones = {log: s for log, s in open_ones.items() if s.low < s.high}
    return searches


def ends(topics: list[str]) -> dict[Log, tuple[int, int]]:
    """The oldest offset and that of the next record, of every partition of these topics."""
    with consumer() as c:
        known = c.list_topics(timeout=10).topics
        logs = [(t, p) for t in topics if t in known for p in known[t].partitions]
        return {log: _watermarks(c, log) for log in logs}


def _begun(c: Consumer, log: Log) -> Search:
    first, end = _watermarks(c, log)
    return Search(first, end, low=first, high=end)


def _watermarks(c: Consumer, log: Log) -> tuple[int, int]:
    low, high = c.get_watermark_offsets(TopicPartition(*log), timeout=10)
    return int(low), int(high)


def _narrow(search: Search, message: Message | None, fence: int, place: Callable[[Message], int]) -> None:
    """Take what lies at `search.next` into account; None: nothing from there on (compaction leaves such ends)."""
    asked = search.next
    at = place(message) if message is not None else None
    if search.oldest is None and at is not None:
        search.oldest = at
    if at is None:
        search.high = asked
    elif at > fence:
        search.high, search.found = asked, at
    else:
        search.low = max(asked, int(message.offset() or 0) if message is not None else asked) + 1
        search.high = max(search.high, search.low)


def _read(c: Consumer, wanted: Mapping[Log, int]) -> dict[Log, Message | None]:
    """The first record at or after an offset, of each log; None where the log ends before there is one."""
    c.assign([TopicPartition(*log, offset) for log, offset in wanted.items()])
    found: dict[Log, Message | None] = {}
    deadline = clock.monotonic() + TIMEOUT_S
    while len(found) < len(wanted):
        if clock.monotonic() > deadline:
            raise LakeError(
                "Kafka does not answer", f"{len(found)} of {len(wanted)} records came", "see `riverhouse status`"
            )
        for message in c.consume(500, 0.5):
            log = (str(message.topic()), int(message.partition() or 0))
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
                raise KafkaException(error)
            if error is not None or int(message.offset() or 0) >= wanted.get(log, 0):
                found.setdefault(log, None if error is not None else message)
    return found


@contextlib.contextmanager
def consumer() -> Iterator[Consumer]:
    """A consumer that joins no group, commits nothing, and says where logs end. LakeError where Kafka does not answer."""
    settings = {
        "bootstrap.servers": addresses.bootstrap(), "group.id": "riverhouse-search", "enable.auto.commit": False,
        "enable.partition.eof": True, "log_level": 0, "fetch.wait.max.ms": 20, "queued.max.messages.kbytes": 4096,
        "fetch.message.max.bytes": 65536,
    }  # fmt: skip
    c = Consumer(settings)
    try:
        yield c
    except KafkaException as e:
        raise LakeError("Kafka does not answer", str(e.args[0]), "is it up? see `riverhouse status`") from e
    finally:
        c.close()
