"""Stock, to the piece: the snapshot against DuckDB, which adds up all movements of an item anew for each day."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse_jobs.animeverse import dim_product, dim_store
from lakehouse_jobs.animeverse import fact_inventory_snapshot as snapshot
from tests.unit.lakehouse_jobs.animeverse.samples import Samples, first_versions
from tests.unit.lakehouse_jobs.frames import answer, frame, table
from topics.animeverse.reference import PRODUCTS, STORES
from topics.animeverse.stock import STOCK, CleanMove

STOCK_OF_DAYS = """
    with items as (select store_id, product_id, min(event_at::date) as first from moves group by all),
    days as (select i.*, unnest(generate_series(first, (select max(event_at::date) from moves), interval 1 day))::date as day
             from items i),
    known as (select d.*, m.* exclude (store_id, product_id), m.event_at::date as moved_on
              from days d join moves m using (store_id, product_id) where m.event_at::date <= d.day),
    counted as (select store_id, product_id, day, max(event_at) as at, arg_max(quantity, (event_at, raw_offset)) as found
                from known where kind = 'count' group by all),
    summed as (
        select k.store_id, k.product_id, k.day, coalesce(any_value(c.found), 0)
                   + coalesce(sum(k.quantity) filter (k.kind <> 'count' and k.event_at > coalesce(c.at, timestamptz '1970-01-01 00:00:00+00')), 0) as closing,
               max(moved_on) as newest
        from known k left join counted c using (store_id, product_id, day) group by all),
    sold as (select s.store_id, s.product_id, s.day, coalesce(-sum(k.quantity), 0) as sold_7_days
             from summed s join known k using (store_id, product_id, day)
             where k.kind in ('sale', 'return') and k.moved_on > s.newest - 7 group by all),
    pieces as (select store_id, product_id, moved_on as day,
                      {kinds} from known where moved_on = day group by all)
    select store_id, product_id, day, closing, coalesce(sold_7_days, 0), {columns},
           coalesce(lag(closing) over (partition by store_id, product_id order by day), 0) as opening
    from summed left join sold using (store_id, product_id, day) left join pieces using (store_id, product_id, day)
    order by 1, 2, 3"""
SIGNED = {"received": ("delivery", ""), "sold": ("sale", "-"), "returned": ("return", ""), "transferred_in": ("transfer_in", ""),
          "transferred_out": ("transfer_out", "-"), "adjusted": ("adjustment", "")}  # fmt: skip
KINDS = ", ".join(f"{sign}sum(quantity) filter (kind = '{kind}') as {name}" for name, (kind, sign) in SIGNED.items())
ORACLE = STOCK_OF_DAYS.format(kinds=KINDS, columns=", ".join(f"coalesce({name}, 0)" for name in SIGNED))
FOUND = f"""select store_id, product_id, window_start_at::date as day, closing, sold_7_days, {", ".join(SIGNED)}, opening
            from rows order by 1, 2, 3"""


@pytest.fixture(scope="module")
def samples() -> Samples:
    made = Samples(3, days=12)
    first_versions(made)
    made.some(450)
    return made


def silver(session: SparkSession, samples: Samples) -> list[DataFrame]:
    return [frame(session, r.clean_event, samples.published[r.prefix]) for r in (PRODUCTS, STORES)]


def built(session: SparkSession, samples: Samples, moves: list[CleanMove], own: DataFrame | None = None) -> DataFrame:
    before = frame(session, snapshot.SCHEMA, []) if own is None else own
    products, stores = silver(session, samples)
    return snapshot.build(frame(session, CleanMove, moves), products, stores, before)


def test_stock_is_to_the_piece_on_every_day(session: SparkSession, samples: Samples) -> None:
    moves = samples.in_force(STOCK)
    rows = built(session, samples, moves).toArrow()
    assert answer(FOUND, rows=rows) == answer(ORACLE, moves=table(CleanMove, moves))
    carried = "select count(*) from rows where received = 0 and sold = 0 and returned = 0 and closing <> 0"
    assert answer(carried, rows=rows)[0][0] > 20
    assert answer("select count(*) from rows where count_difference <> 0", rows=rows)[0][0] > 10


def test_every_row_adds_up(session: SparkSession, samples: Samples) -> None:
    rows = built(session, samples, samples.in_force(STOCK)).toArrow()
    total = "opening + received - sold + returned + transferred_in - transferred_out + adjusted + count_difference"
    assert answer(f"select count(*), count_if({total} = closing) from rows", rows=rows) == [(rows.num_rows,) * 2]


@pytest.mark.parametrize("day", [1, 2, 5, 8, 11])
def test_days_computed_later_from_the_rows_before_are_the_same(
    session: SparkSession, samples: Samples, day: int
) -> None:
    moves = samples.in_force(STOCK)
    whole = built(session, samples, moves).cache()
    since = dt.datetime(2026, 1, 2, tzinfo=dt.UTC) + dt.timedelta(days=day)
    own = whole.where(whole.window_start_at < since)
    later = built(session, samples, [m for m in moves if m.event_at >= since], own)
    query = "select * from rows order by store_id, product_id, window_start_at"
    assert answer(query, rows=later.toArrow()) == answer(
        query, rows=whole.where(whole.window_start_at >= since).toArrow()
    )


def test_days_without_any_movement_are_filled_in(session: SparkSession, samples: Samples) -> None:
    moves = samples.in_force(STOCK)
    first, last = min(m.event_at for m in moves), max(m.event_at for m in moves)
    kept = [m for m in moves if m.event_at.date() in (first.date(), last.date())]
    own = built(session, samples, [m for m in kept if m.event_at.date() == first.date()])
    later = built(session, samples, [m for m in kept if m.event_at.date() == last.date()], own)
    rows = own.unionByName(later).toArrow()
    assert answer(FOUND, rows=rows) == answer(ORACLE, moves=table(CleanMove, kept))


def test_value_cover_and_alert_are_by_the_version_at_the_end_of_the_day(
    session: SparkSession, samples: Samples
) -> None:
    records = silver(session, samples)
    tables = {
        "rows": built(session, samples, samples.in_force(STOCK)).toArrow(),
        "products": dim_product.build(records[0]).toArrow(), "stores": dim_store.build(records[1]).toArrow(),
    }  # fmt: skip
    oracle = """
        select r.store_id, r.product_id, r.window_start_at, coalesce(p.product_key, 0), coalesce(s.store_key, 0),
               r.closing * coalesce(p.cost_cents, 0), coalesce(p.reorder_point, 0),
               case when r.closing < 0 then 'negative' when r.closing = 0 then 'out'
                    when r.closing <= coalesce(p.reorder_point, 0) then 'low' else 'ok' end,
               case when r.closing <= 0 then 0 when r.sold_7_days <= 0 then 999
                    else round(7 * r.closing / cast(r.sold_7_days as decimal(18, 0)), 2) end::double
        from rows r left join products p on p.product_id = r.product_id and p.product_key <> 0
             and p.valid_from < r.window_start_at + interval 1 day and p.valid_to >= r.window_start_at + interval 1 day
        left join stores s on s.store_id = r.store_id and s.store_key <> 0
             and s.valid_from < r.window_start_at + interval 1 day and s.valid_to >= r.window_start_at + interval 1 day
        order by 1, 2, 3"""
    found = """select store_id, product_id, window_start_at, product_key, store_key, value_cents, reorder_point, alert,
                      days_of_cover from rows order by 1, 2, 3"""
    assert answer(found, **tables) == answer(oracle, **tables)
    assert answer("select count(distinct alert) from rows", **tables) == [(4,)]
