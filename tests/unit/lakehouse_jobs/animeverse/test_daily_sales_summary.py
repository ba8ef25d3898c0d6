"""Sales summaries, against DuckDB."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import gold_daily_sales_summary as summary
from tests.unit.lakehouse_jobs.animeverse.engines import Tables, assert_same, collected
from tests.unit.lakehouse_jobs.animeverse.rows import world

COLUMNS = summary.DailySalesSummary.__struct_fields__
EXPECTED = """
with periods(period) as (values ('day'), ('week'), ('month')),
lines as (select *, row_number() over (partition by receipt_id order by line_no) = 1 as first from fact_sales)
select period, date_trunc(period, sold_at) as start, start + case period when 'day' then interval 1 day when 'week' then interval 7 days else interval 1 month end,
    store_id, channel, category, sum(orders)::bigint, count(distinct receipt_id) filter (kind = 'sale'), count(*) filter (first and kind = 'return'),
    sum(quantity)::bigint, sum(gross_cents)::bigint, sum(discount_cents)::bigint, sum(net_cents)::bigint, sum(cost_cents)::bigint,
    sum(margin_cents)::bigint, count(*) filter (late_by_seconds > 48 * 3600)
from lines, periods group by all
"""


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_duckdb_says(session: SparkSession, seed: int) -> None:
    tables = world(seed)
    assert_same(collected(summary.build(*tables.frames(session, "fact_sales")), COLUMNS), tables.query(EXPECTED))


def test_weeks_and_months_hold_what_their_days_hold(session: SparkSession) -> None:
    tables = world(9)
    found = Tables(it=summary.build(*tables.frames(session, "fact_sales")).toArrow())
    sums = found.query(
        "select period, sum(orders), sum(returns), sum(revenue_cents), sum(late_lines) from it group by 1"
    )
    assert len(sums) == 3
    assert len({row[1:] for row in sums}) == 1
