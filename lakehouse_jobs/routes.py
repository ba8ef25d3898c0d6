"""From topics to tables: which topic lands where, and its records as rows of that table.

A micro-batch arrives as Arrow: topic, partition, offset, timestamp, key, value, headers (map), one row a record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse_jobs import tables
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.schema import arrow
from topics.catalogue import STREAMS
from topics.contract import Kpi, Stream, Topic, position


@dataclass(frozen=True)
class Rows:
    """Rows for one table, in log order, each with its log ("topic/partition") and its position there (see `fences.py`)."""

    data: pa.Table
    logs: list[str]
    positions: list[int]

    def __add__(self, other: Rows) -> Rows:
        data = pa.concat_tables([self.data, other.data])
        return Rows(data, self.logs + other.logs, self.positions + other.positions)


@dataclass(frozen=True)
class Route:
    """One topic's way into one table. `rows` takes the topic's records of a batch and the sink's time.

    `archive`: what is kept for audits and replays, and nobody waits for. All topics of a table agree on it.
    """

    topic: str
    table: str
    rows: Callable[[pa.Table, dt.datetime], Rows]
    archive: bool = False


def all_routes(streams: Sequence[Stream] = STREAMS) -> dict[str, Route]:
    """By topic: raw, clean, duplicates, rejected and KPI topics of every stream.

    Partials, context, rankings and gauges stay in Kafka; what a gauge shows is in the newest clean events.
    """
    return {r.topic: r for s in streams for r in routes(s)}


def routes(stream: Stream) -> list[Route]:
    of_streams = [
        _caused(stream, stream.clean, tables.silver(stream)),
        _caused(stream, stream.duplicates, tables.DUPLICATES, archive=True),
        _caused(stream, stream.rejected, tables.QUARANTINE, archive=True),
    ]
    return [_raw(stream), *of_streams, *(_kpi(k) for k in stream.kpis)]


def split(batch: pa.Table, known: Mapping[str, Route], taken_at: dt.datetime) -> dict[str, Rows]:
    """A micro-batch as rows by table. Records are put into log order first: a fence needs it, Spark does not promise it."""
    ordered = batch.sort_by([("topic", "ascending"), ("partition", "ascending"), ("offset", "ascending")])
    by_table: dict[str, Rows] = {}
    for topic in pc.unique(ordered["topic"]).to_pylist():
        rows = known[topic].rows(ordered.filter(pc.equal(ordered["topic"], topic)), taken_at)
        table = known[topic].table
        by_table[table] = by_table[table] + rows if table in by_table else rows
    return by_table


def _raw(stream: Stream) -> Route:
    spec = tables.bronze(stream)
    schema = arrow(spec.schema)

    def rows(records: pa.Table, taken_at: dt.datetime) -> Rows:
        columns = {n: records[n] for n in ("partition", "offset", "key", "value", "headers")}
        columns |= {"appended_at": records["timestamp"], "ingested_at": pa.array([taken_at] * len(records))}
        data = pa.table([columns[n].cast(schema.field(n).type) for n in schema.names], schema=schema)
        return Rows(data, _logs(records), records["offset"].to_pylist())

    return Route(stream.raw.name, spec.name, rows, archive=True)


def _caused(stream: Stream, topic: Topic, spec: tables.TableSpec, *, archive: bool = False) -> Route:
    """A topic whose records name the raw position they were made from: that is their place, not their Kafka offset."""
    schema = arrow(spec.schema)
    decoder = msgspec.json.Decoder(topic.value)

    def rows(records: pa.Table, taken_at: dt.datetime) -> Rows:
        _ = taken_at
        events = _decode(decoder, records, topic.name)
        known = {"stream": [stream.prefix] * len(events)}
        data = _arrow(schema, events, known if "stream" in schema.names else {})
        return Rows(data, [f"{topic.name}/{e.raw_partition}" for e in events], [position(e) for e in events])

    return Route(topic.name, spec.name, rows, archive)


def _kpi(kpi: Kpi) -> Route:
    schema = arrow(tables.KPI_LOG.schema)
    decoder = msgspec.json.Decoder(kpi.value)
    measures = [m.name for m in kpi.measures]

    def rows(records: pa.Table, taken_at: dt.datetime) -> Rows:
        _ = taken_at
        figures = _decode(decoder, records, kpi.topic)
        newest = _newest(records["key"].to_pylist(), figures)
        records, figures = records.take(newest), [figures[i] for i in newest]
        known: dict[str, Any] = {
            "kpi": [kpi.topic] * len(figures),
            "dimensions": [[(d, getattr(f, d)) for d in kpi.dimensions] for f in figures],
            "measures": [[(m, getattr(f, m)) for m in measures] for f in figures],
            "published_at": records["timestamp"].to_pylist(),
            "kpi_partition": records["partition"].to_pylist(),
            "kpi_offset": records["offset"].to_pylist(),
        }
        return Rows(_arrow(schema, figures, known), _logs(records), records["offset"].to_pylist())

    return Route(kpi.topic, tables.KPI_LOG.name, rows)


def _newest(keys: Sequence[bytes], figures: Sequence[Any]) -> list[int]:
    """Which records hold the newest revision of their cell, in log order: of a batch the log needs no other, as after compaction."""
    found: dict[bytes, int] = {}
    for i, key in enumerate(keys):
        if key not in found or figures[i].revision >= figures[found[key]].revision:
            found[key] = i
    return sorted(found.values())


def _arrow(schema: pa.Schema, values: Sequence[Any], known: dict[str, Any]) -> pa.Table:
    """Decoded values as Arrow, a column at a time; `known` gives the columns that are not fields of the values."""
    columns = {f.name: known.get(f.name) or [getattr(v, f.name) for v in values] for f in schema}
    for field in schema:
        if pa.types.is_map(field.type) and field.name not in known:  # Arrow takes a map as pairs
            columns[field.name] = [None if m is None else list(m.items()) for m in columns[field.name]]
        if _nested(field.type):
            columns[field.name] = [_plain(v) for v in columns[field.name]]
    return pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def _plain(value: Any) -> Any:
    """A value as Arrow takes it: structs as dicts."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, msgspec.Struct):
        return {name: _plain(v) for name, v in msgspec.structs.asdict(value).items()}
    return value


def _nested(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return pa.types.is_struct(kind) or (is_list and _nested(kind.value_type))


def _logs(records: pa.Table) -> list[str]:
    return [f"{t}/{p}" for t, p in zip(records["topic"].to_pylist(), records["partition"].to_pylist(), strict=True)]


def _decode(decoder: msgspec.json.Decoder[Any], records: pa.Table, topic: str) -> list[Any]:
    """The records' values; LakeError names the first that does not fit the contract."""
    values = records["value"].to_pylist()
    try:
        return [decoder.decode(v) for v in values]
    except (msgspec.DecodeError, TypeError):
        for row, value in enumerate(values):
            try:
                decoder.decode(value)
            except (msgspec.DecodeError, TypeError) as e:
                at = f"{topic}, partition {records['partition'][row]}, offset {records['offset'][row]}"
                raise LakeError(
                    "a record does not fit its contract",
                    f"{at}: {e}",
                    "only processors may write to this topic; correct what else does",
                ) from e
        raise
