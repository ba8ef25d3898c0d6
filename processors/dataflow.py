"""What happens to one raw partition, as a pure fold: records in, outputs and new state out. No Kafka, no Faust, no clock.

    raw ─ decode ─ known? ─ accept ─ enrich ─┬▶ clean      every accepted event once; again where a late version revises it
                                             ├▶ duplicates the id was accepted at another offset
                                             ├▶ rejected   with reason, detail and the original bytes
                                             ├▶ raw topics of other streams: derived events, versions of reference data
                                             ├▶ gauges     the newest event's values of each key that the batch changed
                                             └▶ partials   each KPI cell that it changed, absolute; then a progress marker

The state (`state.py`) is a fold over the clean topic. What the partition knows of the reference data comes in its own log as
well (docs/decisions/0007).

The fence is the position of the last clean record in the state. After a crash, records at or below it come again: what
they caused in the clean topic is there already and is not published twice. What else they caused may not be there: gauges
and partials are sent again (absolute values), derived events too (their ids make them duplicates).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from processors.fates import duplicate, rejection
from processors.flow import Dataflow, Lookup
from processors.operators import decode
from processors.partials import Shares
from processors.records import Cause, Output, Record, Refusal, to_millis
from processors.seen import Claim, id_bytes
from processors.snapshots.files import Files
from processors.state import REFERENCE, State
from topics.contract import ORDINALS, CleanEvent, CleanVersion, Known, Reference, Revisable

_encode = msgspec.json.Encoder().encode
# Records that are read before they are folded. Of 5,000 none would still be in the processor's cache: a twentieth of the time.
AT_ONCE = 500


class Partition(State):
    """What happens to the records of one raw partition, over its state."""

    def __init__(
        self, flow: Dataflow, partition: int, partitions: int, published_until: int = 0, files: Files | None = None
    ) -> None:
        super().__init__(flow, partition, partitions, published_until, files)
        stream = flow.stream
        self._decoder = msgspec.json.Decoder(stream.event)
        self._shares = Shares(stream, partition, partitions)
        self._clean_topic = stream.clean.name
        self._followed = flow.followed

    def resume(self, base: int) -> None:
        """The next record is the one at `base`: what later ones caused may not have been published, so it will be."""
        for fold in self._kept():
            fold.touch_since(base)

    def process(self, next_offset: int, records: Sequence[Record], generation: int = 0) -> list[Output]:
        """What the raw records before `next_offset` cause. The outputs are in the order in which they must be sent.

        `generation` of the consumer group: no two workers own the partition in the same one.
        """
        out, self._owed = self._owed, []
        for i in range(0, len(records), AT_ONCE):
            self._take(records[i : i + AT_ONCE], out)
        for gauge in self.gauges:
            out += gauge.drain()
        if self.folds:
            out += self._shares.changed(self.folds, self.watermark_ms, generation)
            if next_offset > self.fence:  # else the state is ahead of the reading: no offset says what it stands for
                out += self._shares.markers(next_offset - 1, self.watermark_ms, generation)
        self._expire()
        self.seen.settle()
        return out

    def _take(self, records: Sequence[Record], out: list[Output]) -> None:
        events = [self._read(r) for r in records]
        names = [None if isinstance(e, Refusal | _Told) else self.flow.event_id(e) for e in events]
        ids = [None if n is None else id_bytes(n) for n in names]
        sealed = self.seen.look_up([i for i in ids if i is not None])
        for record, event, name, event_id in zip(records, events, names, ids, strict=True):
            self.seen.advance(record.timestamp_ms)
            if isinstance(event, _Told):
                self._learn(record, event, out)
            elif name is None or event_id is None:
                out.append(self._rejection(record, event))
            else:
                self._one(record, event, name, event_id, sealed, out)

    def answer(self, topic: str, keys: Iterable[bytes]) -> list[Output]:
        """The values of these keys of a gauge's topic, once more (`answers.py`)."""
        touched = [g for g in self.gauges if g.gauge.topic == topic]
        for gauge in touched:
            gauge.touch(keys)
        return [output for gauge in touched for output in gauge.drain()]

    def _one(
        self, record: Record, event: Any, name: str, event_id: bytes, sealed: Mapping[bytes, Claim], out: list[Output]
    ) -> None:
        offset = record.offset
        first = self.seen.first(event_id, sealed)
        if first == offset:
            return  # accepted before the crash; its clean record is in the log
        if first is not None and first > offset:
            first = None  # claimed by a later record: what became of this one was decided without it
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
            value = _encode(clean)
            self.apply(clean, event_id, value)
            self.counts["clean"] += 1
            out.append(Output(self._clean_topic, self._clean_key(record, clean), value, self.partition))
            if self._followed:
                out += self._follows(clean, value)

    def _read(self, record: Record) -> Any:
        """The event, the version that the partition is told of, or why the record cannot be read."""
        for name, value in record.headers:
            if name == REFERENCE:
                return self._read_version(record, value.decode(errors="replace"))
            if name == "unmappable":
                return Refusal("unmappable_row", value.decode(errors="replace"))
        got = decode(record.value, self._decoder)
        if isinstance(got, Refusal):
            return got
        event, drift = got
        if drift:
            self.drift.update(drift)
        return event

    def _accept(self, event: Any, cause: Cause) -> CleanEvent | Refusal:
        try:
            clean = self.flow.accept(event, cause, self.figures)
            if isinstance(clean, Revisable):
                clean.cause_offset = cause.offset
                clean = self.flow.enrich(clean, self._lookup(cause.offset))
        except Exception:  # noqa: BLE001  one event that the code cannot handle must not stop the partition
            return _processor_error()
        return clean

    def _rejection(self, record: Record, why: Refusal) -> Output:
        self.counts["rejected"] += 1
        return rejection(self.flow.stream, self.partition, record, why)

    def _duplicate(self, cause: Cause, event_id: str, first: int | None) -> Output:
        self.counts["duplicates"] += 1
        return duplicate(self.flow.stream, cause, event_id, first)

    def _clean_key(self, record: Record, clean: CleanEvent) -> bytes | None:
        """A reference's clean topic keeps one record of each entity and `valid_from`; others keep the raw key."""
        stream = self.flow.stream
        if not (isinstance(stream, Reference) and isinstance(clean, CleanVersion)):
            return record.key
        return _encode((getattr(clean, stream.clean_key), to_millis(clean.valid_from)))

    # ── reference data: what the log tells of it ────────────────────────────────────────────────────────────────────
    def _read_version(self, record: Record, reference: str) -> Any:
        decoder = self._versions.get(reference)
        if decoder is None:
            return Refusal("unknown_reference", f"{self.flow.stream.prefix} is not joined with {reference!r}")
        got = decode(record.value, decoder)
        return got if isinstance(got, Refusal) else _Told(reference, got[0])

    def _lookup(self, offset: int) -> Lookup:
        """The reference data as the log has told it up to a raw offset."""
        at = self.references.at
        return lambda reference, entity, event_ms: at(reference.prefix, entity, event_ms, offset)

    def _learn(self, record: Record, told: _Told, out: list[Output]) -> None:
        """Take a version in, and publish the events of its time again where it changes them."""
        reference, version = told.reference, told.version
        self.counts["reference"] += 1
        known = Known(
            reference=reference, raw_partition=self.partition, raw_offset=record.offset, version=msgspec.to_builtins(version),
        )  # fmt: skip
        entity = self.references.entity(reference, version)
        key = _encode((reference, entity, to_millis(version.valid_from), record.offset, self.partition))
        out.append(Output(self.flow.stream.context.name, key, _encode(known), self.partition))
        from_ms, to_ms = self.references.add(reference, version, record.offset)
        from_ms = max(from_ms, (self.watermark_ms or 0) - self._revisable_ms)
        if self.history is None or from_ms >= to_ms or record.offset < self.fence:
            return  # below the fence: its revisions are in the log, and those of later versions too
        lookup = self._lookup(record.offset)
        for _, value in self.history.find(f"{reference}/{entity}", from_ms, to_ms):
            old = self._clean_decoder.decode(value)
            try:
                new = self.flow.enrich(old, lookup)
            except Exception:  # noqa: BLE001  nor must a version; what it could not revise stays as it was
                out.append(self._rejection(record, _processor_error()))
                return
            if new != old:
                out.append(self._revision(record, new))

    def _revision(self, record: Record, new: Any) -> Output:
        """The next record that this version causes; after a crash, those before it are in the log already."""
        last, ordinal = divmod(self._position, ORDINALS)
        new = msgspec.structs.replace(
            new,
            revision=new.revision + 1,
            cause_offset=record.offset,
            cause_ordinal=ordinal + 1 if last == record.offset else 0,
        )
        value = _encode(new)
        self._revise(new, value)
        self.counts["revised"] += 1
        stream = self.flow.stream
        return Output(stream.clean.name, str(getattr(new, stream.clean_key)).encode(), value, self.partition)


def _processor_error() -> Refusal:
    """What has just been raised, as a reason."""
    return Refusal("processor_error", traceback.format_exc(limit=-3))


class _Told(msgspec.Struct):
    """A record that tells of a version, read."""

    reference: str
    version: CleanVersion
