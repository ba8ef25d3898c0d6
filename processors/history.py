"""The clean events of one raw partition that may still be revised, found by what they were joined with.

The values lie in temporary files, one for each six hours of event time; memory holds 24 bytes an event and its index. It is
rebuilt from the clean topic like all state, so nothing here needs to survive. Bound: `revisable_for` behind the watermark.
"""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

SPAN_MS = 6 * 3_600_000
IN_MEMORY_BYTES = 64 << 10  # of a segment; what is larger goes to a file


class Segment:
    """Events of one span of event time, in log order. `_index`: what an event was joined with → its rows."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed with its segment
        self._offsets, self._times = array("q"), array("q")
        self._starts, self._lengths = array("q"), array("l")
        self._index: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._offsets)

    def put(self, offset: int, event_ms: int, value: bytes, keys: Iterable[str]) -> None:
        """Add an event, or replace its value: events come in the order of their offsets, revisions in any."""
        row = bisect_left(self._offsets, offset)
        start = self._file.seek(0, 2)
        self._file.write(value)
        if row == len(self._offsets):
            self._offsets.append(offset)
            self._times.append(event_ms)
            self._starts.append(start)
            self._lengths.append(len(value))
        else:
            self._starts[row], self._lengths[row] = start, len(value)
        for key in keys:
            rows = self._index.setdefault(key, [])
            if not rows or rows[-1] != row:
                rows.append(row)

    def find(self, key: str, from_ms: int, to_ms: int) -> Iterator[tuple[int, bytes]]:
        for row in sorted(set(self._index.get(key, ()))):
            if from_ms <= self._times[row] < to_ms:
                yield self._offsets[row], self._read(row)

    def get(self, offset: int) -> bytes | None:
        row = bisect_left(self._offsets, offset)
        return self._read(row) if row < len(self._offsets) and self._offsets[row] == offset else None

    def _read(self, row: int) -> bytes:
        self._file.seek(self._starts[row])
        return self._file.read(self._lengths[row])

    def close(self) -> None:
        self._file.close()


class History:
    """The revisable events of one raw partition."""

    def __init__(self) -> None:
        self._segments: dict[int, Segment] = {}

    def __len__(self) -> int:
        return sum(map(len, self._segments.values()))

    def put(self, offset: int, event_ms: int, value: bytes, keys: Iterable[str]) -> None:
        """Keep an event's newest value; `keys` are what it was joined with."""
        span = event_ms // SPAN_MS
        if span not in self._segments:
            self._segments[span] = Segment()
        self._segments[span].put(offset, event_ms, value, keys)

    def find(self, key: str, from_ms: int, to_ms: int) -> list[tuple[int, bytes]]:
        """(raw offset, newest value) of the events of [from_ms, to_ms) that were joined with `key`, in log order."""
        spans = [s for s in self._segments if from_ms < (s + 1) * SPAN_MS and s * SPAN_MS < to_ms]
        return sorted(found for s in spans for found in self._segments[s].find(key, from_ms, to_ms))

    def get(self, offset: int, event_ms: int) -> bytes | None:
        """The newest value of the event at a raw offset; None where it is not kept any more."""
        segment = self._segments.get(event_ms // SPAN_MS)
        return segment.get(offset) if segment else None

    def expire(self, before_ms: int) -> None:
        """Forget the spans that end before an event time."""
        for span in [s for s in self._segments if (s + 1) * SPAN_MS <= before_ms]:
            self._segments.pop(span).close()
