"""Cross-sell rates, against DuckDB."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import gold_cross_sell_rates as rates
from tests.unit.lakehouse_jobs.animeverse.engines import assert_same, collected
from tests.unit.lakehouse_jobs.animeverse.rows import START, table, world

DAY_US = 86_400_000_000
COLUMNS = rates.CrossSellRate.__struct_fields__
EXPECTED = """
with kinds(period, length) as (values ('day', interval 1 day), ('week', interval 7 days), ('month', interval 1 month)),
newest as (select greatest((select max(event_at) from cinema), (select max(sold_at) from fact_sales)) as newest_at),
visits as (
    select title_id, customer_id, starts_at from cinema t, newest
    where kind = 'ticket' and customer_id <> '' and starts_at <= newest_at
        and not exists (from cinema r where r.kind = 'refund' and r.ticket_id = t.event_id)
),
placed as (select *, date_trunc(period, starts_at) as starts, date_trunc(period, starts_at) + length as ends from visits, kinds),
pairs as (
    select p.*, s.receipt_id, s.line_no, s.net_cents, s.title_id = p.title_id and p.title_id not in ('', 'unknown') as same
    from placed p left join fact_sales s
        on s.customer_id = p.customer_id and s.kind = 'sale' and s.sold_at > p.starts_at and s.sold_at <= p.starts_at + interval 7 days
),
counted as (
    select period, starts, ends, title_id, count(distinct customer_id) as visitors, count(distinct customer_id) filter (receipt_id is not null) as buyers,
        count(distinct customer_id) filter (same) as buyers_of_title
    from pairs group by 1, 2, 3, 4
),
earned as (
    select period, starts, title_id, sum(net_cents) as revenue
    from (select distinct period, starts, title_id, receipt_id, line_no, net_cents from pairs where same) group by 1, 2, 3
)
select period, starts, ends, c.title_id, coalesce(d.name, c.title_id), visitors, buyers, buyers_of_title, buyers / visitors, buyers_of_title / visitors,
    coalesce(revenue, 0)::bigint
from counted c left join earned using (period, starts, title_id)
left join dim_title d on d.title_id = c.title_id and d.valid_from < ends and ends <= d.valid_to
"""


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_duckdb_says(session: SparkSession, seed: int) -> None:
    tables = world(seed)
    assert tables.query("select count(*) from cinema where kind = 'refund'") > [(0,)]
    found = collected(rates.build(*tables.frames(session, "cinema", "fact_sales", "dim_title")), COLUMNS)
    assert_same(found, tables.query(EXPECTED))


@pytest.mark.parametrize(("after", "counts"), [(0, 0), (1, 1), (7 * DAY_US, 1), (7 * DAY_US + 1, 0)])
def test_a_purchase_counts_after_the_start_until_seven_days_later(
    session: SparkSession, after: int, counts: int
) -> None:
    tables = world(1)
    ticket = next(r for r in tables["cinema"].to_pylist() if r["kind"] == "ticket") | {
        "customer_id": "c1", "title_id": "t1", "event_at": START, "starts_at": START,
    }  # fmt: skip
    line = tables["fact_sales"].to_pylist()[0] | {
        "kind": "sale", "customer_id": "c1", "title_id": "t1", "sold_at": START + dt.timedelta(microseconds=after),
    }  # fmt: skip
    tables |= {"cinema": table([ticket]), "fact_sales": table([line])}
    built = rates.build(*tables.frames(session, "cinema", "fact_sales", "dim_title"))
    assert set(collected(built, ["visitors", "buyers_7_days", "buyers_of_title_7_days"])) == {(1, counts, counts)}
