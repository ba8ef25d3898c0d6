"""Logs, compaction and a consumer group as plain objects."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from operator import attrgetter

from processors.records import Output, Record
from topics.partition import murmur2_partition

Position = tuple[str, int]
_offset = attrgetter("offset")


class Log(list[Record]):
    """One partition: records by offset. Compaction leaves gaps; `ever` has what it took away, too."""

    def __init__(self) -> None:
        super().__init__()
        self.end = 0
        self.ever: list[Record] = []

    def put(self, record: Record) -> None:
        self.append(record._replace(offset=self.end))
        self.ever.append(self[-1])
        self.end += 1

    def since(self, base: int, most: int | None = None) -> list[Record]:
        at = bisect_left(self, base, key=_offset)
        return self[at : None if most is None else at + most]

    def compact(self, until: int) -> None:
        """Of the records below an offset keep the newest of each key."""
        cut = bisect_left(self, until, key=_offset)
        last = {r.key: r.offset for r in self[:cut]}
        self[:cut] = [r for r in self[:cut] if last[r.key] == r.offset]


@dataclass
class Broker:
    """Logs, and what the one consumer group has committed. `now_ms`: the time of what is appended."""

    partitions: int
    compacted: frozenset[str] = frozenset()
    now_ms: int = 0
    generation: int = 0
    was_compacted: bool = False
    logs: dict[Position, Log] = field(default_factory=lambda: defaultdict(Log))
    committed: dict[Position, int] = field(default_factory=lambda: defaultdict(int))

    def partition_of(self, o: Output) -> int:
        return o.partition if o.partition >= 0 else murmur2_partition(o.key or b"", self.partitions)

    def put(self, topic: str, p: int, record: Record) -> None:
        self.logs[topic, p].put(record)

    def read(self, topic: str) -> list[Record]:
        return [r for p in range(self.partitions) for r in self.logs[topic, p]]

    def compact(self, rng: random.Random | None = None) -> None:
        """Compact one log up to some offset; without `rng` all of them, to their ends."""
        self.was_compacted = True
        logs = [log for (topic, _), log in self.logs.items() if topic in self.compacted and log]
        for log in logs if rng is None else [rng.choice(logs)] if logs else []:
            log.compact(log.end if rng is None else rng.randrange(log.end + 1))
