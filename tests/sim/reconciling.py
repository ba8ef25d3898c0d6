"""The product's recomputation over a simulated broker: the same SQL that `riverhouse reconcile` runs over bronze."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse_jobs.reconcile import gauges, live, rankings
from lakehouse_jobs.reconcile.compare import Result
from lakehouse_jobs.reconcile.facts import RAW
from lakehouse_jobs.reconcile.live import Span
from lakehouse_jobs.reconcile.recomputed import Recomputed
from processors.records import Record
from tests.sim.animeverse_checks import fenced
from tests.sim.broker import Broker
from topics.contract import Kpi, Latest, Ranking, Stream

ALL = Span()


def read(db: duckdb.DuckDBPyConnection, what: Recomputed, broker: Broker) -> None:
    """Make the facts of every stream from the raw logs."""
    for facts in what.facts:
        facts.create(db)
        for p in range(broker.partitions):
            facts.take(db, raw(p, broker.logs[facts.stream.raw.name, p]))
        facts.make(db)


def raw(p: int, log: Sequence[Record]) -> pa.Table:
    headers = [dict(r.headers) for r in log]
    told = [h["reference"].decode() if "reference" in h else None for h in headers]
    rows = [
        (p, r.offset, r.timestamp_ms, r.value, t, "unmappable" in h) for r, t, h in zip(log, told, headers, strict=True)
    ]
    return pa.table([pa.array(list(c), f.type) for c, f in zip(zip(*rows, strict=True), RAW, strict=True)] if rows else
                    [pa.array([], f.type) for f in RAW], schema=RAW)  # fmt: skip


def done(broker: Broker, topic: str) -> dict[int, int]:
    return {p: broker.logs[topic, p].end - 1 for p in range(broker.partitions)}


def newest(db: duckdb.DuckDBPyConnection, what: Recomputed, broker: Broker) -> Iterator[Result]:
    """Every cell's newest record, and whether every cell is there that must be."""
    for kpi, stream in what.kpis:
        take(db, kpi, all_of(broker, kpi.topic))
        bounds, query = done(broker, stream.raw.name), what.over_all.get(kpi.name)
        yield (
            live.check_over_all(db, kpi, stream, bounds, ALL, query)
            if query
            else live.check(db, kpi, stream, bounds, ALL)
        )

    for ranking, stream in ((r, f.stream) for f in what.facts for r in f.stream.rankings):
        rank(db, ranking, all_of(broker, ranking.topic))
        yield rankings.check(db, ranking, stream, done(broker, stream.raw.name), ALL)
    for gauge, stream in of_gauges(what):
        show(db, gauge, stream, all_of(broker, gauge.topic))
        keep(db, gauge, stream, list(fenced(broker, stream.clean.name)))
        for check in (gauges.check, gauges.check_view):
            yield check(db, gauge, stream, done(broker, stream.raw.name), what.gauges[gauge.name])


def any_revision(db: duckdb.DuckDBPyConnection, what: Recomputed, broker: Broker, seed: int) -> Iterator[Result]:
    """Of every cell one of the records that were ever published, at the offsets that it says it is true for."""
    chance = random.Random(seed)
    for kpi, stream in what.kpis:
        if kpi.name not in what.over_all:
            take(db, kpi, one_of_each_key(broker, kpi.topic, chance))
            yield live.check(db, kpi, stream, {}, ALL)
    for ranking, stream in ((r, f.stream) for f in what.facts for r in f.stream.rankings):
        rank(db, ranking, one_of_each_key(broker, ranking.topic, chance))
        yield rankings.check(db, ranking, stream, {}, ALL)
    for gauge, stream in of_gauges(what):
        show(db, gauge, stream, one_of_each_key(broker, gauge.topic, chance))
        yield gauges.check(db, gauge, stream, {}, what.gauges[gauge.name])


def all_of(broker: Broker, topic: str) -> list[tuple[int, Record]]:
    """(partition, record) of everything that was published."""
    return [(p, r) for p in range(broker.partitions) for r in broker.logs[topic, p]]


def one_of_each_key(broker: Broker, topic: str, chance: random.Random) -> list[tuple[int, Record]]:
    of_key: dict[bytes | None, list[tuple[int, Record]]] = {}
    for p, record in all_of(broker, topic):
        of_key.setdefault(record.key, []).append((p, record))
    return [chance.choice(records) for records in of_key.values()]


def of_gauges(what: Recomputed) -> list[tuple[Latest, Stream]]:
    return [(g, f.stream) for f in what.facts for g in f.stream.gauges]


def take(db: duckdb.DuckDBPyConnection, kpi: Kpi, records: Sequence[tuple[int, Record]]) -> None:
    _afresh(db, kpi.name)
    live.create(db, kpi)
    live.take(db, kpi, _table(records), ALL)
    live.settle(db, kpi)


def rank(db: duckdb.DuckDBPyConnection, ranking: Ranking, records: Sequence[tuple[int, Record]]) -> None:
    _afresh(db, ranking.name)
    rankings.create(db, ranking)
    rankings.take(db, ranking, _table(records), ALL)
    rankings.settle(db, ranking)


def show(db: duckdb.DuckDBPyConnection, gauge: Latest, stream: Stream, records: Sequence[tuple[int, Record]]) -> None:
    _afresh(db, gauge.name)
    gauges.create(db, gauge, stream)
    gauges.take(db, gauge, stream, _table(records))
    gauges.settle(db, gauge)


def keep(db: duckdb.DuckDBPyConnection, gauge: Latest, stream: Stream, clean: Sequence[dict[str, Any]]) -> None:
    """Clean records as silver has them."""
    query, columns = gauges.silver_query(gauge, stream)
    moments = {c for c in columns if c.endswith("_at")}
    rows = [{c: dt.datetime.fromisoformat(v[c]) if c in moments else v[c] for c in columns} for v in clean]
    db.register("piece", pa.Table.from_pylist(rows))
    db.execute(f"create or replace table silver_{gauge.name} as {query}")


def _afresh(db: duckdb.DuckDBPyConnection, name: str) -> None:
    for table in ("records", "live"):
        db.execute(f"drop table if exists {table}_{name}")


def _table(records: Sequence[tuple[int, Record]]) -> pa.Table:
    columns = [p for p, _ in records], [r.offset for _, r in records], [r.value for _, r in records]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, live.RECORDS, strict=True)], live.RECORDS)
