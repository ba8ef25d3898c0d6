"""Which raw records a replay takes: for each raw partition a first offset and the offset after the last one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from lakehouse_jobs import positions
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.replay import archive
from topics.contract import Stream

TIMEOUT_S = 15.0
BEGINNING = "beginning"
OFFSETS = re.compile(r"(([\w.]+/)?\d+:\d+,?)+")
Log = tuple[str, int]  # raw topic, partition


@dataclass(frozen=True)
class Span:
    """`begin` and `end` (exclusive) of every raw partition of the streams that are replayed."""

    begin: dict[Log, int]
    end: dict[Log, int]

    @property
    def records(self) -> int:
        return sum(end - self.begin[log] for log, end in self.end.items())

    @property
    def is_whole(self) -> bool:
        """Whether it starts at the beginning: only then is the state that records met known."""
        return not any(self.begin.values())

    def of(self, stream: Stream) -> dict[int, tuple[int, int]]:
        """Partition → (begin, end) of one stream."""
        return {p: (self.begin[t, p], end) for (t, p), end in self.end.items() if t == stream.raw.name}


def choose(consumer: Consumer, streams: Sequence[Stream], source: str, since: str, until: str) -> Span:
    """The span between two points, each `beginning`, a moment, or offsets; an empty `until` is what there is now.

    LakeError where the source does not hold it, or holds it with gaps.
    """
    held = {log: span for s in streams for log, span in _held(consumer, s, source).items()}
    first, last = (
        dict.fromkeys(held, 0),
        {log: end for log, (_, end) in held.items()},
    )  # also of logs that no point names
    first |= _places(consumer, streams, source, since, held) if since != BEGINNING else {}
    last |= _places(consumer, streams, source, until, held) if until else {}
    span = Span(
        {log: min(first[log], held[log][1]) for log in held}, {log: min(last[log], held[log][1]) for log in held}
    )
    late = [
        f"{t}/{p} begins at {held[t, p][0]:,}, not {at:,}"
        for (t, p), at in span.begin.items()
        if at < min(held[t, p][0], span.end[t, p])
    ]
    if late:
        hint = "bronze has what Kafka has dropped: --source bronze" if source == "kafka" else "begin later: --from"
        raise LakeError(f"{source} no longer holds where the replay is to begin", "; ".join(late[:5]), hint)
    if span.records <= 0:
        raise LakeError(
            "there is nothing to replay", f"{source} holds no record between the two points", "see --from, --to"
        )
    return Span({log: min(at, span.end[log]) for log, at in span.begin.items()}, span.end)


def _held(consumer: Consumer, stream: Stream, source: str) -> dict[Log, tuple[int, int]]:
    """The first offset that the source holds of each partition, and the one after its last."""
    topic, partitions = stream.raw.name, positions.partitions(consumer, stream.raw)
    if source == "bronze":
        found = archive.held(stream)
        return {(topic, p): found.get(p, (0, 0)) for p in partitions}
    return {(topic, p): positions.marks(consumer, topic, p) for p in partitions}


def _places(
    consumer: Consumer, streams: Sequence[Stream], source: str, point: str, held: dict[Log, tuple[int, int]]
) -> dict[Log, int]:
    if OFFSETS.fullmatch(point):
        return _offsets(point, streams, held)
    at = _moment(point)
    if source == "bronze":
        found = {(s.raw.name, p): o for s in streams for p, o in archive.first_since(s, at).items()}
        return {log: found.get(log, end) for log, (_, end) in held.items()}
    asked = [TopicPartition(t, p, int(at.timestamp() * 1000)) for t, p in held]
    answer = consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
    return {(a.topic, a.partition): a.offset if a.offset >= 0 else held[a.topic, a.partition][1] for a in answer}


def _offsets(text: str, streams: Sequence[Stream], held: dict[Log, tuple[int, int]]) -> dict[Log, int]:
    """`0:100,1:90` where the business has one stream, else `animeverse.pos.raw/0:100,…`; what is not named is whole."""
    found: dict[Log, int] = {}
    for part in text.split(","):
        where, _, offset = part.rpartition(":")
        topic, _, partition = where.rpartition("/")
        topic = topic or (streams[0].raw.name if len(streams) == 1 else "")
        log = (topic, int(partition)) if partition.isdigit() else ("", -1)
        if log not in held or not offset.isdigit():
            hint = "write it as 0:100,1:90, or as animeverse.pos.raw/0:100 where a business has several streams"
            raise LakeError(f"{part!r} is not the offset of a raw partition", "", hint)
        found[log] = int(offset)
    return found


def _moment(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError as e:
        hint = "write `beginning`, 2026-11-21T14:05:00 (UTC), or offsets as 0:100,1:90"
        raise LakeError(f"{text!r} is not a point of the log", str(e), hint) from e
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
