"""The clean events of one raw partition that may still be revised, found by what they were joined with.

The values lie in files, one for each six hours of event time, written at their end only; memory holds 24 bytes an event and
its index. It is rebuilt from the clean topic, or from a snapshot, which names the files. Bound: `revisable_for` behind the
watermark.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import msgspec

from processors.snapshots.files import DamagedError, Files, Memory

SPAN_MS = 6 * 3_600_000
IN_MEMORY_BYTES = 64 << 10  # of a segment; what is more goes to its file


class SegmentForm(msgspec.Struct, array_like=True, frozen=True):
    """A segment as a snapshot has it: its columns, and which part of which file its values are in."""

    offsets: bytes
    times: bytes
    starts: bytes
    lengths: bytes
    index: dict[str, list[int]]
    name: str
    written: int
    checksum: int
    tail: bytes


class Segment:
    """Events of one span of event time, in log order. `_index`: what an event was joined with → its rows."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.name = ""  # of the file; none until there is much
        self._written, self._checksum = 0, 0
        self._tail = bytearray()  # what is not in the file yet
        self._offsets, self._times = array("q"), array("q")
        self._starts, self._lengths = array("q"), array("l")
        self._index: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self._offsets)

    def put(self, offset: int, event_ms: int, value: bytes, keys: Iterable[str]) -> None:
        """Add an event, or replace its value: events come in the order of their offsets, revisions in any."""
        row = bisect_left(self._offsets, offset)
        start = self._append(value)
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

    def _append(self, value: bytes) -> int:
        start = self._written + len(self._tail)
        self._tail += value
        if len(self._tail) > IN_MEMORY_BYTES:
            self._to_file(bytes(self._tail))
            self._tail.clear()
        return start

    def _to_file(self, block: bytes) -> None:
        self.name = self.name or self._files.name("history")
        self._files.append(self.name, block)
        self._written += len(block)
        self._checksum = zlib.crc32(block, self._checksum)

    def find(self, key: str, from_ms: int, to_ms: int) -> Iterator[tuple[int, bytes]]:
        for row in sorted(set(self._index.get(key, ()))):
            if from_ms <= self._times[row] < to_ms:
                yield self._offsets[row], self._read(row)

    def get(self, offset: int) -> bytes | None:
        row = bisect_left(self._offsets, offset)
        return self._read(row) if row < len(self._offsets) and self._offsets[row] == offset else None

    def _read(self, row: int) -> bytes:
        start, length = self._starts[row], self._lengths[row]
        if start < self._written:
            return self._files.read(self.name, start, length)
        return bytes(self._tail[start - self._written : start - self._written + length])

    # ── snapshots ───────────────────────────────────────────────────────────────────────────────────────────────────
    def form(self) -> SegmentForm:
        """The segment for a snapshot, with its file on disk."""
        if self.name:
            self._files.sync(self.name)
        return SegmentForm(
            offsets=self._offsets.tobytes(),
            times=self._times.tobytes(),
            starts=self._starts.tobytes(),
            lengths=self._lengths.tobytes(),
            index=self._index,
            name=self.name,
            written=self._written,
            checksum=self._checksum,
            tail=bytes(self._tail),
        )

    @classmethod
    def of(cls, form: SegmentForm, files: Files) -> Segment:
        """The segment again, with a file of its own: whoever wrote the old one may still write to it. Else DamagedError."""
        new = cls(files)
        if form.written:
            values = files.read(form.name, 0, form.written)
            if zlib.crc32(values) != form.checksum:
                raise DamagedError(f"{form.name} does not hold what was written")
            new._to_file(values)
        new._tail += form.tail
        for column, data in zip(
            (new._offsets, new._times, new._starts, new._lengths),
            (form.offsets, form.times, form.starts, form.lengths),
            strict=True,
        ):
            column.frombytes(data)
        new._index = form.index
        return new


class History:
    """The revisable events of one raw partition."""

    def __init__(self, files: Files | None = None) -> None:
        self._files = files or Memory()
        self._segments: dict[int, Segment] = {}

    def __len__(self) -> int:
        return sum(map(len, self._segments.values()))

    def put(self, offset: int, event_ms: int, value: bytes, keys: Iterable[str]) -> None:
        """Keep an event's newest value; `keys` are what it was joined with."""
        span = event_ms // SPAN_MS
        if span not in self._segments:
            self._segments[span] = Segment(self._files)
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
            del self._segments[span]

    @property
    def names(self) -> list[str]:
        """The files in use."""
        return [s.name for s in self._segments.values() if s.name]

    def form(self) -> dict[int, SegmentForm]:
        return {span: s.form() for span, s in self._segments.items()}

    def restore(self, form: dict[int, SegmentForm]) -> None:
        self._segments = {span: Segment.of(s, self._files) for span, s in form.items()}
