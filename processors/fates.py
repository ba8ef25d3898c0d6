"""The records that say what became of a raw record that is not clean."""

from __future__ import annotations

import msgspec

from processors.records import Cause, Output, Record, Refusal, from_millis
from topics.contract import Duplicate, Rejected, Stream

_encode = msgspec.json.Encoder().encode


def rejection(stream: Stream, partition: int, record: Record, why: Refusal) -> Output:
    """The original bytes, the position and the reason."""
    rejected = Rejected(
        raw_partition=partition,
        raw_offset=record.offset,
        ingested_at=from_millis(record.timestamp_ms),
        reason=why.reason,
        detail=why.detail,
        key=record.key,
        value=record.value,
        headers={n: v.decode(errors="replace") for n, v in record.headers},
    )
    return Output(stream.rejected.name, record.key, _encode(rejected), partition)


def duplicate(stream: Stream, cause: Cause, event_id: str, first: int | None) -> Output:
    """A repeat of the event accepted at the offset `first`; None where that claim has expired."""
    repeat = Duplicate(
        raw_partition=cause.partition,
        raw_offset=cause.offset,
        ingested_at=from_millis(cause.ingested_ms),
        event_id=event_id,
        first_offset=first,
    )
    return Output(stream.duplicates.name, event_id.encode(), _encode(repeat), cause.partition)
