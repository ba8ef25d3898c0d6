"""From Iceberg and Kafka into DuckDB, a piece at a time, so that memory stays bounded whatever the tables hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Consumer, TopicPartition
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.expressions.parser import parse
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table import Table

from lakehouse_jobs import positions
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.reconcile.facts import RAW, Facts
from lakehouse_jobs.reconcile.live import EVER, RECORDS, Span
from riverhouse import clock

RECORDS_AT_ONCE, ROWS_AT_ONCE = 20_000, 50_000
SILENT_S = 30.0


def moment(seconds: int) -> str:
    """Seconds since the epoch as Iceberg's filters take a moment."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def within(column: str, span: Span) -> list[str]:
    """The conditions that a row's time lies in the span, in Iceberg's words; statistics prune by them."""
    conditions = [] if span.since == EVER[0] else [f"{column} >= '{moment(span.since)}'"]
    return conditions if span.until == EVER[1] else [*conditions, f"{column} < '{moment(span.until)}'"]


def pieces(table: Table, columns: Sequence[str], where: Sequence[str] = ()) -> Iterator[pa.Table]:
    """The rows of a table's snapshot, several small data files at a time: each piece costs its queries a plan."""
    kept: list[pa.Table] = []
    for rows in _files(table, columns, where):
        kept.append(rows)
        if sum(map(len, kept)) >= ROWS_AT_ONCE:
            yield pa.concat_tables(kept)
            kept = []
    if kept:
        yield pa.concat_tables(kept)


def _files(table: Table, columns: Sequence[str], where: Sequence[str] = ()) -> Iterator[pa.Table]:
    """The rows of each data file. LakeError where one has been taken away meanwhile."""
    condition = parse(" and ".join(where)) if where else AlwaysTrue()
    scan = table.scan(row_filter=condition, selected_fields=tuple(columns))
    for task in scan.plan_files():
        try:
            found = ArrowScan(table.metadata, table.io, scan.projection(), condition).to_table([task])
        except FileNotFoundError as e:
            raise LakeError(
                f"{'.'.join(table.name())} was read for longer than its snapshots are kept", str(e),
                "try again; or keep snapshots for longer: RIVERHOUSE_LAKE__SNAPSHOTS_KEPT_S",
            ) from e  # fmt: skip
        yield found.select(list(columns))


def into(
    db: duckdb.DuckDBPyConnection,
    target: str,
    table: Table,
    query: str,
    columns: Sequence[str],
    where: Sequence[str] = (),
) -> None:
    """Create `target` with the answer of `query`, over `piece`, for each piece of an Iceberg table."""
    db.register("piece", table.schema().select(*columns).as_arrow().empty_table())
    db.execute(f"create table {target} as {query}")
    for piece in pieces(table, columns, where):
        db.register("piece", piece)
        db.execute(f"insert into {target} {query}")
    db.unregister("piece")


def bronze(db: duckdb.DuckDBPyConnection, facts: Facts, table: Table, where: Sequence[str] = ()) -> None:
    """Hand the archive of a stream over to its facts."""
    for piece in pieces(table, ("partition", "offset", "value", "headers", "appended_at"), where):
        facts.take(db, raw(piece))


def raw(rows: pa.Table) -> pa.Table:
    """Rows of bronze as facts read them."""
    headers = rows["headers"]
    told = pc.map_lookup(headers, pa.scalar("reference", headers.type.key_type), "first")
    refused = pc.is_valid(pc.map_lookup(headers, pa.scalar("unmappable", headers.type.key_type), "first"))
    at_ms = rows["appended_at"].cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
    columns = [
        rows["partition"],
        rows["offset"],
        at_ms,
        rows["value"].cast(pa.binary()),
        told.cast(pa.string(), safe=False),
        refused,
    ]
    return pa.table(columns, schema=RAW)


def topic(name: str, take: Callable[[pa.Table], None], since_ms: int | None = None) -> None:
    """Hand over all records that a topic holds now (those appended since a moment), by a consumer that joins no group.

    LakeError where Kafka falls silent.
    """
    with positions.reader() as consumer:
        partitions = sorted(consumer.list_topics(name, timeout=SILENT_S).topics[name].partitions)
        held = {p: consumer.get_watermark_offsets(TopicPartition(name, p), timeout=SILENT_S) for p in partitions}
        starts = [TopicPartition(name, p, low) for p, (low, _) in held.items()]
        if since_ms is not None:
            asked = [TopicPartition(name, p, since_ms) for p in partitions]
            starts = consumer.offsets_for_times(asked, timeout=SILENT_S)
        ends = {s.partition: held[s.partition][1] for s in starts if 0 <= s.offset < held[s.partition][1]}
        consumer.assign([s for s in starts if s.partition in ends])
        for records in _batches(consumer, name, ends):
            take(pa.table(list(zip(*records, strict=True)), schema=RECORDS))


def _batches(consumer: Consumer, name: str, ends: Mapping[int, int]) -> Iterator[list[tuple[int, int, bytes | None]]]:
    """(partition, offset, value) of the records below the `ends` of the partitions."""
    left = dict(ends)
    heard = clock.monotonic()
    while left:
        messages = [m for m in consumer.consume(RECORDS_AT_ONCE, 0.5) if not m.error()]
        if messages:
            heard = clock.monotonic()
            yield [(m.partition(), m.offset(), m.value()) for m in messages]
        elif clock.monotonic() - heard > SILENT_S:
            raise LakeError(
                f"{name} cannot be read to its end",
                f"no record for {SILENT_S:.0f} s",
                "is Kafka up? see `riverhouse status`",
            )
        reached = {m.partition(): m.offset() + 1 for m in messages}
        left = {p: end for p, end in left.items() if reached.get(p, 0) < end}
