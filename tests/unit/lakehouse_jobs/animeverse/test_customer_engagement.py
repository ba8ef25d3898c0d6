"""Customers' days against DuckDB over the same steps."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import dim_customer
from lakehouse_jobs.animeverse import fact_customer_engagement as engagement
from tests.unit.lakehouse_jobs.animeverse.samples import Samples, first_versions
from tests.unit.lakehouse_jobs.frames import answer, frame, table
from topics.animeverse.journeys import JOURNEYS, CleanStep
from topics.animeverse.reference import CUSTOMERS

ORACLE = """
    with in_order as (select *, lag(event_at) over (partition by customer_id order by event_at, raw_offset) as before
                      from steps),
    of_steps as (
        select customer_id, event_at::date as day, count_if(kind = 'visit') - count_if(kind = 'visit_refund') as tickets,
               0 as visits, count_if(kind = 'purchase') as purchases, count_if(kind = 'return') as returns,
               count_if(kind = 'review') as reviews, count_if(before is null or event_at - before >= interval 30 minute) as sessions,
               sum(amount_cents) as spent, 0 as converted from in_order group by all),
    of_visits as (
        select customer_id, visit_at::date as day, 0, count(*), 0, 0, 0, 0, 0,
               count_if(exists (from steps p where p.customer_id = v.customer_id and p.kind = 'purchase'
                                and p.event_at > v.visit_at and p.event_at <= v.visit_at + interval 7 day))
        from steps v where kind = 'visit'
        and not exists (from steps r where r.kind = 'visit_refund' and r.visit_id = v.visit_id) group by all)
    select customer_id, day, sum(tickets), sum(visits), sum(purchases), sum(returns), sum(reviews), sum(sessions), sum(spent),
           sum(converted)
    from (from of_steps union all from of_visits) group by all order by 1, 2"""
FOUND = """select customer_id, window_start_at::date, tickets, visits, purchases, returns, reviews, sessions, spent_cents,
                  converted_visits from rows order by 1, 2"""


@pytest.fixture(scope="module")
def samples() -> Samples:
    made = Samples(5, days=9)
    first_versions(made)
    for _ in range(700):
        made.step()
    return made


def test_days_are_what_the_steps_say(session: SparkSession, samples: Samples) -> None:
    steps = samples.published[JOURNEYS.prefix]
    customers = frame(session, CUSTOMERS.clean_event, samples.published[CUSTOMERS.prefix])
    rows = engagement.build(engagement.moments(frame(session, CleanStep, steps)), customers)
    found = answer(FOUND, rows=rows.toArrow())
    assert found == answer(ORACLE, steps=table(CleanStep, steps))
    assert all(sum(row[n] for row in found) > 5 for n in range(2, 10))
    in_time = """select count(*) from rows r left join dim d on d.customer_id = r.customer_id and d.customer_key <> 0
                 and d.valid_from < r.window_start_at + interval 1 day and d.valid_to >= r.window_start_at + interval 1 day
                 where coalesce(d.customer_key, 0) = r.customer_key"""
    dim = dim_customer.build(customers).toArrow()
    assert answer(in_time, rows=rows.toArrow(), dim=dim) == [(len(found),)]
