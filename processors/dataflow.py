"""What happens to one raw partition, as a pure fold: records in, outputs and new state out. No Kafka, no Faust, no clock.

    raw ─ decode ─ known? ─ accept ─┬▶ clean      every accepted event once
                                    ├▶ duplicates the id was accepted at another offset
                                    ├▶ rejected   with reason, detail and the original bytes
                                    └▶ partials   each KPI cell that the batch changed, absolute; then a progress marker

The state is a fold over the clean topic and nothing else: which ids were accepted, the business's running figures, the KPI
cells, the watermark. So the clean topic is the state's changelog (docs/decisions/0001), and `apply` is used both for an
event that has just been accepted and for one that is read back after a crash.

The fence is the raw offset of the last clean event in the state. After a crash, records at or below it come again: what
they caused in the clean topic is there already and is not published twice.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from processors.kpi import Dims, KpiFold
from processors.operators import decode
from processors.records import Cause, Output, Record, Refusal, from_millis, to_millis
from processors.seen import Claim, SeenIds, id_bytes
from topics.contract import CleanEvent, Duplicate, Kpi, Partial, Rejected, Stream
from topics.partition import murmur2_partition

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Dataflow:
    """What a business adds: how its events are identified, accepted, and remembered.

    `accept(event, cause, figures)` gives the clean event or a refusal, and changes nothing.
    `remember(figures, clean)` folds a clean event into the running figures that `figures()` starts.
    """

    stream: Stream
    event_id: Callable[[Any], str]
    accept: Callable[[Any, Cause, Any], CleanEvent | Refusal]
    figures: Callable[[], Any]
    remember: Callable[[Any, Any], None]


class Partition:
    """The state of one raw partition and the fold over it.

    `published_until`: the committed raw offset; what records before it caused has been published.
    """

    def __init__(self, flow: Dataflow, partition: int, merge_partitions: int, published_until: int = 0) -> None:
        stream = flow.stream
        self.flow = flow
        self.partition = partition
        self.published_until = published_until
        self.fence = -1
        self.watermark_ms: int | None = None
        self.seen = SeenIds(stream.dedupe_horizon)
        self.figures = flow.figures()
        self.folds = [KpiFold(k, stream.allowed_lateness) for k in stream.kpis]
        self.counts: Counter[str] = Counter()
        self.drift: Counter[str] = Counter()
        self._merge_partitions = merge_partitions
        self._out_of_orderness_ms = int(stream.out_of_orderness.total_seconds() * 1000)
        self._decoder = msgspec.json.Decoder(stream.event)
        self._clean_decoder = msgspec.json.Decoder(stream.clean_event)
        ranked = {r.of.topic for r in stream.rankings}
        self._routes_by_window = [k.topic in ranked for k in stream.kpis]

    # ── the state: a fold over clean events ─────────────────────────────────────────────────────────────────────────
    def recover(self, values: Iterable[bytes]) -> None:
        """Fold clean records read back from the log; those at or below the fence are repeats."""
        for value in values:
            clean = self._clean_decoder.decode(value)
            if clean.raw_offset > self.fence:
                self.apply(clean, id_bytes(clean.event_id))
        for fold in self.folds:
            fold.dirty.clear()
        self.seen.settle()
        if self.fence < self.published_until:  # what comes after may not have been published: it waits for `resume`
            self._expire()

    def apply(self, clean: CleanEvent, event_id: bytes) -> None:
        """Fold one clean event into the state."""
        event_ms = to_millis(clean.event_at)
        reached = event_ms - self._out_of_orderness_ms
        if self.watermark_ms is None or reached > self.watermark_ms:
            self.watermark_ms = reached
        self.fence = clean.raw_offset
        self.seen.claim(event_id, clean.raw_offset, to_millis(clean.ingested_at))
        self.flow.remember(self.figures, clean)
        event_s, watermark_s = event_ms // 1000, (self.watermark_ms or 0) / 1000
        for fold in self.folds:
            fold.fold(clean, event_s, clean.raw_offset, watermark_s)

    def _expire(self) -> None:
        """Drop windows that can no longer change. Never before their last change has been sent."""
        for fold in self.folds:
            fold.expire((self.watermark_ms or 0) / 1000)

    # ── the flow: a batch of raw records ────────────────────────────────────────────────────────────────────────────
    def resume(self, base: int) -> None:
        """The next record is the one at `base`: what later ones caused may not have been published, so it will be."""
        for fold in self.folds:
            fold.touch_since(base)

    def process(self, next_offset: int, records: Sequence[Record]) -> list[Output]:
        """What the raw records before `next_offset` cause. The outputs are in the order in which they must be sent."""
        out: list[Output] = []
        events = [self._read(r) for r in records]
        names = [None if isinstance(e, Refusal) else self.flow.event_id(e) for e in events]
        ids = [None if n is None else id_bytes(n) for n in names]
        sealed = self.seen.look_up([i for i in ids if i is not None])
        for record, event, name, event_id in zip(records, events, names, ids, strict=True):
            self.seen.advance(record.timestamp_ms)
            if name is None or event_id is None:
                out.append(self._rejection(record, event))
            else:
                self._one(record, event, name, event_id, sealed, out)
        out += self._partials()
        out += self._markers(next_offset - 1)
        self._expire()
        self.seen.settle()
        return out

    def _one(
        self, record: Record, event: Any, name: str, event_id: bytes, sealed: Mapping[bytes, Claim], out: list[Output]
    ) -> None:
        offset = record.offset
        first = self.seen.first(event_id, sealed)
        if first == offset:
            return  # accepted before the crash; its clean record is in the log
        cause = Cause(self.partition, offset, record.timestamp_ms, self.watermark_ms)
        if first is not None:
            out.append(self._duplicate(cause, name, first))
            return
        clean = self._accept(event, cause)
        if isinstance(clean, Refusal):
            out.append(self._rejection(record, clean))
        elif offset <= self.fence:  # not accepted the first time, and valid: its claim has expired since
            out.append(self._duplicate(cause, name, None))
        else:
            self.apply(clean, event_id)
            self.counts["clean"] += 1
            out.append(Output(self.flow.stream.clean.name, record.key, _encode(clean), self.partition))

    def _read(self, record: Record) -> Any | Refusal:
        for name, value in record.headers:
            if name == "unmappable":
                return Refusal("unmappable_row", value.decode(errors="replace"))
        got = decode(record.value, self._decoder)
        if isinstance(got, Refusal):
            return got
        event, drift = got
        self.drift.update(drift)
        return event

    def _accept(self, event: Any, cause: Cause) -> CleanEvent | Refusal:
        try:
            return self.flow.accept(event, cause, self.figures)
        except Exception:  # noqa: BLE001  one event that the code cannot handle must not stop the partition
            return Refusal("processor_error", traceback.format_exc(limit=-3))

    def _rejection(self, record: Record, why: Refusal) -> Output:
        self.counts["rejected"] += 1
        rejected = Rejected(
            raw_partition=self.partition,
            raw_offset=record.offset,
            ingested_at=from_millis(record.timestamp_ms),
            reason=why.reason,
            detail=why.detail,
            key=record.key,
            value=record.value,
            headers={n: v.decode(errors="replace") for n, v in record.headers},
        )
        return Output(self.flow.stream.rejected.name, record.key, _encode(rejected), self.partition)

    def _duplicate(self, cause: Cause, event_id: str, first: int | None) -> Output:
        self.counts["duplicates"] += 1
        duplicate = Duplicate(
            raw_partition=cause.partition,
            raw_offset=cause.offset,
            ingested_at=from_millis(cause.ingested_ms),
            event_id=event_id,
            first_offset=first,
        )
        return Output(self.flow.stream.duplicates.name, event_id.encode(), _encode(duplicate), self.partition)

    # ── towards the KPIs ────────────────────────────────────────────────────────────────────────────────────────────
    def _partials(self) -> Iterable[Output]:
        topic, p = self.flow.stream.partials.name, self.partition
        watermark = (self.watermark_ms or 0) / 1000
        for fold, by_window in zip(self.folds, self._routes_by_window, strict=True):
            name = fold.kpi.topic
            for start, dims, offset, measures in fold.drain():
                partial = Partial(
                    kpi=name, window=start, dims=list(dims), measures=measures,
                    raw_partition=p, offset=offset, watermark=watermark,
                )  # fmt: skip
                to = route(fold.kpi, start, () if by_window else dims, self._merge_partitions)
                yield Output(topic, _encode((name, start, dims, p)), _encode(partial), to)

    def _markers(self, offset: int) -> list[Output]:
        marker = Partial(
            kpi="", window=0, dims=[], measures=[], raw_partition=self.partition, offset=offset,
            watermark=(self.watermark_ms or 0) / 1000,
        )  # fmt: skip
        key, value = _encode(("", self.partition)), _encode(marker)
        return [Output(self.flow.stream.partials.name, key, value, m) for m in range(self._merge_partitions)]


def route(kpi: Kpi, start: int, dims: Dims, partitions: int) -> int:
    """Which merge partition adds a cell up. A ranked KPI passes no dimensions: all cells of a window must meet."""
    return murmur2_partition(_encode((kpi.topic, start, dims)), partitions)
