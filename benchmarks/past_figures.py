"""What gold and the KPI log hold of a day of tweets: `benchmarks.history` fills them with it.

The SQL is that of the reconciliation, which follows from the contracts and is compared with Spark's gold wherever it runs.
Every window of the tweets lies within a UTC day, so a day's figures need no other day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from lakehouse_jobs.reconcile import figures
from lakehouse_jobs.reconcile.tweets import SUMMARIES
from lakehouse_jobs.tables import GOLD_TABLES, KPI_LOG
from topics.contract import DAY, Kpi
from topics.tweets import TWEETS

FACTS = """
create or replace view facts_tweets as
select *, raw_partition as p, raw_offset as pos, raw_offset as o, 1 as sign, epoch_ms(event_at) as event_ms,
       epoch_ms(ingested_at) as at_ms, epoch_ms(event_at) as wm_ms
from tweets
"""
REACHED = """
create or replace temp table reached as
select map_from_entries(list((p::varchar, o))) from (select p, max(o) as o from facts_tweets group by p)
"""
PUBLISHED_AFTER = "interval 6 seconds"  # of a window's end: out-of-orderness, and what merging takes
GOLD = {t.name: t for t in GOLD_TABLES}


class Figures:
    """The figures of one day after the other. Positions in the KPI log end before it begins, as those of the tweets do."""

    def __init__(self) -> None:
        self._db = duckdb.connect(config={"threads": 1, "memory_limit": "2GB", "arrow_large_buffer_size": True})
        self._db.execute("set timezone = 'UTC'")
        self._logged = 0

    def of(self, tweets: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        """Table by table, what the tweets of a day (silver's columns) make: the name, and rows in the table's order."""
        self._db.register("tweets", tweets)
        self._db.execute(FACTS)
        self._db.execute(REACHED)
        logged = []
        for kpi in TWEETS.kpis:
            self._db.execute(f"create or replace temp table cells as {_cells(kpi)}")
            if kpi.name in GOLD:
                yield f"gold.{kpi.name}", self._rows(_gold(kpi.name))
            logged.append(self._log(kpi))
        yield KPI_LOG.name, pa.concat_tables(logged)
        for summary in SUMMARIES:
            self._db.execute(f"create or replace temp table cells as with facts as (from facts_tweets) {summary.query}")
            yield f"gold.{summary.table}", self._rows(_gold(summary.table))

    def _log(self, kpi: Kpi) -> pa.Table:
        """One final revision of each cell, as the log keeps it."""
        rows = self._rows(_logged(kpi, self._logged))
        self._logged += rows.num_rows
        return rows

    def _rows(self, sql: str) -> pa.Table:
        return self._db.sql(sql).to_arrow_table()


def _cells(kpi: Kpi) -> str:
    measures = ", ".join(f"{e} as {n}" for n, e in figures.shown(kpi).items())
    dimensions = ", ".join(["start", *kpi.dimensions])
    return f"select {dimensions}, {measures} from ({figures.changes(kpi, TWEETS, in_time=False)}) group by all"


def _gold(name: str) -> str:
    """The cells in the table's columns."""
    table = GOLD[name]
    known = {"window_start_at": "to_timestamp(start)", "window_end_at": _end(table.window or DAY)}
    columns = ", ".join(f"{known.get(c, c)} as {c}" for c in table.schema.column_names)
    return f"select {columns} from cells order by start"


def _end(window: dt.timedelta) -> str:
    return f"to_timestamp(start + {int(window.total_seconds())})"


def _logged(kpi: Kpi, before: int) -> str:
    """The cells as rows of the KPI log, of which there are `before` already."""
    end = _end(kpi.window)
    dimensions = _map({d: d for d in kpi.dimensions}, "varchar")
    measures = _map({m.name: m.name for m in kpi.measures}, "double")
    return f"""
        select '{kpi.topic}' as kpi, to_timestamp(start) as window_start_at, {end} as window_end_at, {dimensions} as dimensions,
               {measures} as measures, (from reached) as as_of, 1::bigint as revision, true as final,
               {end} + {PUBLISHED_AFTER} as published_at, 0::bigint as kpi_partition,
               -{before} - row_number() over () as kpi_offset
        from cells order by start"""


def _map(entries: dict[str, str], kind: str) -> str:
    keys = ", ".join(f"'{k}'" for k in entries)
    values = ", ".join(f"{v}::{kind}" for v in entries.values())
    return f"map([{keys}]::varchar[], [{values}]::{kind}[])"
