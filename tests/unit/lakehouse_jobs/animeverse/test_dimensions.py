"""Dimensions of type 2 and their audit, however the versions arrive, against DuckDB over the same records."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import dim_calendar, dim_product, dim_title, dimension_audit
from lakehouse_jobs.animeverse.dimension_audit import REFERENCES
from tests.unit.lakehouse_jobs.animeverse.samples import START, Samples, first_versions
from tests.unit.lakehouse_jobs.frames import answer, frame, table
from topics.animeverse.reference import PRODUCTS, TITLES, CleanProduct
from topics.contract import HOUR

ARRIVALS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 2)), max_size=90)
BY_SPARK = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def product(offset: int, entity: int, hour: int, price: int) -> CleanProduct:
    at = START + hour * HOUR
    return CleanProduct(
        event_id=f"{offset}", event_at=at, ingested_at=START + dt.timedelta(days=1, seconds=offset), late_by_seconds=1.0,
        raw_partition=0, raw_offset=offset, valid_from=at, change_reason=f"r{price}", product_id=f"p{entity}", name="n",
        category="c", price_cents=price, cost_cents=0, title_id="", supplier_id="", reorder_point=1, lead_days=2,
    )  # fmt: skip


INTERVALS = """
    with newest as (select product_id, valid_from, arg_max(price_cents, raw_offset) as price from records group by all)
    select product_id, valid_from, price, coalesce(lead(valid_from) over w, timestamptz '9999-12-31 00:00:00+00'),
           lead(valid_from) over w is null, row_number() over w
    from newest window w as (partition by product_id order by valid_from) order by 1, 2"""


@BY_SPARK
@given(ARRIVALS)
def test_intervals_have_no_gap_and_no_overlap_in_any_order(
    session: SparkSession, arrivals: list[tuple[int, int, int]]
) -> None:
    records = [product(n, *arrival) for n, arrival in enumerate(arrivals)]
    built = dim_product.build(frame(session, CleanProduct, records)).toArrow()
    columns = "product_id, valid_from, price_cents, valid_to, is_current, version"
    found = answer(f"select {columns} from built where product_key <> 0 order by 1, 2", built=built)
    assert found == answer(INTERVALS, records=table(CleanProduct, records))
    gaps = """select count(*) from built a join built b using (product_id) where a.product_key <> 0
              and (a.valid_from < b.valid_from and a.valid_to > b.valid_from)"""
    assert answer(gaps, built=built) == [(0,)]
    assert answer("select count(*), count(distinct product_key) from built", built=built) == [(len(found) + 1,) * 2]


def test_the_unknown_member_holds_at_all_times(session: SparkSession) -> None:
    rows = dim_title.build(frame(session, TITLES.clean_event, [])).collect()
    assert [(r.title_key, r.title_id, r.name, r.genres, r.score, r.version, r.is_current) for r in rows] == [
        (0, "unknown", "unknown", [], 0.0, 0, True)
    ]


def told(records: list[CleanProduct]) -> list[tuple[Any, ...]]:
    """The audit, in plain Python: one record after the other."""
    arrived: list[CleanProduct] = []
    rows = []
    for r in records:
        same = [a for a in arrived if a.product_id == r.product_id]
        before = max(
            (a for a in same if a.valid_from <= r.valid_from), key=lambda a: (a.valid_from, a.raw_offset), default=None
        )
        again = any(a.valid_from == r.valid_from for a in same)
        inserted = any(a.valid_from > r.valid_from for a in same)
        kind = "initial" if not same else "correction" if again else "inserted_before" if inserted else "change"
        changed = ["price_cents"] if before and before.price_cents != r.price_cents else []
        rows.append((r.raw_offset, r.product_id, kind, changed, r.change_reason, r.ingested_at))
        arrived.append(r)
    return rows


@BY_SPARK
@given(ARRIVALS)
def test_the_audit_says_what_each_record_was(session: SparkSession, arrivals: list[tuple[int, int, int]]) -> None:
    records = [product(n, *arrival) for n, arrival in enumerate(arrivals)]
    frames = [frame(session, r.clean_event, records if r is PRODUCTS else []) for r in REFERENCES]
    built = dimension_audit.build(*frames).toArrow()
    columns = "raw_offset, entity_id, kind, changed, change_reason, arrived_at"
    assert answer(f"select {columns} from built order by 1", built=built) == told(records)


def test_every_dimension_is_audited(session: SparkSession) -> None:
    samples = Samples(4)
    first_versions(samples)
    frames = [frame(session, r.clean_event, samples.published[r.prefix]) for r in REFERENCES]
    built = dimension_audit.build(*frames).toArrow()
    counted = answer("select dimension, count(*) from built group by 1 order by 1", built=built)
    assert counted == sorted((f"dim_{r.clean_key[:-3]}", len(samples.published[r.prefix])) for r in REFERENCES)


def test_the_calendar_has_every_day_of_the_years_of_the_data(session: SparkSession) -> None:
    sales = session.sql("select timestamp '2025-12-31 23:59:59' as sold_at")
    attendance = session.sql("select timestamp '2026-01-02' as sold_at, timestamp '2026-01-05 20:00:00' as starts_at")
    built = dim_calendar.build(sales, attendance).toArrow()
    oracle = """
        select cast(strftime(d, '%Y%m%d') as bigint), d::date, year(d), quarter(d), month(d), monthname(d), weekofyear(d),
               isodow(d), dayname(d), isodow(d) > 5, date_trunc('week', d)::date, date_trunc('month', d)::date
        from generate_series(timestamp '2025-01-01', timestamp '2026-12-31', interval 1 day) as t(d) order by 1"""
    columns = """date_key, date, year, quarter, month, month_name, iso_week, weekday, weekday_name, is_weekend, week_start,
                 month_start"""
    assert answer(f"select {columns} from built order by 1", built=built) == answer(oracle)
    seasons = answer(
        "select season, min(month), max(month), count(*) from built where year = 2026 group by 1", built=built
    )
    assert set(seasons) == {("winter", 1, 12, 90), ("spring", 3, 5, 92), ("summer", 6, 8, 92), ("autumn", 9, 11, 91)}
