"""Which gold tables a round looks at: those whose interval has passed, the slow ones spread over the rounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lakehouse_jobs.gold_table import GoldTable

SLOW_AT_ONCE = 10  # of the tables that are not for every round; those never filled come on top


class Cadence:
    """When each table was last looked at, on the monotonic clock. `pace` stretches all intervals: 1 is as declared."""

    def __init__(self, tables: Sequence[GoldTable], pace: float = 1.0) -> None:
        self._tables = tables
        self._interval = {t.name: t.interval.total_seconds() * pace for t in tables}
        self._last: dict[str, float] = {}
        self._moving = False

    def due(self, now: float) -> tuple[GoldTable, ...]:
        """The tables of this round: those for every round, those never filled, and the slow ones that have waited longest.

        Each of these in the order of their declaration, so that what is made from another table comes after it.
        """
        waited = {t.name: now - self._last.get(t.name, float("-inf")) for t in self._tables}
        slow = [t for t in self._tables if t.interval and waited[t.name] >= self._interval[t.name]]
        empty = [t for t in slow if t.name not in self._last]
        longest = sorted(slow, key=lambda t: waited[t.name] / self._interval[t.name], reverse=True)
        chosen = [t for t in longest if t.name in self._last][:SLOW_AT_ONCE]
        return (*(t for t in self._tables if not t.interval), *empty, *(t for t in slow if t in chosen))

    def changed(self, tables: Iterable[str]) -> None:
        """That a round changed these. When the tables of every round have come to rest, the others need not wait: all are due."""
        moving = not {t.name for t in self._tables if not t.interval}.isdisjoint(tables)
        if self._moving and not moving:
            self._last |= {name: float("-inf") for name in self._last}
        self._moving = moving

    def knows(self, table: GoldTable) -> bool:
        """Whether the table has been looked at, and holds something."""
        return table.name in self._last

    def looked(self, now: float, tables: Iterable[GoldTable]) -> None:
        """That these were looked at, and hold something."""
        self._last |= {t.name: now for t in tables}
