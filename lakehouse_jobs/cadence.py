"""Which gold tables a round looks at: those whose interval has passed, the slow ones spread over the rounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lakehouse_jobs.gold_table import GoldTable

SLOW_AT_ONCE = 6  # of the tables that are not for every round; those never filled come on top


class Cadence:
    """When each table was last looked at, on the monotonic clock."""

    def __init__(self, tables: Sequence[GoldTable]) -> None:
        self._tables = tables
        self._last: dict[str, float] = {}

    def due(self, now: float) -> tuple[GoldTable, ...]:
        """The tables of this round, in their order. Of the slow ones those first that have waited longest."""
        waited = {t.name: now - self._last.get(t.name, float("-inf")) for t in self._tables}
        slow = [t for t in self._tables if t.interval and waited[t.name] >= t.interval.total_seconds()]
        slow.sort(key=lambda t: waited[t.name] / t.interval.total_seconds(), reverse=True)
        filled = [t.name for t in slow if t.name in self._last]
        left = set(filled[SLOW_AT_ONCE:])
        return tuple(t for t in self._tables if (not t.interval or t in slow) and t.name not in left)

    def looked(self, now: float, tables: Iterable[GoldTable]) -> None:
        """That these were looked at, and hold something."""
        self._last |= {t.name: now for t in tables}
