"""Letters with their retries, as the lake and what Kafka holds beyond it have them together.

Fences are read before the lake is asked: what the sink commits in between is seen twice, and counted once.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from confluent_kafka import Message

from lakehouse_jobs import positions as kafka
from lakehouse_jobs.dead_letters import PENDING
from riverhouse.rejected import lake, tails
from riverhouse.rejected.letters import OPEN, Letter, Retry, by_letter, digest
from riverhouse.rejected.selection import Selection
from topics.catalogue import stream as stream_called
from topics.contract import Rejected, Stream
from topics.retries import FIXED_BY, RETRY_OF, Position

REFERENCE = "reference"  # the header of records that tell a partition of a version
AT_ONCE = 6  # streams asked at once: each mostly waits
Count = tuple[str, str, Counter[str]]  # stream, reason, letters by state


class Book:
    """The letters of some streams and their retries, as they are when it is made."""

    def __init__(self, streams: Iterable[Stream]) -> None:
        self._fence = lake.fence("silver.quarantine")
        sent: list[Retry] = []
        self._fresh: dict[Position, Letter] = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for letters, retries in pool.map(self._read, streams):
                self._fresh |= {letter.position: letter for letter in letters}
                sent += retries
        self._retries = by_letter(sent)

    def _read(self, stream: Stream) -> tuple[list[Letter], list[Retry]]:
        done = kafka.committed(stream)  # first: whatever was refused before it, is among the rejections read next
        rejected: list[Rejected] = list(tails.caused(stream.rejected, self._fence))
        fresh = [x for r in rejected if (x := lake.letter(stream, r)) is not None]
        return fresh, list(_retries(stream, {(r.raw_partition, r.raw_offset): r for r in rejected}, done))

    def counts(self, selection: Selection) -> list[Count]:
        """How many letters of each stream and reason are in each state."""
        fresh = [x for x in self._fresh.values() if selection.matches(x)]
        found: dict[tuple[str, str], Counter[str]] = {}
        for stream, reason, count in lake.counts(selection, self._beyond()):
            found.setdefault((stream, reason), Counter())[OPEN] += count
        for letter in fresh:
            found.setdefault((letter.position.stream, letter.reason), Counter())[OPEN] += 1
        for letter in self.at(self._retries):
            if selection.matches(letter) and (count_of := found.get((letter.position.stream, letter.reason))):
                count_of[OPEN] -= 1
                count_of[letter.state] += 1
        return [(*key, by_state) for key, by_state in sorted(found.items())]

    def _beyond(self) -> str:
        """The condition of rows that came into the lake after the fence was read: they are among the fresh ones."""
        logs = {(p.stream, p.partition) for p in self._fresh}
        kept = ((s, p, self._fence.get(f"{stream_called(s).rejected.name}/{p}", -1)) for s, p in sorted(logs))
        parts = [f"(stream = '{s}' and raw_partition = {p} and raw_offset > {k})" for s, p, k in kept]
        return " or ".join(parts) or "false"

    def newest(self, selection: Selection, limit: int) -> list[Letter]:
        """The letters that arrived last, the newest first."""
        letters = {x.position: x for x in lake.newest(selection, limit)}
        letters |= {p: x for p, x in self._fresh.items() if selection.matches(x)}
        ordered = sorted(letters.values(), key=lambda x: (x.ingested_at, x.position), reverse=True)
        return [self._told(x) for x in ordered[:limit]]

    def letters(self, selection: Selection) -> Iterator[Letter]:
        """The letters that are meant, in the order of their arrival."""
        if selection.positions:
            yield from self.at(selection.positions)
            return
        seen = set()
        for letter in lake.oldest_first(selection):
            seen.add(letter.position)
            yield self._told(letter)
        fresh = [x for p, x in self._fresh.items() if p not in seen and selection.matches(x)]
        yield from (self._told(x) for x in sorted(fresh, key=lambda x: (x.ingested_at, x.position)))

    def at(self, positions: Iterable[Position]) -> list[Letter]:
        """The letters at these positions, or whose retries stand there; positions of neither are left out."""
        tried = {r.position: of for of, retries in self._retries.items() for r in retries}
        wanted = {tried.get(p, p) for p in positions}
        letters = {x.position: x for x in lake.at(wanted)} | {p: x for p, x in self._fresh.items() if p in wanted}
        return [self._told(letters[p]) for p in sorted(letters)]

    def _told(self, letter: Letter) -> Letter:
        return replace(letter, retries=self._retries.get(letter.position, ()))


def _retries(stream: Stream, rejected: dict[tuple[int, int], Rejected], done: dict[int, int]) -> Iterator[Retry]:
    """The stream's retries with their fates.

    `rejected` are the rejections that are not in the lake yet; the workers had `done` all before these raw offsets.
    """
    fences = {t: lake.fence(t) for t in (f"bronze.{stream.table}", f"silver.{stream.table}", "silver.duplicates")}
    sent = {
        r.position: (r, t) for m in tails.raw(stream.raw, fences[f"bronze.{stream.table}"]) for r, t in _sent(stream, m)
    }
    sent |= lake.retries(stream)
    waiting = {p for p, (r, _) in sent.items() if r.fate in {PENDING, REFERENCE}}
    if not waiting:
        yield from (r for r, _ in sent.values())
        return
    fates = {
        (r.raw_partition, r.raw_offset): fate
        for fate, topic, table in (
            ("duplicate", stream.duplicates, "silver.duplicates"), ("clean", stream.clean, f"silver.{stream.table}"),
        )
        for r in tails.caused(topic, fences[table])
        if Position(stream.prefix, r.raw_partition, r.raw_offset) in waiting
    }  # fmt: skip
    for position, (retry, tells) in sent.items():
        place = position.partition, position.offset
        if position not in waiting:
            yield retry
        elif place in rejected:
            yield replace(retry, fate="rejected", reason=rejected[place].reason, detail=rejected[place].detail)
        elif tells:
            yield replace(retry, fate=REFERENCE if done.get(position.partition, 0) > position.offset else PENDING)
        else:
            yield replace(retry, fate=fates.get(place, PENDING))


def _sent(stream: Stream, message: Message) -> Iterator[tuple[Retry, bool]]:
    """The retry that a raw record is, if it is one."""
    headers: dict[str, Any] = dict(message.headers() or [])
    of = lake.named((headers.get(RETRY_OF) or b"").decode(errors="replace"))
    if of is None:
        return
    position = Position(stream.prefix, message.partition(), message.offset())
    at = dt.datetime.fromtimestamp(message.timestamp()[1] / 1000, dt.UTC)
    by = headers.get(FIXED_BY)
    fixed_by = None if by is None else by.decode(errors="replace")
    yield Retry(position, of, at, digest(message.value()), fixed_by), REFERENCE in headers
