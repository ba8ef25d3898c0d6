"""The same rows for two engines: Spark, which is tested, and DuckDB, which knows the answer."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from pyiceberg.schema import Schema
from pyspark.sql import DataFrame, SparkSession

from lakehouse_jobs.schema import arrow, from_struct, nullable

Rows = Sequence[msgspec.Struct | Mapping[str, Any]]
Kind = type[msgspec.Struct] | Schema


def table(kind: Kind, rows: Rows) -> pa.Table:
    """Rows with a Struct's or a schema's columns, as Arrow."""
    plain = [msgspec.to_builtins(r, builtin_types=(dt.datetime, dt.date)) for r in rows]
    return pa.Table.from_pylist(plain, schema=arrow(nullable(_schema(kind))))


def frame(session: SparkSession, kind: Kind, rows: Rows) -> DataFrame:
    """The same rows as a DataFrame."""
    return session.createDataFrame(table(kind, rows))


@contextlib.contextmanager
def duck(**tables: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB, in UTC, that has the tables."""
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("set timezone = 'UTC'")
        for name, rows in tables.items():
            connection.register(name, rows)
        yield connection


def answer(sql: str, **tables: pa.Table) -> list[tuple[Any, ...]]:
    """DuckDB's rows."""
    with duck(**tables) as connection:
        return connection.execute(sql).fetchall()


def found(rows: DataFrame) -> pa.Table:
    """What Spark computed, as Arrow."""
    return rows.toArrow()


def _schema(kind: Kind) -> Schema:
    return kind if isinstance(kind, Schema) else from_struct(kind)
