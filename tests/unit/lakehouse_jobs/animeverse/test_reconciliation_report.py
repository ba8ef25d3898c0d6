"""The reconciliation report, against DuckDB over the same silver rows."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from typing import Any

import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse import gold_reconciliation_report as report
from tests.unit.lakehouse_jobs.animeverse.engines import Row, Tables, assert_same, collected
from tests.unit.lakehouse_jobs.animeverse.rows import line, moment, table
from topics.animeverse.reviews import REVIEWS
from topics.contract import HOUR

COLUMNS = report.Difference.__struct_fields__
SOURCES = ("pos", "cinema", "reviews", "stock")
LATE = "late_by_seconds > 48 * 3600"
LATENESSES = [0.0] * 12 + [172_800.0, 172_800.5, 250_000.0]
WITH = "coalesce(sum({0}) filter (not late), 0)::double, coalesce(sum({0}), 0)::double"
LINES = """(
    select *, line.category as category, if(place = 1, orders, 0) as order_here
    from (select *, unnest(lines) as line, generate_subscripts(lines, 1) as place from pos)
)"""
FIGURES = {
    ("animeverse.pos", "daily_sales_summary", "date_trunc('day', event_at)", "'store_id=' || store_id || ', channel=' || channel || ', category=' || category"): (
        LINES,
        {"orders": "order_here", "items": "line.quantity", "revenue_cents": "line.net_cents", "margin_cents": "line.margin_cents"},
    ),
    ("animeverse.cinema", "screenings_by_hour", "date_trunc('day', starts_at)", "'screening_id=' || screening_id"): (
        "cinema", {c: c for c in ("tickets", "ticket_cents", "concession_cents")},
    ),
    ("animeverse.reviews", "rating_by_day", "date_trunc('day', event_at)", "'subject_kind=' || subject_kind || ', subject_id=' || subject_id"): (
        "reviews", {"reviews": "1", "mean_stars": None},
    ),
    ("animeverse.stock", "fact_inventory_snapshot", "date_trunc('day', event_at)", "'store_id=' || store_id || ', product_id=' || product_id"): (
        "stock", {
            "received": "if(kind = 'delivery', quantity, 0)", "sold": "if(kind = 'sale', -quantity, 0)", "returned": "if(kind = 'return', quantity, 0)",
            "transferred_in": "if(kind = 'transfer_in', quantity, 0)", "transferred_out": "if(kind = 'transfer_out', -quantity, 0)",
            "adjusted": "if(kind = 'adjustment', quantity, 0)", "counts": "if(kind = 'count', 1, 0)",
        },
    ),
}  # fmt: skip


def silver(seed: int) -> Tables:
    """Some days of the four streams; a few events are late, some by exactly what is allowed."""
    chance = random.Random(seed)
    return Tables({name: table([make(chance, i) for i in range(150)]) for name, make in
                   zip(SOURCES, (receipt, admission, review, move), strict=True)})  # fmt: skip


def event(chance: random.Random, offset: int) -> dict[str, Any]:
    at, late = moment(chance, days=4), chance.choice(LATENESSES)
    return {
        "event_at": at, "ingested_at": at + dt.timedelta(seconds=late + 1), "late_by_seconds": late,
        "raw_partition": offset % 3, "raw_offset": offset // 3,
    }  # fmt: skip


def receipt(chance: random.Random, offset: int) -> dict[str, Any]:
    kind = chance.choice(["sale", "sale", "return"])
    lines = [{"line_no": n + 1, **line(chance, kind)} for n in range(chance.randint(1, 3))]
    chance.shuffle(lines)
    return event(chance, offset) | {
        "store_id": chance.choice(["s1", "s2"]), "channel": "store", "orders": int(kind == "sale"),
        "margin_cents": 1, "lines": lines,
    }  # fmt: skip


def admission(chance: random.Random, offset: int) -> dict[str, Any]:
    shared = event(chance, offset)
    return shared | {
        "starts_at": shared["event_at"] + dt.timedelta(hours=chance.randint(0, 40)), "screening_id": chance.choice(["x", "y"]),
        "tickets": chance.choice([1, 0, -1]), "ticket_cents": chance.randint(-900, 900), "concession_cents": chance.choice([0, 500]),
    }  # fmt: skip


def review(chance: random.Random, offset: int) -> dict[str, Any]:
    return event(chance, offset) | {
        "subject_kind": "film", "subject_id": chance.choice([f"t{i}" for i in range(20)]), "stars": chance.randint(1, 5)
    }  # fmt: skip


def move(chance: random.Random, offset: int) -> dict[str, Any]:
    kinds = ["sale", "return", "delivery", "transfer_in", "transfer_out", "adjustment", "count"]
    return event(chance, offset) | {
        "store_id": chance.choice(["s1", "s2"]), "product_id": chance.choice(["p1", "p2"]), "kind": chance.choice(kinds),
        "quantity": chance.randint(-5, 5),
    }  # fmt: skip


def expected(tables: Tables) -> list[Row]:
    """One query for each figure of each table."""
    rows: list[Row] = []
    for (stream, name, day, key), (source, figures) in FIGURES.items():
        for figure, of in figures.items():
            values = WITH.format(of) if of else WITH.format("stars").replace("sum", "avg")
            rows += tables.query(f"""
                with marked as (select *, {LATE} as late from {source} s),
                cells as (
                    select {day} as day, {key} as key, [{values}] as v, count(distinct (raw_partition, raw_offset)) filter (late) as events,
                        min(ingested_at) filter (late) as first_at, max(ingested_at) filter (late) as last_at, max(late_by_seconds) as most
                    from marked group by 1, 2
                )
                select '{stream}', day, '{name}', key, '{figure}', v[1], v[2], v[2] - v[1], events, first_at, last_at, most
                from cells where events > 0 and v[1] <> v[2]
            """)
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_duckdb_says(session: SparkSession, seed: int) -> None:
    tables = silver(seed)
    found = collected(report.build(*tables.frames(session, *SOURCES)), COLUMNS)
    assert_same(found, expected(tables))
    assert {row[4] for row in found} == {name for _, figures in FIGURES.values() for name in figures}


def test_without_late_events_it_is_empty(session: SparkSession) -> None:
    tables = Tables({name: rows.filter(pc.field("late_by_seconds") <= 172_800) for name, rows in silver(1).items()})
    assert report.build(*tables.frames(session, *SOURCES)).count() == 0


def test_what_is_late_is_what_the_contract_says(session: SparkSession) -> None:
    (rows,) = silver(1).frames(session, "reviews")
    rows = rows.withColumns({"reviews": F.lit(1), "late_by_seconds": F.lit(5000.0)})

    def counted(allowed: dt.timedelta) -> int:
        stream = dataclasses.replace(REVIEWS, allowed_lateness=allowed)
        return report.compare(rows, stream, "rating_by_day", ("subject_id",), {"reviews": F.sum}).count()

    assert counted(HOUR) > 0
    assert counted(2 * HOUR) == 0
