"""A consistent cut: for each raw partition the last offset whose every effect is in the tables, and what each table keeps of it.

At a moment T each table is a prefix of its logs, but not of the same length: a micro-batch commits table by table. A cut says
for each raw partition a last offset, so that the tables fit together:

- bronze has the raw record, and silver, silver.duplicates and silver.quarantine have whatever became of it;
- rows beyond the cut are taken out again: each carries its position;
- a KPI revision is kept where its `as_of` lies within the cut, and with it all that were published before it;
- a gold table is taken at its newest snapshot that was computed from nothing beyond the cut.

All of it is plain arithmetic over fences; past.py reads them from the lake and from Kafka.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from lakehouse_jobs.fences import Fence
from topics.contract import ORDINALS, Revisable, Stream

Cut = dict[str, int]  # "topic/partition" of the raw topic: the last offset included; -1: none
Snapshot = TypeVar("Snapshot")


def choose(stream: Stream, bronze: Fence, done: Mapping[int, int], following: Mapping[int, Iterable[int]]) -> Cut:
    """The newest cut of one stream.

    `bronze` is the fence of its archive; `done` says for each raw partition how many records the workers have finished;
    `following` the raw offsets of the first records that the tables do *not* have, one from each derived topic that has one.
    """
    cut: Cut = {}
    for partition, finished in done.items():
        log = f"{stream.raw.name}/{partition}"
        missing = min(following.get(partition, ()), default=finished)
        cut[log] = min(bronze.get(log, -1), finished - 1, missing - 1)
    return cut


def last(stream: Stream, offset: int) -> int:
    """The greatest position on the clean topic that a raw offset, or one before it, can have caused."""
    return offset * ORDINALS + ORDINALS - 1 if issubclass(stream.clean_event, Revisable) else offset


def cause(stream: Stream, topic: str, position: int) -> int:
    """The raw offset that caused the record at that position of a derived topic."""
    revisable = topic == stream.clean.name and issubclass(stream.clean_event, Revisable)
    return position // ORDINALS if revisable else position


def limits(streams: Sequence[Stream], cut: Cut) -> Fence:
    """The cut as fences say it: of each log that has a raw partition behind it, the greatest position within the cut."""
    found: Fence = {}
    for stream in streams:
        for log, offset in cut.items():
            topic, partition = log.rsplit("/", 1)
            if topic == stream.raw.name:
                found |= {f"{t.name}/{partition}": offset for t in (stream.raw, stream.duplicates, stream.rejected)}
                found[f"{stream.clean.name}/{partition}"] = last(stream, offset)
    return found


def beyond(fence: Fence, limit: Fence) -> Fence:
    """The logs of a fence that have gone too far, each with its limit. Logs without one are not beyond it."""
    return {log: limit[log] for log, at in fence.items() if at > limit.get(log, at)}


def lowered(fence: Fence, limit: Fence) -> Fence:
    """The fence after the rows beyond the limit have been taken out."""
    return fence | beyond(fence, limit)


def figures(logs: Sequence[str], offsets: Sequence[int], fits: Sequence[bool]) -> Fence:
    """Of each log of figures that has one that does not fit the cut: the last offset before the first of those."""
    limit: Fence = {}
    for log, offset, fitting in zip(logs, offsets, fits, strict=True):
        if not fitting:
            limit[log] = min(offset - 1, limit.get(log, offset))
    return limit


def newest(snapshots: Iterable[Snapshot], as_of: Callable[[Snapshot], Fence], limit: Fence) -> Snapshot | None:
    """The first of these snapshots (newest first) that was computed from nothing beyond the limit."""
    return next((s for s in snapshots if not beyond(as_of(s), limit)), None)


def overlap(cut: Cut, wanted: Cut) -> Cut:
    """The cut, lowered to what is wanted."""
    return {log: min(at, wanted.get(log, at)) for log, at in cut.items()}
