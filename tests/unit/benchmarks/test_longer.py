"""A past that is repeated: as many rows as asked for, before what there was, in whole days, and nothing of the original changed."""

from __future__ import annotations

import datetime as dt
import pathlib

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from benchmarks import longer
from lakehouse_jobs import lake

NOON = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def facts(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> longer.Repeated:
    """A table of three facts within a day and a half."""
    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=tmp_path.as_uri())
    monkeypatch.setattr(lake, "catalog", lambda: catalog)
    catalog.create_namespace("gold")
    at = pa.array([NOON, NOON + HOUR, NOON + 36 * HOUR], pa.timestamp("us", tz="UTC"))
    rows = pa.table({"at": at, "day": at.cast(pa.date32()), "amount": [1, 2, 3]})
    catalog.create_table("gold.facts", rows.schema).append(rows)
    return longer.Repeated("gold.facts", "at", ("at",), grows=True)


def test_what_there_was_is_repeated_before_it(facts: longer.Repeated) -> None:
    rows = longer.of_business(facts.name)
    span = longer.span_of(rows, facts.time)
    assert span == dt.timedelta(days=2)
    gained, files, _ = longer.lengthen(facts, rows, span, times=3, density=2)
    assert (gained, files) == (3 * 2 * rows.num_rows, 3)
    after = longer.of_business(facts.name).sort_by("at")
    assert after.slice(gained).equals(rows.cast(after.schema))
    assert after["at"][0].as_py() == NOON - 3 * span
    assert all(r["day"] == r["at"].date() for r in after.to_pylist())


def test_tables_that_sales_do_not_make_longer_are_not_made_denser(facts: longer.Repeated) -> None:
    rows = longer.of_business(facts.name)
    cells = longer.Repeated(facts.name, facts.time, facts.order, grows=False)
    assert longer.lengthen(cells, rows, longer.span_of(rows, facts.time), times=3, density=2)[0] == 3 * rows.num_rows


def test_what_is_repeated_is_the_business_s_own_and_no_dimension() -> None:
    names = [what.name for what in longer.repeated()]
    assert {"silver.animeverse_pos", "gold.kpi_log", "gold.fact_sales", "gold.sales_by_minute"} <= set(names)
    assert not [n for n in names if "tweet" in n or "dim_" in n or "customers" in n]


def test_what_has_a_row_for_each_item_and_day_does_not_grow_with_sales() -> None:
    grows = {what.name for what in longer.repeated() if what.grows and what.name.startswith("gold.")}
    assert grows == {"gold.fact_sales", "gold.fact_cinema_attendance"}
