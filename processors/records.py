"""The shapes that cross between Kafka and the pure code: records in, outputs out, and the cause that each output names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from topics.contract import Event, Stream

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SKEW_MS = 60_000  # clocks may run ahead of the broker's by this much; more would push the watermark into the future
_MILLISECOND = dt.timedelta(milliseconds=1)


class Record(NamedTuple):
    """One record of a partition: offset, the broker's timestamp in ms, and the bytes."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Output(NamedTuple):
    """One record to publish. `partition` -1: chosen by the key. `headers` None: those of its topic."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int = -1
    headers: list[tuple[str, bytes]] | None = None


class Derived(NamedTuple):
    """An event for another stream. Its id must be a function of its cause's: what is sent twice is then a duplicate there."""

    stream: Stream
    key: str
    event: Event


class Cause(NamedTuple):
    """The raw position that makes a record happen, and the partition's watermark before it (ms; None at the start)."""

    partition: int
    offset: int
    ingested_ms: int
    watermark_ms: int | None

    def late_by_seconds(self, event_ms: int) -> float:
        """How far behind the watermark an event is, in seconds; 0 where it is not late."""
        return max(0, (self.watermark_ms or event_ms) - event_ms) / 1000


class Refusal(msgspec.Struct, frozen=True):
    """Why an event is not accepted: a stable code for machines, a sentence for people."""

    reason: str
    detail: str


def to_millis(at: dt.datetime | float) -> int:
    """Milliseconds since the epoch of a datetime (naive means UTC) or of a number of seconds or milliseconds.

    Numbers beyond 10^11 are milliseconds: as seconds they would lie after the year 5138.
    """
    if isinstance(at, dt.datetime):
        return ((at if at.tzinfo else at.replace(tzinfo=dt.UTC)) - EPOCH) // _MILLISECOND
    return int(at if abs(at) > 1e11 else at * 1000)


def from_millis(ms: int) -> dt.datetime:
    """The aware UTC datetime of milliseconds since the epoch."""
    return EPOCH + ms * _MILLISECOND
