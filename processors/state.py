"""The state of one raw partition: a fold over its clean events.

Which ids were accepted, the business's running figures, KPI cells, gauges, the watermark. So the clean topic is the state's
changelog (docs/decisions/0001), and `apply` is used both for an event that has just been accepted and for one that is read
back after a crash. What the partition knows of the reference data has the context topic as its changelog.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from processors.flow import Dataflow
from processors.gauge import GaugeFold
from processors.history import History
from processors.kpi import KpiFold
from processors.kpi_code import compiled
from processors.records import Output, to_millis
from processors.references import References
from processors.seen import SeenIds, id_bytes
from processors.snapshots.files import Files, Memory
from topics.contract import CleanEvent, Known, Revisable, position

_encode = msgspec.json.Encoder().encode
REFERENCE = "reference"  # the header of a record that tells a raw partition of a version


class State:
    """The state of one raw partition. All streams of a domain have `partitions` partitions.

    `published_until`: the committed raw offset; what records before it caused has been published.
    `files`: where large parts of the state lie; in memory where none are given.
    """

    def __init__(
        self, flow: Dataflow, partition: int, partitions: int, published_until: int = 0, files: Files | None = None
    ) -> None:
        stream = flow.stream
        self.flow = flow
        self.files = files or Memory()
        self.partition = partition
        self.published_until = published_until
        self.fence = -1  # the raw offset that caused the last clean record in the state
        self.watermark_ms: int | None = None
        self.seen = SeenIds(stream.dedupe_horizon)
        self.figures = flow.figures()
        self.folds = [KpiFold(k, stream.allowed_lateness) for k in stream.kpis]
        self._count_in = compiled(self.folds, stream.clean_event, "+")
        self._take_back = compiled(self.folds, stream.clean_event, "-")
        self.gauges = [GaugeFold(g, partition) for g in stream.gauges]
        self.references = References(stream.references)
        self.history = History(self.files) if stream.references else None
        self.counts: Counter[str] = Counter()
        self.drift: Counter[str] = Counter()
        self._position = -1
        self._owed: list[Output] = []  # follows from events that were read back, and may not have been published
        self._partitions = partitions
        self._out_of_orderness_ms = int(stream.out_of_orderness.total_seconds() * 1000)
        self._revisable_ms = int(stream.revisable_for.total_seconds() * 1000)
        self._clean_decoder = msgspec.json.Decoder(stream.clean_event)
        self._versions = {r.prefix: msgspec.json.Decoder(r.version) for r in stream.references}

    @property
    def marks(self) -> tuple[int, int, int | None]:
        """The fence, the position of the last clean record in the state, and the watermark (ms)."""
        return self.fence, self._position, self.watermark_ms

    @marks.setter
    def marks(self, marks: tuple[int, int, int | None]) -> None:
        self.fence, self._position, self.watermark_ms = marks

    def settled(self, next_offset: int) -> bool:
        """Whether all that follows from the state has been given out, the next raw record being that at `next_offset`."""
        return self.fence < next_offset and not self._owed and not any(fold.changed for fold in self._kept())

    def recover(self, values: Iterable[bytes]) -> None:
        """Fold clean records read back from the log; those at or below the fence are repeats."""
        for value in values:
            clean = self._clean_decoder.decode(value)
            if position(clean) <= self._position:
                continue
            if isinstance(clean, Revisable) and clean.revision:
                self._revise(clean, value)
            else:
                self.seen.advance(to_millis(clean.ingested_at))
                self.apply(clean, id_bytes(clean.event_id), value)
                if clean.raw_offset >= self.published_until:
                    self._owed += self._follows(clean, value)
        for fold in self._kept():
            fold.forget()
        self.seen.settle()
        if self.fence < self.published_until:  # what comes after may not have been published: it waits for `resume`
            self._expire()

    def recover_context(self, values: Iterable[bytes]) -> None:
        """Take in versions read back from the context topic."""
        for value in values:
            known = msgspec.json.decode(value, type=Known)
            if known.reference in self._versions:
                version = msgspec.convert(known.version, self._versions[known.reference].type)
                self.references.add(known.reference, version, known.raw_offset)

    def apply(self, clean: CleanEvent, event_id: bytes, value: bytes) -> None:
        """Fold one accepted event, whose record's value is `value`, into the state."""
        event_ms = to_millis(clean.event_at)
        reached = event_ms - self._out_of_orderness_ms
        if self.watermark_ms is None or reached > self.watermark_ms:
            self.watermark_ms = reached
        self.fence = clean.raw_offset
        self._position = position(clean)
        self.seen.claim(event_id, clean.raw_offset)
        self.flow.remember(self.figures, clean)
        self._count_in(clean, event_ms // 1000, clean.raw_offset, self.watermark_ms / 1000)
        for gauge in self.gauges:
            gauge.fold(clean, clean.raw_offset)
        if self.history is not None and event_ms >= self.watermark_ms - self._revisable_ms:
            self.history.put(clean.raw_offset, event_ms, value, self._joined(clean))

    def _revise(self, new: Revisable, value: bytes) -> None:
        """Put a revision in the place of what it revises."""
        event_ms = to_millis(new.event_at)
        before = self.history.get(new.raw_offset, event_ms) if self.history is not None else None
        self.fence, self._position = new.cause_offset, position(new)
        event_s, watermark_s = event_ms // 1000, (self.watermark_ms or 0) / 1000
        if before is not None and self.history is not None:
            old = self._clean_decoder.decode(before)
            self._take_back(old, event_s, new.cause_offset, watermark_s)
            self._count_in(new, event_s, new.cause_offset, watermark_s)
            self.history.put(new.raw_offset, event_ms, value, self._joined(new))
        for gauge in self.gauges:
            gauge.fold(new, new.cause_offset)

    @property
    def written(self) -> int:
        """How many clean records it has made, but for those that it was recovered from."""
        return self.counts["clean"] + self.counts["revised"]

    def _kept(self) -> Sequence[KpiFold | GaugeFold]:
        return (*self.folds, *self.gauges)

    def _joined(self, clean: Any) -> list[str]:
        return [f"{reference.prefix}/{entity}" for reference, entity in self.flow.joins(clean)]

    def _expire(self) -> None:
        """Drop what can no longer change. Never before its last change has been sent."""
        for fold in self.folds:
            fold.expire((self.watermark_ms or 0) / 1000)
        if self.history is not None:
            self.history.expire((self.watermark_ms or 0) - self._revisable_ms)

    def _follows(self, clean: CleanEvent, value: bytes) -> Iterable[Output]:
        """What an accepted event causes in the raw topics of other streams."""
        for stream, key, event in self.flow.derive(clean):
            yield Output(stream.raw.name, key.encode(), _encode(event))
        headers = [(REFERENCE, self.flow.stream.prefix.encode())]
        for stream in self.flow.joined_by:
            for p in range(self._partitions):
                yield Output(stream.raw.name, None, value, p, headers)
