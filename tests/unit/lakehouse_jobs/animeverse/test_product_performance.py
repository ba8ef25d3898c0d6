"""Products' figures, against DuckDB."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import gold_product_performance as performance
from tests.unit.lakehouse_jobs.animeverse.engines import assert_same, collected
from tests.unit.lakehouse_jobs.animeverse.rows import world

COLUMNS = performance.ProductPerformance.__struct_fields__
SOURCES = ("fact_sales", "rating_by_day", "fact_inventory_snapshot", "dim_product")
EXPECTED = """
with kinds(period, length) as (values ('day', interval 1 day), ('week', interval 7 days), ('month', interval 1 month)),
facts as (
    select product_id, sold_at as seen_at, quantity as items, if(kind = 'return', -quantity, 0) as returned, net_cents as revenue,
        margin_cents as margin, 0 as reviews, 0 as stars, null as closing
    from fact_sales
    union all
    select subject_id, window_start_at, 0, 0, 0, 0, reviews, (mean_stars * reviews)::decimal(9, 0), null from rating_by_day where subject_kind = 'product'
    union all
    select product_id, window_start_at, 0, 0, 0, 0, 0, 0, sum(closing) from fact_inventory_snapshot group by 1, 2
),
summed as (
    select period, date_trunc(period, seen_at) as starts, date_trunc(period, seen_at) + any_value(length) as ends, product_id, sum(items) as items,
        sum(returned) as returned, sum(revenue) as revenue, sum(margin) as margin, sum(reviews) as reviews, sum(stars) as stars,
        coalesce(arg_max(closing, seen_at) filter (closing is not null), 0) as closing
    from facts, kinds group by 1, 2, product_id
)
select period, starts, ends, s.product_id, coalesce(name, s.product_id), coalesce(category, 'unknown'), coalesce(title_id, 'unknown'),
    items::bigint, returned::bigint, revenue::bigint, margin::bigint, if(items + returned = 0, 0, returned / (items + returned))::double,
    reviews::bigint, if(reviews = 0, 0, stars / reviews)::double, closing::bigint,
    row_number() over (partition by period, starts order by revenue desc, s.product_id)
from summed s left join dim_product d on d.product_id = s.product_id and d.valid_from < ends and ends <= d.valid_to
"""


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_duckdb_says(session: SparkSession, seed: int) -> None:
    tables = world(seed)
    assert_same(collected(performance.build(*tables.frames(session, *SOURCES)), COLUMNS), tables.query(EXPECTED))
