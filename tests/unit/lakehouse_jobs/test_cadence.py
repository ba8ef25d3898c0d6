"""Which tables a round of gold looks at."""

from __future__ import annotations

import datetime as dt
import itertools

from lakehouse_jobs.cadence import SLOW_AT_ONCE, Cadence
from lakehouse_jobs.tables import GOLD_TABLES

ROUND_S = 15


def rounds(minutes: int) -> dict[str, list[int]]:
    """When each table was looked at, in seconds."""
    cadence, looked = Cadence(GOLD_TABLES), dict[str, list[int]]()
    for now in range(0, 60 * minutes, ROUND_S):
        due = cadence.due(now)
        slow = [t for t in due if t.interval]
        assert len({t.name for t in due}) == len(due)
        assert now == 0 or len(slow) <= SLOW_AT_ONCE
        for t in due:
            looked.setdefault(t.name, []).append(now)
        cadence.looked(now, due)
    return looked


def test_every_table_comes_about_as_often_as_it_says() -> None:
    looked = rounds(30)
    for table in GOLD_TABLES:
        interval = max(table.interval, dt.timedelta(seconds=ROUND_S)).total_seconds()
        times = looked[table.name]
        assert max(b - a for a, b in itertools.pairwise(times)) <= 2 * interval, table.name
        assert min(b - a for a, b in itertools.pairwise(times)) >= interval, table.name


def test_minutes_come_every_time_and_what_is_empty_is_looked_at_again() -> None:
    cadence = Cadence(GOLD_TABLES)
    assert cadence.due(0) == cadence.due(15)
    assert {t.name for t in cadence.due(0)} == {t.name for t in GOLD_TABLES}
    cadence.looked(15, GOLD_TABLES)
    assert {t.window for t in cadence.due(16)} == {dt.timedelta(minutes=1)}


def test_at_the_first_filling_a_table_comes_after_those_that_it_is_made_from() -> None:
    due = Cadence(GOLD_TABLES).due(0)
    names = [t.name for t in due]
    for table in due:
        sources = {s.reads for s in table.sources if isinstance(s.reads, str)} - {table.name}
        assert all(names.index(s) < names.index(table.name) for s in sources), table.name


def test_when_the_minutes_come_to_rest_the_others_need_not_wait() -> None:
    cadence, minutes = Cadence(GOLD_TABLES), {t.name for t in GOLD_TABLES if not t.interval}
    cadence.looked(0, GOLD_TABLES)
    cadence.changed({t.name for t in GOLD_TABLES})
    assert {t.name for t in cadence.due(15)} == minutes  # events still come
    cadence.changed(())
    seen: set[str] = set()
    for now in range(30, 120, ROUND_S):
        due = cadence.due(now)
        seen |= {t.name for t in due}
        cadence.looked(now, due)
        cadence.changed({t.name for t in due} - minutes)
    assert seen == {t.name for t in GOLD_TABLES}
    assert {t.name for t in cadence.due(120)} == minutes  # once, not again and again
