"""Raw records out of bronze: byte for byte what the raw topic held, also what Kafka has dropped since."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb

from lakehouse_jobs import lake
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.replay.record import Raw
from topics.contract import Stream

COLUMNS = ("partition", "offset", "key", "value", "headers", "appended_at")


def held(stream: Stream) -> dict[int, tuple[int, int]]:
    """Partition → its first offset in bronze and the one after its last. LakeError where records are missing between."""
    sql = (
        'select "partition", min("offset"), max("offset") + 1, count(*), count(distinct "offset") from rows group by 1'
    )
    with _rows(stream, "partition", "offset") as connection:
        found = connection.execute(sql).fetchall()
    gaps = [
        f"partition {p}: {distinct:,} of {end - first:,} offsets"
        for p, first, end, _, distinct in found
        if distinct < end - first
    ]
    if repeated := sum(count - distinct for *_, count, distinct in found):
        gaps.append(f"{repeated:,} records stand there twice")
    if gaps:
        hint = "replay a part without gaps: --from, --to; `riverhouse ledger` shows what else is missing"
        raise LakeError(f"bronze.{stream.table} is not the whole log", "; ".join(gaps), hint)
    return {p: (first, end) for p, first, end, *_ in found}


def first_since(stream: Stream, at: dt.datetime) -> dict[int, int]:
    """Partition → the first offset that the broker took at that moment or later."""
    sql = 'select "partition", min("offset") from rows where appended_at >= ? group by 1'
    with _rows(stream, "partition", "offset", "appended_at") as connection:
        return dict(connection.execute(sql, [at]).fetchall())


def read(stream: Stream, span: dict[int, tuple[int, int]], *, by_time: bool) -> Iterator[Raw]:
    """The records of a span: a partition's in its order; `by_time`, all in the order in which the broker took them."""
    # the broker's clock may step back; a partition's own order stays
    reached = 'max(appended_at) over (partition by "partition" order by "offset")'
    order = '2, "partition", "offset"' if by_time else '"partition", "offset"'
    wanted = " or ".join(f'("partition" = {p} and "offset" >= {a} and "offset" < {b})' for p, (a, b) in span.items())
    sql = f"select r.*, {reached} as reached from rows r where {wanted} order by {order.replace('2, ', 'reached, ')}"
    with _rows(stream, *COLUMNS) as connection:
        batches: Any = connection.sql(sql).to_arrow_reader(5_000)
        for batch in batches:
            for row in batch.to_pylist():
                at_ms = round(row["appended_at"].timestamp() * 1000)
                headers = [(name, value) for name, value in row["headers"] or ()]
                yield Raw(row["partition"], row["offset"], at_ms, row["key"], row["value"], headers)


@contextlib.contextmanager
def _rows(stream: Stream, *columns: str) -> Iterator[duckdb.DuckDBPyConnection]:
    table = lake.catalog().load_table(f"bronze.{stream.table}")
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("rows", table.scan(selected_fields=columns).to_arrow_batch_reader())
        yield connection
