"""The lake in DuckDB, without rows: every table that the contracts declare and the views that datasets read, as Trino has them.

Columns that the contracts mark as personal data are left out, so that whatever reads them fails. What DuckDB calls by another
name than Trino stands in MACROS.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import duckdb
import msgspec
from pyiceberg.types import IcebergType, ListType, StructType

from lakehouse_jobs.tables import GOLD_TABLES, KPI_LOG, silver
from riverhouse.settings import ROOT
from topics.catalogue import KPIS, STREAMS
from topics.contract import Reference

Files = dict[str, dict[str, Any]]
KINDS = {"string": "VARCHAR", "long": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "timestamptz": "TIMESTAMPTZ"}  # fmt: skip
PYTHON = {"str": "string", "int": "long", "float": "double", "bool": "boolean", "datetime": "timestamptz"}
MACROS = """
create macro date_format(t, f) as strftime(t, replace(replace(f, '%M', '%B'), '%i', '%M'));
create macro element_at(m, k) as map_extract_value(m, k);
create macro day_of_week(t) as isodow(t);
"""
VIEW = re.compile(r"lake\.analytics\.(\w+)")


@functools.cache
def personal() -> dict[str, set[str]]:
    """The columns with personal data by table: of silver, and of the dimensions made from reference data."""
    found: dict[str, set[str]] = {}
    for stream in STREAMS:
        marked = {f.name for f in msgspec.inspect.type_info(stream.clean_event).fields if _is_personal(f.type)}  # type: ignore[attr-defined]
        found[f"silver.{stream.table}"] = marked
        if isinstance(stream, Reference):
            found[f"gold.dim_{stream.clean_key.removesuffix('_id')}"] = marked
    return {table: columns for table, columns in found.items() if columns}


def _is_personal(kind: msgspec.inspect.Type) -> bool:
    return isinstance(kind, msgspec.inspect.Metadata) and "pii" in (kind.extra or {})


def tables() -> Iterator[tuple[str, dict[str, str]]]:
    """`schema.table` and its columns with DuckDB's types."""
    for name, schema in (
        *((f"gold.{t.name}", t.schema) for t in GOLD_TABLES),
        *((f"silver.{s.table}", silver(s).schema) for s in STREAMS),
        (KPI_LOG.name, KPI_LOG.schema),
    ):
        kept = [f for f in schema.fields if f.name not in personal().get(name, set())]
        yield name, {f.name: kind for f in kept if (kind := _kind(f.field_type))}
    for kpi in KPIS:
        fields = {n: t.__name__ for n, t in kpi.value.__annotations__.items() if n != "as_of"}
        yield f"gold.live_{kpi.name}", {n: KINDS[PYTHON[t]] for n, t in {**fields, "published_at": "datetime"}.items()}


def _kind(kind: IcebergType) -> str:
    """DuckDB's name of a type; empty of maps and structs, which no dataset shows."""
    if isinstance(kind, ListType):
        return "" if isinstance(kind.element_type, StructType) else f"{_kind(kind.element_type)}[]"
    return KINDS.get(str(kind), "")


def connect(queries: Iterable[str]) -> duckdb.DuckDBPyConnection:
    """The lake, with the views that `queries` read."""
    lake = duckdb.connect()
    lake.execute(f"set timezone = 'UTC'; attach ':memory:' as lake; {MACROS}")
    for schema in ("gold", "silver", "analytics"):
        lake.execute(f"create schema lake.{schema}")
    for name, columns in tables():
        lake.execute(f"create table lake.{name} ({', '.join(f'{n} {kind}' for n, kind in columns.items())})")
    for view in sorted({v for query in queries for v in VIEW.findall(query)}):
        (file,) = (ROOT / "trino" / "views").glob(f"*/{view}.sql")
        lake.execute(f"create view lake.analytics.{view} as {file.read_text()}")
    return lake


def source(dataset: Mapping[str, Any]) -> str:
    """What a dataset selects from."""
    return f"({dataset['sql']})" if dataset["sql"] else f"lake.{dataset['schema']}.{dataset['table_name']}"
