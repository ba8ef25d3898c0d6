"""What records are: events as they arrive and as they are kept, versions of reference data, and what else becomes of a fact."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec


def pii(kind: str) -> msgspec.Meta:
    """Mark a field as personal data of `kind` (`name`, `handle`, `text`): masking and access rules derive from it."""
    return msgspec.Meta(extra={"pii": kind})


class Event(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fact as it arrives on a raw topic. Unknown fields are drift: counted, never a reason to refuse.

    The type forbids them so that the one fast decode notices drift; `processors.operators.decode` then reads again without.
    """


class CleanEvent(msgspec.Struct, kw_only=True):
    """An accepted event. Every clean record names its cause: the raw position that it was made from."""

    event_id: str
    event_at: dt.datetime
    ingested_at: dt.datetime
    late_by_seconds: float
    raw_partition: int
    raw_offset: int


ORDINALS = 1 << 20  # more records than one cause can make


class Revisable(CleanEvent, kw_only=True):
    """A clean event that names versions of reference data. It is published again when a version of its time arrives late.

    `raw_partition` and `raw_offset` say which event it is; the greatest (`cause_offset`, `cause_ordinal`) is in force.
    """

    revision: int = 0
    cause_offset: int = -1  # of the same raw partition: the event's own offset, or that of the late reference record
    cause_ordinal: int = 0  # which of the records that this cause made


class Version(Event, kw_only=True):
    """A version of an entity of the reference data, as it arrives: what holds from `valid_from` until the next version's."""

    valid_from: dt.datetime | float
    change_reason: str = "initial"


class CleanVersion(CleanEvent, kw_only=True):
    """A version as kept; `event_at` is its `valid_from`. A later record of the same entity and `valid_from` corrects it."""

    valid_from: dt.datetime
    change_reason: str


class Known(msgspec.Struct, kw_only=True):
    """A version of reference data that a raw partition has been told of, by the record at `raw_offset`."""

    reference: str  # the reference stream's prefix
    raw_partition: int
    raw_offset: int
    version: dict[str, Any]


def position(record: CleanEvent | Rejected | Duplicate) -> int:
    """Where a record stands among those made of its raw partition: the number that fences compare."""
    return record.cause_offset * ORDINALS + record.cause_ordinal if isinstance(record, Revisable) else record.raw_offset


class Rejected(msgspec.Struct, kw_only=True):
    """What could not be accepted: the original bytes, the raw position and why. `value` and `key` travel as base64."""

    raw_partition: int
    raw_offset: int
    ingested_at: dt.datetime
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


class Duplicate(msgspec.Struct, kw_only=True):
    """A raw record whose event had been accepted before. `first_offset` is None where that claim has since expired."""

    raw_partition: int
    raw_offset: int
    ingested_at: dt.datetime
    event_id: str
    first_offset: int | None


class Partial(msgspec.Struct, kw_only=True):
    """One raw partition's share of one KPI cell, absolute. Internal to the processors (see `processors/kpi.py`).

    `kpi` is empty in a progress marker, which says that all partials up to `offset` of this raw partition have been sent.
    """

    kpi: str
    window: int  # window start, seconds since the epoch
    dims: list[str]
    measures: list[int]
    raw_partition: int
    offset: int  # the raw offset of the last record folded in (partial) or looked at (marker)
    watermark: float  # of the raw partition, seconds since the epoch
