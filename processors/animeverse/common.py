"""What AnimeVerse's flows share: bounds of time, the fields of every clean event, rounding, and what was newest when."""

from __future__ import annotations

import datetime as dt
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple, TypedDict

from processors.flow import Lookup
from processors.records import SKEW_MS, Cause, Refusal, from_millis
from topics.animeverse.reference import CUSTOMERS

DAY_MS = 86_400_000
OLDEST_MS = 946_684_800_000  # 2000-01-01
REPLAYED = 100_000  # raw records: more than can lie between the last commit and a crash
UNKNOWN = "unknown"
NONE = "none"


def untimely(at_ms: int, cause: Cause) -> Refusal | None:
    """Why an event's time cannot be right; None where it can."""
    if at_ms > cause.ingested_ms + SKEW_MS:
        return Refusal("timestamp_in_future", f"its time lies {(at_ms - cause.ingested_ms) / 1000} s after its arrival")
    return out_of_range(at_ms)


def out_of_range(at_ms: int) -> Refusal | None:
    """Refuse times before 2000."""
    return Refusal("timestamp_out_of_range", f"{at_ms} ms is before 2000") if at_ms < OLDEST_MS else None


class Base(TypedDict):
    """The fields that every clean event has."""

    event_id: str
    event_at: dt.datetime
    ingested_at: dt.datetime
    late_by_seconds: float
    raw_partition: int
    raw_offset: int


def base(event_id: str, at_ms: int, cause: Cause) -> Base:
    return Base(
        event_id=event_id,
        event_at=from_millis(at_ms),
        ingested_at=from_millis(cause.ingested_ms),
        late_by_seconds=cause.late_by_seconds(at_ms),
        raw_partition=cause.partition,
        raw_offset=cause.offset,
    )


class Buyer(NamedTuple):
    """A customer's version as it stands in clean facts."""

    valid_from: dt.datetime | None
    segment: str
    country: str


def buyer(customer_id: str, lookup: Lookup, at_ms: int) -> Buyer:
    """The customer's version of a time; segment and country are 'none' where nobody was named."""
    if not customer_id:
        return Buyer(None, NONE, NONE)
    version = lookup(CUSTOMERS, customer_id, at_ms)
    return Buyer(version.valid_from, version.segment, version.country) if version else Buyer(None, UNKNOWN, UNKNOWN)


def flags(kept: Iterable[str], of_versions: frozenset[str], found: Iterable[str]) -> list[str]:
    """Flags, sorted: those that do not depend on reference data stay; those that do are what was found now."""
    return sorted({*kept} - of_versions | {*found})


def quotient(over: int, under: int, digits: int) -> float:
    """The ratio, rounded half away from zero as SQL does; `under` is positive."""
    scale: int = 10**digits
    magnitude = (2 * abs(over) * scale + under) // (2 * under)
    return (magnitude if over >= 0 else -magnitude) / scale


class NewestForm(NamedTuple):
    """`Newest` in a snapshot."""

    offsets: bytes
    times: bytes
    settled_ms: int


class Newest:
    """The greatest event time of a partition's clean events, as of any recent raw offset.

    After a crash, refused records come again when later events are in the state already. They must be refused for the
    same reason, so rules that look at the state look at it as of the record's own offset. Bound: `REPLAYED` records.
    """

    def __init__(self) -> None:
        self._offsets, self._times = array("q"), array("q")
        self.settled_ms = 0  # the newest time as of an offset that no record comes again from

    def fold(self, offset: int, at_ms: int) -> None:
        """The event at `offset` was accepted; offsets only grow."""
        if self._times and at_ms <= self._times[-1]:
            return
        self._offsets.append(offset)
        self._times.append(at_ms)
        old = bisect_left(self._offsets, offset - REPLAYED)
        if old:
            self.settled_ms = self._times[old - 1]
        if old > REPLAYED:
            del self._offsets[:old], self._times[:old]

    def form(self) -> NewestForm:
        return NewestForm(self._offsets.tobytes(), self._times.tobytes(), self.settled_ms)

    @classmethod
    def of(cls, form: NewestForm) -> Newest:
        new = cls()
        new._offsets.frombytes(form.offsets)
        new._times.frombytes(form.times)
        new.settled_ms = form.settled_ms
        return new

    def before(self, offset: int) -> int:
        """The greatest event time of the events below a raw offset, in ms; 0 where there are none."""
        here = bisect_left(self._offsets, offset)
        return self._times[here - 1] if here else self.settled_ms
