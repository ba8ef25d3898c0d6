"""The accepted tweets and their figures, computed by DuckDB from the raw records that the producers sent. Shares no code with
the processors; `tests/sim/oracle.py` does the same for the events of the simulation."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from processors.records import Record

FIELDS = {  # what each field must be where it is there; null counts as absent only where it says so
    "tweet_id": ("VARCHAR",), "text": ("VARCHAR",), "user": ("OBJECT",), "created_at": ("VARCHAR", "UBIGINT", "BIGINT", "DOUBLE"),
    "hashtags": ("ARRAY",), "mentions": ("ARRAY",), "language": ("VARCHAR", "NULL"), "region": ("VARCHAR", "NULL"),
    "sentiment_score": ("DOUBLE", "UBIGINT", "BIGINT", "NULL"), "engagement_score": ("DOUBLE", "UBIGINT", "BIGINT", "NULL"),
    "likes": ("UBIGINT",), "retweets": ("UBIGINT",), "replies": ("UBIGINT",),
}  # fmt: skip
REQUIRED = ("tweet_id", "text", "user", "created_at")


def _fits(name: str) -> str:
    kinds = ", ".join(f"'{k}'" for k in FIELDS[name])
    absent = "false" if name in REQUIRED else "true"
    return f"coalesce(json_type(j, '$.{name}') in ({kinds}), {absent})"


SQL = f"""
create table accepted as
with parsed as (
    select p, o, at_ms, case when json_valid(v) then v::json end j from raw
), shaped as (
    select *, case json_type(j, '$.created_at') when 'VARCHAR' then epoch_ms(try_cast(j->>'created_at' as timestamptz))
                   else try_cast(j->>'created_at' as bigint) end event_ms
    from parsed where json_type(j) = 'OBJECT' and {" and ".join(map(_fits, FIELDS))}
), valid as (
    select p, o, at_ms, lower(j->>'tweet_id') id, event_ms, j->'user'->>'user_id' user_id,
           coalesce(j->>'region', 'ZZZ') region,
           coalesce((j->>'likes')::bigint, 0) + coalesce((j->>'retweets')::bigint, 0)
               + coalesce((j->>'replies')::bigint, 0) engagement,
           list_distinct(list_filter(case when json_array_length(j->'hashtags') > 0
                then list_transform((j->'hashtags')::varchar[], lambda t: ltrim(lower(trim(t)), '#'))
                else regexp_extract_all(lower(j->>'text'), '#([\\p{{L}}\\p{{N}}_]+)', 1) end, lambda t: t <> '')) tags
    from shaped where trim((j->>'text')) <> '' and (j->'user'->>'user_id') <> '' and (j->'user'->>'username') <> ''
      and event_ms <= at_ms + 60000
), firsts as (
    select * from valid qualify row_number() over (partition by p, id order by o) = 1
)
select 0 run, *, max(event_ms) over (partition by p order by o) - 5000 watermark from firsts
"""


def _text(value: bytes | None) -> str | None:
    """What is not UTF-8 is no event."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def connect(logs: list[list[Record]]) -> duckdb.DuckDBPyConnection:
    """Tables: raw(p, o, at_ms, v) and accepted, one row for each event that must be kept; `run` is 0."""
    rows = [(p, r.offset, r.timestamp_ms, _text(r.value)) for p, log in enumerate(logs) for r in log]
    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    db.register("raw", pa.table({n: [r[i] for r in rows] for i, n in enumerate(("p", "o", "at_ms", "v"))}))
    db.execute(SQL)
    return db


def volume(db: duckdb.DuckDBPyConnection) -> set[tuple]:
    """(region, minute in s, tweets, engagement, users) over all accepted tweets, however late: what gold must say."""
    return set(
        db.execute(
            "select region, event_ms // 60000 * 60, count(*), sum(engagement)::bigint, count(distinct user_id) "
            "from accepted group by all"
        ).fetchall()
    )
