"""What must come out, computed by DuckDB from the raw records alone. Shares no code with the processors."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from processors.records import Record

SQL = """
create table accepted as
with parsed as (
    select p, o, at_ms, try_cast(v as json) j from raw
), valid as (
    select p, o, at_ms, lower(j->>'tweet_id') id, (j->>'created_at')::bigint event_ms, trim(j->>'text') text,
           j->'user'->>'user_id' user_id, coalesce(j->>'region', 'ZZZ') region, coalesce(j->>'language', 'und') lang,
           (j->>'likes')::bigint + (j->>'retweets')::bigint + (j->>'replies')::bigint engagement,
           (j->>'sentiment_score')::double sentiment,
           case when len((j->'hashtags')::varchar[]) > 0 then [ltrim(lower(t), '#') for t in (j->'hashtags')::varchar[]]
                else regexp_extract_all(lower(text), '#(\\w+)', 1) end tags
    from parsed
    where json_type(j) = 'OBJECT' and j->>'text' is not null and trim(j->>'text') <> '' and (j->>'likes')::bigint >= 0
      and (j->>'created_at')::bigint <= at_ms + 60000
), firsts as (
    select * from valid qualify row_number() over (partition by p, id order by o) = 1
)
select *, max(event_ms) over (partition by p order by o) - 5000 watermark from firsts
"""


def connect(logs: list[list[Record]]) -> duckdb.DuckDBPyConnection:
    """Tables: raw(p, o, at_ms, v) and accepted, one row for each event that must be kept."""
    rows = [
        (p, r.offset, r.timestamp_ms, (r.value or b"").decode("latin-1")) for p, log in enumerate(logs) for r in log
    ]
    db = duckdb.connect()
    db.execute("set threads=1")
    table = pa.table({n: list(c) for n, c in zip(("p", "o", "at_ms", "v"), zip(*rows, strict=True), strict=True)})
    db.register("raw_arrow", table)
    db.execute("create table raw as select * from raw_arrow")
    db.execute(SQL)
    return db


def kpi(db: duckdb.DuckDBPyConnection, dims: str, width_s: int, measures: str, lateness_s: int = 3600) -> set[tuple]:
    """{(window start in s, dims…, measures…)} over the events whose window was still open when they came."""
    source = "accepted, unnest(tags) t(tag)" if "tag" in dims else "accepted"
    by = f"{dims}," if dims else ""
    start = f"(event_ms // {width_s * 1000}) * {width_s}"
    return set(
        db.execute(
            f"select {start} w, {by} {measures} from {source} "
            f"where ({start} + {width_s + lateness_s}) * 1000 > watermark group by all"
        ).fetchall()
    )
