"""What must come out, computed by DuckDB from the raw records alone, of many runs at once. Shares no code with the processors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa

from processors.records import Record

SQL = """
create table accepted as
with parsed as (
    select run, p, o, at_ms, try_cast(v as json) j from raw
), valid as (
    select run, p, o, at_ms, lower(j->>'tweet_id') id, (j->>'created_at')::bigint event_ms, trim(j->>'text') text,
           j->'user'->>'user_id' user_id, coalesce(j->>'region', 'ZZZ') region, coalesce(j->>'language', 'und') lang,
           (j->>'likes')::bigint + (j->>'retweets')::bigint + (j->>'replies')::bigint engagement,
           (j->>'sentiment_score')::double sentiment,
           case when len((j->'hashtags')::varchar[]) > 0 then [ltrim(lower(t), '#') for t in (j->'hashtags')::varchar[]]
                else regexp_extract_all(lower(text), '#(\\w+)', 1) end tags
    from parsed
    where json_type(j) = 'OBJECT' and j->>'text' is not null and trim(j->>'text') <> '' and (j->>'likes')::bigint >= 0
      and (j->>'created_at')::bigint <= at_ms + 60000
), firsts as (
    select * from valid qualify row_number() over (partition by run, p, id order by o) = 1
)
select *, max(event_ms) over (partition by run, p order by o) - 5000 watermark from firsts
"""
OPEN = "({start} + {width_s} + {lateness_s}) * 1000 > watermark"  # the event's window was open when it came

# Each value that was ever published, against the events of the prefixes that its `as_of` names.
AS_OF = """
with counted as (
    select k.run, k.n, count(a.o) as tweets, coalesce(sum(a.engagement), 0)::bigint as engagement
    from published k left join accepted a
      on a.run = k.run and a.region = k.region and a.event_ms // 60000 * 60 = k.start and a.o <= k.ends[a.p + 1]
     and (k.start + 60 + 3600) * 1000 > a.watermark
    group by all
)
select k.run, k.start, k.region, k.tweets, c.tweets from published k join counted c using (run, n)
where (k.tweets, k.engagement) <> (c.tweets, c.engagement)
"""


def table(rows: Iterable[tuple], names: str) -> pa.Table:
    """Rows as a table; `names` separated by spaces."""
    columns = list(zip(*rows, strict=True)) or [()] * len(names.split())
    return pa.table({n: list(c) for n, c in zip(names.split(), columns, strict=True)})


def connect(runs: Mapping[int, Sequence[Sequence[Record]]]) -> duckdb.DuckDBPyConnection:
    """Of each run's raw logs the tables raw(run, p, o, at_ms, v) and accepted, one row for each event that must be kept."""
    rows = (
        (run, p, r.offset, r.timestamp_ms, (r.value or b"").decode("latin-1"))
        for run, logs in runs.items()
        for p, log in enumerate(logs)
        for r in log
    )
    db = duckdb.connect()
    db.execute("set threads=1")
    db.register("raw", table(rows, "run p o at_ms v"))
    db.execute(SQL)
    return db


def kpi(db: duckdb.DuckDBPyConnection, dims: str, width_s: int, measures: str, lateness_s: int = 3600) -> set[tuple]:
    """{(run, window start in s, dims…, measures…)} over the events whose window was still open when they came."""
    source = "accepted, unnest(tags) t(tag)" if "tag" in dims else "accepted"
    by = f"{dims}," if dims else ""
    start = f"(event_ms // {width_s * 1000}) * {width_s}"
    was_open = OPEN.format(start=start, width_s=width_s, lateness_s=lateness_s)
    return set(
        db.execute(f"select run, {start} w, {by} {measures} from {source} where {was_open} group by all").fetchall()
    )
