"""Reorder suggestions, against DuckDB."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import gold_stock_optimisation as optimisation
from tests.unit.lakehouse_jobs.animeverse.engines import assert_same, collected
from tests.unit.lakehouse_jobs.animeverse.rows import world

COLUMNS = optimisation.StockOptimisation.__struct_fields__
EXPECTED = """
with kinds(period, length) as (values ('day', interval 1 day), ('week', interval 7 days), ('month', interval 1 month)),
rows as (from fact_inventory_snapshot),
newest as (select max(window_start_at) as newest_at from rows),
last_days as (
    select period, date_trunc(period, window_start_at) as starts, date_trunc(period, window_start_at) + any_value(length) as ends, store_id, product_id,
        max(window_start_at) as newest_day
    from rows, kinds group by 1, 2, 4, 5
),
demand as (
    select l.*, coalesce(avg(d.sold), 0) as mean, coalesce(stddev_samp(d.sold), 0) as deviation,
        (select closing from rows c where (c.store_id, c.product_id, c.window_start_at) = (l.store_id, l.product_id, l.newest_day)) as on_hand
    from last_days l left join (select rows.* from rows, newest where window_start_at < newest_at) d
        on (d.store_id, d.product_id) = (l.store_id, l.product_id) and d.window_start_at <= l.newest_day and d.window_start_at > l.newest_day - interval 28 days
    group by all
),
named as (
    select m.*, coalesce(name, m.product_id) as name, coalesce(lead_days, 7) as lead
    from demand m left join dim_product d on d.product_id = m.product_id and d.valid_from < ends and ends <= d.valid_to
),
safe as (select *, ceil(1.645 * deviation * sqrt(lead))::bigint as safety from named),
pointed as (select *, ceil(mean * lead)::bigint + safety as point, ceil(mean * greatest(30, lead))::bigint + safety as up_to from safe)
select period, starts, ends, store_id, product_id, name, mean, deviation, lead, safety, point, on_hand,
    if(on_hand <= point, greatest(up_to - on_hand, 0), 0)::bigint, case when on_hand < 0 then 'negative_stock' when mean = 0 then 'no_demand'
    when on_hand = 0 then 'out_of_stock' when on_hand <= point then 'at_or_below_reorder_point' else 'enough' end
from pointed
"""


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_duckdb_says(session: SparkSession, seed: int) -> None:
    tables = world(seed)
    found = collected(optimisation.build(*tables.frames(session, "fact_inventory_snapshot", "dim_product")), COLUMNS)
    assert_same(found, tables.query(EXPECTED))
    assert {row[-1] for row in found} == {*optimisation.REASONS, "enough"}


def test_unknown_products_have_the_contract_s_lead_time() -> None:
    assert optimisation.LEAD_DAYS == 7
