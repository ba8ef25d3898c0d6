"""The analysts' views of AnimeVerse: their queries run over tables with the lake's columns.

DuckDB understands what these queries are written in; that Trino does, too, is shown where views are created
(`riverhouse up`, in tests/e2e).
"""

from __future__ import annotations

import datetime as dt
import pathlib
from collections.abc import Iterator
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest

from lakehouse_jobs import views
from lakehouse_jobs.animeverse import GOLD_TABLES
from lakehouse_jobs.schema import arrow, from_struct
from topics.animeverse import STREAMS

NAMES = [p.stem for p in sorted((views.FOLDER / "animeverse").glob("*.sql"))]
AT = dt.datetime(2026, 12, 24, tzinfo=dt.UTC)  # a midnight: days and periods begin
TEXT = {"period": "day", "dimension": "dim_product", "kind": "sale", "alert": "low"}


def sample(table: pa.Schema, secret: str) -> dict[str, Any]:
    """A row in which every view finds something: ids and numbers fit each other; personal data is `secret`."""
    row: dict[str, Any] = {}
    for field in table:
        if field.name in {"name", "email"}:
            row[field.name] = secret
        elif pa.types.is_timestamp(field.type):
            row[field.name] = AT
        elif pa.types.is_date(field.type):
            row[field.name] = AT.date()
        elif pa.types.is_boolean(field.type):
            row[field.name] = True
        elif pa.types.is_nested(field.type):
            row[field.name] = ["price_cents"] if field.name == "changed" else []
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            row[field.name] = TEXT.get(field.name, "x")
        else:
            row[field.name] = 0 if field.name in {"raw_offset", "cause_ordinal"} else 1250
    return row


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """One row in each gold and silver table, and in each live view of a gauge."""
    schemas = {f"gold.{t.name}": arrow(t.schema) for t in GOLD_TABLES}
    for stream in STREAMS:
        schemas[f"silver.{stream.table}"] = arrow(from_struct(stream.clean_event))
        for gauge in stream.gauges:
            value = from_struct(gauge.value_of(stream.clean_event))
            schemas[f"gold.live_{gauge.name}"] = arrow(value)
    with duckdb.connect() as connection:
        connection.execute(
            "set timezone = 'UTC'; attach ':memory:' as lake; create schema lake.gold; create schema lake.silver"
        )
        for name, schema in schemas.items():
            secret = "Hidden Person" if name.endswith(("customer", "customers")) else "Poster"
            connection.register("one", pa.Table.from_pylist([sample(schema, secret)], schema=schema))
            connection.execute(f"create table lake.{name} as from one")
        yield connection


def query(name: str) -> str:
    (view,) = (v for v in views.written() if v.name == f"analytics.{name}")
    return view.query


def test_there_are_views() -> None:
    assert len(NAMES) >= 13


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_columns_that_exist_and_finds_the_row(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    assert len(lake.execute(query(name)).fetchall()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_it_shows_no_personal_data(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    assert "Hidden Person" not in msgspec.json.encode(lake.execute(query(name)).fetchall(), enc_hook=str).decode()


@pytest.mark.parametrize("name", NAMES)
def test_names_are_plain(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    columns = lake.execute(query(name)).fetchall() and [c[0] for c in lake.description or []]
    assert columns
    assert not [c for c in columns if c.endswith(("_cents", "_key")) and c != "figure_key"]
    assert len(columns) == len(set(columns))


def test_no_two_views_have_one_name() -> None:
    everywhere = [p.stem for p in pathlib.Path(views.FOLDER).glob("*/*.sql")]
    assert len(everywhere) == len(set(everywhere))


def test_amounts_are_in_euros(lake: duckdb.DuckDBPyConnection) -> None:
    found = lake.execute(f"select net_eur, product, store from ({query('sales')})").fetchall()
    assert [(float(net), product, store) for net, product, store in found] == [(12.5, "Poster", "Poster")]
