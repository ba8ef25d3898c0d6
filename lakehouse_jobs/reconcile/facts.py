"""From bronze to the log of a stream's facts: which records are events, which of them count, and where in the log they do.

A stream's facts are a table `facts_<stream>` with a row for each change of what is known of an event: (`p`, `pos`) is the
place in the raw log that makes the change, `sign` is 1 where it counts and -1 where it is taken back, `o` the event's own
offset, `wm_ms` the partition's watermark then; the other columns are named as in the contract, moments `<name>_ms`. So the facts
as of any offsets are the rows up to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from lakehouse_jobs.reconcile.contract_sql import shape, sound
from topics.contract import Stream

RAW = pa.schema([
    ("p", pa.int64()), ("o", pa.int64()), ("at_ms", pa.int64()), ("value", pa.binary()), ("told", pa.string()), ("refused", pa.bool_()),
])  # fmt: skip
TOLD = """
select p, o as pos, told as reference, try(decode(value))::json as version from batch where told in ({references})
  and json_type(case when json_valid(try(decode(value))) then try(decode(value)) end) = 'OBJECT'
"""
# Of an id that comes again the later records are duplicates, until the claim is older than the horizon. Whole hours of the
# broker's time, as it stood when the record came; one after the other only for the ids that do come again.
FIRSTS = """
create table {target} as
with recursive clock as (
    select p, o, max(at_ms) over (partition by p order by o) // 3600000 as hour from raw_{table}
), again as (
    select p, id from {source} group by all having count(*) > 1
), turns as (
    select p, id, o, hour, row_number() over (partition by p, id order by o) as n
    from {source} semi join again using (p, id) join clock using (p, o)
), walk as (
    select p, id, o, n, hour as claimed, true as is_first from turns where n = 1
    union all
    select t.p, t.id, t.o, t.n, if(t.hour > w.claimed + {horizon}, t.hour, w.claimed), t.hour > w.claimed + {horizon}
    from walk w join turns t on t.p = w.p and t.id = w.id and t.n = w.n + 1
), repeats as (
    select p, o from walk where not is_first union select p, o from known_repeats where stream = '{table}'
)
from {source} anti join repeats using (p, o);
"""
# The log of events that are never taken back.
ONCE = """
create table facts_{table} as
select *, o as pos, 1 as sign, max(event_ms) over (partition by p order by o) - {out_of_order} as wm_ms from first_{table};
"""


def firsts(source: str = "sound_{table}", target: str = "first_{table}") -> str:
    """The SQL that keeps the first record of each id."""
    return FIRSTS.replace("{source}", source).replace("{target}", target)


@dataclass(frozen=True)
class Facts:
    """How a stream's facts are made. `read` selects, from `event` (p, o, at_ms, e), what is sound by itself, with an `id`.

    `sql` then makes the facts of the table `sound_<stream>`; where it is not given, the first record of each id counts.
    `kept` are the columns that silver must have the same of.
    """

    stream: Stream
    read: str
    kept: tuple[str, ...]
    sql: str = firsts() + ONCE

    def create(self, db: duckdb.DuckDBPyConnection) -> None:
        """Empty tables for what is read."""
        table = self.stream.table
        db.execute("create table if not exists known_repeats (stream text, p bigint, o bigint)")
        db.execute(f"create table raw_{table} (p bigint, o bigint, at_ms bigint, told text)")
        db.register("batch", RAW.empty_table())
        db.execute(f"create table sound_{table} as {self._sound()}")
        if self.stream.references:
            db.execute(f"create table told_{table} as {self._told()}")

    def take(self, db: duckdb.DuckDBPyConnection, batch: pa.Table) -> None:
        """Read some of bronze (`RAW`), in any order."""
        table = self.stream.table
        db.register("batch", batch)
        db.execute(f"insert into raw_{table} select p, o, at_ms, told from batch")
        db.execute(f"insert into sound_{table} {self._sound()}")
        if self.stream.references:
            db.execute(f"insert into told_{table} {self._told()}")

    def make(self, db: duckdb.DuckDBPyConnection) -> None:
        """Make the facts of what was read."""
        stream = self.stream
        horizon = -(-int(stream.dedupe_horizon.total_seconds()) // 3600)
        milliseconds = {"out_of_order": stream.out_of_orderness, "revisable": stream.revisable_for}
        named = {name: int(time.total_seconds() * 1000) for name, time in milliseconds.items()}
        db.execute(self.sql.format(table=stream.table, horizon=horizon, **named))

    def _told(self) -> str:
        return TOLD.format(references=", ".join(f"'{r.prefix}'" for r in self.stream.references))

    def _sound(self) -> str:
        kind = self.stream.event
        return f"""
            with decoded as (
                select p, o, at_ms, try(decode(value)) as v from batch where told is null and not refused
            ), text as (
                select p, o, at_ms, case when json_valid(v) then v end as v from decoded
            ), event as (
                from (select p, o, at_ms, v, from_json(v, '{shape(kind)}') as e from text)
                where {sound(kind, "e", "v")}
            ) {self.read}"""
