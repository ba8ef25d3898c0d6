"""Sales and attendance: to the cent, to the seat, each on the version of its time; DuckDB says so from the same events."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse_jobs.animeverse import dim_customer, dim_product, dim_screening, dim_store, dim_title
from lakehouse_jobs.animeverse import fact_cinema_attendance as attendance
from lakehouse_jobs.animeverse import fact_sales as sales
from lakehouse_jobs.gold_sources import in_force
from tests.unit.lakehouse_jobs.animeverse.samples import Samples, first_versions
from tests.unit.lakehouse_jobs.frames import answer, frame, table
from topics.animeverse.cinema import CINEMA
from topics.animeverse.pos import POS
from topics.animeverse.reference import STORES, TITLES
from topics.contract import Stream

DIMENSIONS = {
    d.TABLE.name: d for d in (dim_product, dim_title, dim_screening, dim_customer, dim_store)
}  # name → module


@pytest.fixture(scope="module")
def samples() -> Samples:
    made = Samples(8)
    first_versions(made)
    made.some(600)
    return made


def silver(session: SparkSession, samples: Samples, stream: Stream) -> DataFrame:
    return frame(session, stream.clean_event, samples.published[stream.prefix])


@pytest.mark.parametrize("stream", [POS, CINEMA], ids=lambda s: s.prefix)
def test_only_the_newest_revision_is_in_force(session: SparkSession, samples: Samples, stream: Stream) -> None:
    rows = in_force(stream, silver(session, samples, stream)).toArrow()
    columns = "raw_partition, raw_offset, revision, cause_offset, cause_ordinal"
    expected = table(stream.clean_event, samples.in_force(stream))
    assert max(expected["revision"].to_pylist()) > 1
    query = f"select {columns} from events order by all"
    assert answer(query, events=rows) == answer(query, events=expected)


@pytest.fixture(scope="module")
def lines(session: SparkSession, samples: Samples) -> DataFrame:
    titles = silver(session, samples, TITLES)
    return sales.build(frame(session, POS.clean_event, samples.in_force(POS)), titles).cache()


def test_sales_are_the_receipts_lines_to_the_cent(lines: DataFrame, samples: Samples) -> None:
    measures = "quantity, unit_price_cents, gross_cents, discount_cents, net_cents, cost_cents, margin_cents"
    labels = "sale_id, kind, store_id, customer_id, product_id, title_id, channel, payment_method, category, revision"
    receipts = table(POS.clean_event, samples.in_force(POS))
    expected = f"""
        with lines as (select event_id, event_at, sale_id, kind, store_id, customer_id, channel, payment_method, revision,
                              unnest(lines) as l from receipts)
        select event_id, l.line_no, sale_id, kind, store_id, customer_id, l.product_id, l.title_id, channel, payment_method,
               l.category, revision, {", ".join(f"l.{m.strip()}" for m in measures.split(","))}, event_at,
               date_trunc('hour', event_at), cast(strftime(event_at, '%Y%m%d') as bigint)
        from lines order by 1, 2"""
    found = f"""select receipt_id, line_no, {labels}, {measures}, sold_at, window_start_at, date_key
                from lines order by 1, 2"""
    assert answer(found, lines=lines.toArrow()) == answer(expected, receipts=receipts)


def test_orders_add_up_to_sales(lines: DataFrame, samples: Samples) -> None:
    sold = sum(e.kind == "sale" for e in samples.in_force(POS))
    assert answer("select sum(orders), max(orders) from lines", lines=lines.toArrow()) == [(sold, 1)]


@pytest.fixture(scope="module")
def admissions(session: SparkSession, samples: Samples) -> DataFrame:
    stores = silver(session, samples, STORES)
    return attendance.build(frame(session, CINEMA.clean_event, samples.in_force(CINEMA)), stores).cache()


def test_attendance_is_the_transactions_to_the_seat(admissions: DataFrame, samples: Samples) -> None:
    columns = """kind, screening_id, title_id, store_id, customer_id, starts_at, seat, quantity, tickets, ticket_cents,
                 concession_cents, seats_once, late_by_seconds, revision"""
    found = f"select transaction_id, sold_at, window_start_at, {columns} from rows order by 1"
    expected = f"select event_id, event_at, date_trunc('hour', event_at), {columns} from events order by 1"
    events = table(CINEMA.clean_event, samples.in_force(CINEMA))
    assert answer(found, rows=admissions.toArrow()) == answer(expected, events=events)


@pytest.mark.parametrize("entity", ["product", "title", "customer", "store"])
def test_every_line_is_on_the_version_of_its_time(
    session: SparkSession, samples: Samples, lines: DataFrame, entity: str
) -> None:
    on_its_version(session, samples, lines, entity)


@pytest.mark.parametrize("entity", ["screening", "title", "store"])
def test_every_admission_is_on_the_version_of_its_time(
    session: SparkSession, samples: Samples, admissions: DataFrame, entity: str
) -> None:
    on_its_version(session, samples, admissions, entity)


def on_its_version(session: SparkSession, samples: Samples, facts: DataFrame, entity: str) -> None:
    """Each fact's key is the only version whose interval holds its time, and 0 exactly where there is none."""
    dimension = DIMENSIONS[f"dim_{entity}"]
    reference = dimension.TABLE.sources[0].reads
    built = dimension.build(silver(session, samples, reference)).toArrow()
    by_time = f"""
        select f.{entity}_key, coalesce(d.{entity}_key, 0) from facts f left join dim d on d.{entity}_key <> 0
        and d.{entity}_id = f.{entity}_id and f.sold_at >= d.valid_from and f.sold_at < d.valid_to"""
    pairs = answer(by_time, facts=facts.toArrow(), dim=built)
    assert len(pairs) == facts.count()
    assert [(a, b) for a, b in pairs if a != b] == []
    assert len({a for a, _ in pairs}) > 2
