"""Rankings: of each window the newest record, held against the facts up to the offsets that it says it is true for."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from lakehouse_jobs.reconcile.compare import Question, Result, compare
from lakehouse_jobs.reconcile.figures import changes, shown
from lakehouse_jobs.reconcile.live import Offsets, Span, told, upto
from topics.contract import Ranking, Stream


def create(db: duckdb.DuckDBPyConnection, ranking: Ranking) -> None:
    """An empty table `records_<ranking>`: a row for each place."""
    entry = ", ".join(["rank bigint", *(f"{d} text" for d in ranking.of.dimensions), f"{ranking.by} bigint"])
    state = "as_of map(text, bigint), revision bigint, kafka_offset bigint"
    db.execute(f"create table records_{ranking.name} (start bigint, {entry}, {state})")


def take(db: duckdb.DuckDBPyConnection, ranking: Ranking, records: pa.Table, span: Span) -> None:
    """Read records of the topic (`live.RECORDS`), in any order."""
    names = ["rank", *ranking.of.dimensions, ranking.by]
    types = {"rank": "BIGINT", **dict.fromkeys(ranking.of.dimensions, "VARCHAR"), ranking.by: "BIGINT"}
    entry = "{" + ", ".join(f'"{n}": "{t}"' for n, t in types.items()) + "}"
    shape = f'{{"window_start_at": "TIMESTAMPTZ", "entries": [{entry}], "as_of": "MAP(VARCHAR, BIGINT)", "revision": "BIGINT"}}'
    db.register("records", records)
    values = f"""select "offset", from_json(decode(value), '{shape}') as v from records where value is not null"""
    rows = f"""
        select epoch(v.window_start_at)::bigint as start, unnest(v.entries) as e, v.as_of as as_of, v.revision as revision, "offset"
        from ({values})
    """
    placed = ", ".join(f"e.{n}" for n in names)
    db.execute(
        f"""insert into records_{ranking.name} select start, {placed}, as_of, revision, "offset" from ({rows}) where {span.holds()}"""
    )


def settle(db: duckdb.DuckDBPyConnection, ranking: Ranking) -> None:
    """A table `live_<ranking>`: of each window the places of its newest record."""
    db.execute(f"""
        create table live_{ranking.name} as from records_{ranking.name}
        qualify rank() over (partition by start order by revision desc, kafka_offset desc) = 1
    """)


def check(
    db: duckdb.DuckDBPyConnection, ranking: Ranking, stream: Stream, bounds: Offsets, span: Span, kept_since_ms: int = 0
) -> Result:
    """Each place of `live_<ranking>` against the facts up to its record's own `as_of`, and no less than `bounds`.

    A window that did not change since `kept_since_ms` (broker's time) may be gone from the topic.
    """
    kpi, by = ranking.of, ranking.by
    dimensions = ", ".join(kpi.dimensions)
    reach = f"greatest({upto(bounds, 'c.p')}, coalesce(l.as_of[c.p::text], -1))"
    cells = f"""
        select start, {dimensions}, {shown(kpi)[by]} as {by}, max(c.at_ms) as at_ms
        from ({changes(kpi, stream, in_time=True)}) c
        left join (select start, any_value(as_of) as as_of from live_{ranking.name} group by start) l using (start)
        where c.pos <= {reach} and {span.holds()} group by start, {dimensions}
    """
    expected = f"""
        select start, row_number() over best as rank, {dimensions}, {by}, max(at_ms) over (partition by start) as newest_ms
        from ({cells}) window best as (partition by start order by {by} desc, {dimensions}) qualify rank <= {ranking.top}
    """
    found, figures = f"from live_{ranking.name}", [*kpi.dimensions, by]
    excused = f"e.newest_ms < {kept_since_ms}"
    return compare(
        db, Question("live", ranking.topic, expected, found, ("start", "rank"), figures, told(bounds), excused)
    )
