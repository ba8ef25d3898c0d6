"""Gauges: of each key the newest record, held against the facts up to the offset that it says it is true for."""

from __future__ import annotations

import dataclasses
import datetime as dt

import duckdb
import msgspec
import pyarrow as pa

from lakehouse_jobs.reconcile.compare import Question, Result, compare
from lakehouse_jobs.reconcile.live import RECORDS, Offsets, told, upto
from topics.contract import Latest, Revisable, Stream

TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", dt.datetime: "TIMESTAMPTZ"}
STATE = {"as_of": "MAP(VARCHAR, BIGINT)", "revision": "BIGINT"}


def create(db: duckdb.DuckDBPyConnection, gauge: Latest, stream: Stream) -> None:
    """An empty table `records_<gauge>`."""
    db.register("records", RECORDS.empty_table())
    db.execute(f"create table records_{gauge.name} as {_read(gauge, stream)}")


def take(db: duckdb.DuckDBPyConnection, gauge: Latest, stream: Stream, records: pa.Table) -> None:
    """Read records of the topic (`live.RECORDS`), in any order."""
    db.register("records", records)
    db.execute(f"insert into records_{gauge.name} {_read(gauge, stream)}")


def settle(db: duckdb.DuckDBPyConnection, gauge: Latest) -> None:
    """A table `live_<gauge>`: of each key the newest record."""
    newest = f"row_number() over (partition by {', '.join(gauge.by)} order by revision desc, kafka_offset desc) = 1"
    db.execute(f"create table live_{gauge.name} as from records_{gauge.name} qualify {newest}")


def check(db: duckdb.DuckDBPyConnection, gauge: Latest, stream: Stream, bounds: Offsets, query: str) -> Result:
    """Each key of `live_<gauge>` against `query` over the facts up to its own `as_of`, and no less than `bounds`."""
    key = ", ".join(gauge.by)
    reach = f"greatest({upto(bounds, 'f.p')}, coalesce(l.as_of[f.p::text], -1))"
    facts = f"facts_{stream.table} f left join (select {key}, as_of from live_{gauge.name}) l using ({key})"
    expected = _answer(gauge, stream, query, f"select f.* from {facts} where f.sign = 1 and f.pos <= {reach}")
    return _compare(db, gauge, stream, ("live", gauge.topic, expected, f"from live_{gauge.name}"), bounds)


def silver_query(gauge: Latest, stream: Stream) -> tuple[str, tuple[str, ...]]:
    """The query over rows of silver that gives what the gauge's view shows of each, and the columns it needs."""
    shown = _shown(gauge, stream)
    values = [f"{_value(n, kind)} as {_column(n, kind)}" for n, kind in shown.items()]
    place = ("cause_offset", "cause_ordinal") if issubclass(stream.clean_event, Revisable) else ("raw_offset",)
    pos = f"{place[0]} as pos, row({', '.join(place)}) as place, {gauge.when or 'true'} as counts"
    columns = dict.fromkeys(("raw_partition", "raw_offset", *place, *shown, *filter(None, [gauge.when])))
    return f"select raw_partition as p, raw_offset as o, {pos}, {', '.join(values)} from piece", tuple(columns)


def check_view(db: duckdb.DuckDBPyConnection, gauge: Latest, stream: Stream, bounds: Offsets, query: str) -> Result:
    """What the gauge's view shows, from silver as read into `silver_<gauge>`, against the facts up to `bounds`."""
    key, figures = ", ".join(gauge.by), _figures(gauge, stream)
    newest = ", ".join(f"arg_max({f}, place) as {f}" for f in figures)
    events = f"select {key}, o, {newest} from silver_{gauge.name} where pos <= {upto(bounds)} group by {key}, o having bool_or(counts)"
    found = f"from ({events}) qualify o = max(o) over (partition by {key})"
    facts = f"from facts_{stream.table} where sign = 1 and pos <= {upto(bounds)}"
    expected = _answer(gauge, stream, query, facts)
    return _compare(db, gauge, stream, ("gold", f"gold.live_{gauge.name}", expected, found), bounds)


def _answer(gauge: Latest, stream: Stream, query: str, facts: str) -> str:
    columns = ", ".join((*gauge.by, *_figures(gauge, stream)))
    return f"with facts as ({facts}), answer as ({query}) select {columns} from answer"


def _compare(
    db: duckdb.DuckDBPyConnection, gauge: Latest, stream: Stream, what: tuple[str, str, str, str], bounds: Offsets
) -> Result:
    result = compare(db, Question(*what, gauge.by, _figures(gauge, stream), told(bounds)))
    nothing = bool(gauge.when) and not result.compared  # such an event need not have been
    return dataclasses.replace(result, note=f"no event with {gauge.when} yet") if nothing else result


def _figures(gauge: Latest, stream: Stream) -> list[str]:
    return [_column(name, kind) for name, kind in _shown(gauge, stream).items() if name not in gauge.by]


def _read(gauge: Latest, stream: Stream) -> str:
    """The query over `records` of what they show."""
    shown = _shown(gauge, stream)
    shape = "{" + ", ".join(f'"{n}": "{t}"' for n, t in {**shown, **STATE}.items()) + "}"
    values = f"""select "offset" as kafka_offset, from_json(decode(value), '{shape}') as v from records where value is not null"""
    columns = [f"{_value(f'v.{name}', kind)} as {_column(name, kind)}" for name, kind in shown.items()]
    return f"select {', '.join(columns)}, {', '.join(f'v.{n}' for n in STATE)}, kafka_offset from ({values})"


def _shown(gauge: Latest, stream: Stream) -> dict[str, str]:
    """The fields of its records but for what they are true for, and their types in DuckDB."""
    fields = msgspec.structs.fields(gauge.value_of(stream.clean_event))
    return {f.name: TYPES[f.type] for f in fields if f.name not in STATE}


def _column(name: str, kind: str) -> str:
    """What facts call a field: moments are milliseconds."""
    return f"{name.removesuffix('_at')}_ms" if kind == TYPES[dt.datetime] else name


def _value(name: str, kind: str) -> str:
    return f"epoch_ms({name})" if kind == TYPES[dt.datetime] else name
