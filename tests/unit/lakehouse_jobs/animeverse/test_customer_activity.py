"""Customers by what they used, and new buyers, against DuckDB."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import gold_customer_activity as activity
from tests.unit.lakehouse_jobs.animeverse.engines import Tables, assert_same, collected
from tests.unit.lakehouse_jobs.animeverse.rows import START, table

COLUMNS = activity.CustomerActivity.__struct_fields__
EXPECTED = """
with kinds(period, length) as (values ('day', interval 1 day), ('week', interval 7 days), ('month', interval 1 month)),
begun as (from engagement where window_start_at <= (select max(window_start_at) from engagement where sessions > 0)),
seen as (
    select period, date_trunc(period, window_start_at) as starts, date_trunc(period, window_start_at) + length as ends, customer_id,
        sum(visits) as visits, sum(purchases) as purchases
    from begun, kinds group by 1, 2, 3, 4 having sum(visits) > 0 or sum(purchases) > 0
)
select period, starts, ends,
    case when visits > 0 and purchases > 0 then 'both' when visits > 0 then 'cinema' else 'shop' end as uses,
    count(*), count(*) filter (purchases > 0),
    count(*) filter (purchases > 0 and not exists (
        from engagement e where e.customer_id = s.customer_id and e.purchases > 0 and e.window_start_at < s.starts
    ))
from seen s group by 1, 2, 3, 4
"""


def engagement(seed: int, days: int = 40, booked_ahead: int = 5) -> Tables:
    """Some customers' days; of the last days there are only visits that are booked."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for customer in range(15):
        for day in sorted(chance.sample(range(days), chance.randint(1, 12))):
            ahead = day >= days - booked_ahead
            rows.append({
                "window_start_at": START + dt.timedelta(days=day), "customer_id": f"c{customer}", "visits": chance.choice([0, 0, 1, 2]),
                "purchases": 0 if ahead else chance.choice([0, 1, 3]), "sessions": 0 if ahead else chance.choice([0, 1, 2]),
            })  # fmt: skip
    return Tables(engagement=table(rows))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_duckdb_says(session: SparkSession, seed: int) -> None:
    tables = engagement(seed)
    found = collected(activity.build(*tables.frames(session, "engagement")), COLUMNS)
    assert {r[3] for r in found} == {"shop", "cinema", "both"}
    assert_same(found, tables.query(EXPECTED))


def test_what_is_booked_for_later_is_no_visit_yet(session: SparkSession) -> None:
    ahead = {
        "window_start_at": START + dt.timedelta(days=2),
        "customer_id": "c1",
        "visits": 1,
        "purchases": 0,
        "sessions": 0,
    }
    today = ahead | {"window_start_at": START, "visits": 0, "purchases": 1, "sessions": 1}
    tables = Tables(engagement=table([today, ahead]))
    found = collected(
        activity.build(*tables.frames(session, "engagement")), ["period", "uses", "customers", "new_buyers"]
    )
    assert sorted(found) == [("day", "shop", 1, 1), ("month", "shop", 1, 1), ("week", "shop", 1, 1)]
