"""Customers' segments and values, against DuckDB, which reads all sales again for each period."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import gold_customer_lifetime_value as value
from lakehouse_jobs.animeverse import gold_customer_segments as segments
from tests.unit.lakehouse_jobs.animeverse.engines import Tables, assert_same, collected
from tests.unit.lakehouse_jobs.animeverse.rows import world

SEGMENTS = segments.CustomerSegment.__struct_fields__
VALUES = value.CustomerLifetimeValue.__struct_fields__
BOUGHT = """
with kinds(period, length) as (values ('day', interval 1 day), ('week', interval 7 days), ('month', interval 1 month)),
newest as (select max(sold_at) as newest_at, min(sold_at) as oldest_at from fact_sales),
days as (select unnest(generate_series(date_trunc('day', oldest_at), newest_at, interval 1 day)) as day from newest),
periods as (select distinct period, date_trunc(period, day) as starts, date_trunc(period, day) + length as ends from days, kinds),
bought as (
    select period, starts, ends, customer_id, least(ends, newest_at) as until, sum(orders) as orders, sum(net_cents) as net, sum(margin_cents) as margin,
        min(sold_at) filter (kind = 'sale') as first_at, max(sold_at) filter (kind = 'sale') as last_at
    from periods, newest, fact_sales
    where customer_id <> '' and sold_at < ends and sold_at >= ends - {back}
    group by 1, 2, 3, 4, 5 having sum(orders) > 0
)"""
RFM = (
    BOUGHT.format(back="interval 365 days")
    + """,
scored as (
    select *, floor(extract(epoch from until - last_at) / 86400)::bigint as recency,
        (select 1 + 5 * count(*) filter (o.last_at < b.last_at) // count(*) from bought o where (o.period, o.starts) = (b.period, b.starts)) as r,
        (select 1 + 5 * count(*) filter (o.orders < b.orders) // count(*) from bought o where (o.period, o.starts) = (b.period, b.starts)) as f,
        (select 1 + 5 * count(*) filter (o.net < b.net) // count(*) from bought o where (o.period, o.starts) = (b.period, b.starts)) as m
    from bought b
)
select period, starts, ends, s.customer_id, coalesce(country, 'unknown'), recency, orders::bigint, net::bigint, r, f, m, case
    when f >= 4 and r >= 4 then 'champions' when f >= 3 and r >= 3 then 'loyal' when f >= 3 then 'at_risk'
    when r >= 4 and orders = 1 then 'new' when r >= 3 then 'promising' else 'hibernating' end
from scored s left join dim_customer d on d.customer_id = s.customer_id and d.valid_from < ends and ends <= d.valid_to
"""
)
CLV = (
    BOUGHT.format(back="interval 100 years")
    + """,
tenured as (select *, floor(extract(epoch from until - first_at) / 86400)::bigint as tenure from bought),
lasting as (select *, greatest(tenure / (365.25 / 12), 1) as months from tenured)
select period, starts, ends, customer_id, orders::bigint, net::bigint, margin::bigint, round(net / orders)::bigint, tenure,
    (orders / months)::double, round(margin / months * 12)::bigint
from lasting
"""
)


def over_two_years(seed: int) -> Tables:
    """The world with one customer's sales moved two years back, so that 365 days leave some out."""
    tables = world(seed)
    sales = tables["fact_sales"]
    old = pc.equal(sales["customer_id"], "c1")
    for name in ("sold_at", "window_start_at"):
        back = pc.subtract(sales[name], pa.scalar(730 * 86_400 * 10**6, pa.duration("us")))
        moved = pc.if_else(old, back, sales[name])
        sales = sales.set_column(sales.column_names.index(name), name, moved)
    return Tables(tables | {"fact_sales": sales})


@pytest.mark.parametrize("tables", [world(1), world(2), over_two_years(3)], ids=["weeks", "others", "years"])
def test_segments_are_what_duckdb_says(session: SparkSession, tables: Tables) -> None:
    found = collected(segments.build(*tables.frames(session, "fact_sales", "dim_customer")), SEGMENTS)
    assert_same(found, tables.query(RFM))


@pytest.mark.parametrize("tables", [world(1), world(2), over_two_years(3)], ids=["weeks", "others", "years"])
def test_values_are_what_duckdb_says(session: SparkSession, tables: Tables) -> None:
    assert_same(collected(value.build(*tables.frames(session, "fact_sales")), VALUES), tables.query(CLV))


def test_every_segment_comes_up(session: SparkSession) -> None:
    found = set()
    for seed in range(3):
        rows = collected(segments.build(*world(seed).frames(session, "fact_sales", "dim_customer")), ["segment"])
        found |= {segment for (segment,) in rows}
    assert found == {*segments.SEGMENTS, "hibernating"}
