"""AnimeVerse in the running stack: live equals batch, facts equal silver, and every fact is on the version of its time.

All of it in SQL that is written here. No new data comes; gold follows silver by a minute or two, so a query is asked again
until it holds.
"""

from __future__ import annotations

import pathlib

import pytest
from confluent_kafka import Producer

from riverhouse import addresses
from tests.e2e.conftest import WITHIN_S, Riverhouse, agree, rows
from tests.integration.kafka import wait_for

pytestmark = pytest.mark.usefixtures("settled")
DIMENSIONS = ("product", "title", "screening", "customer", "store")
FACTS = {  # fact: its time, the dimensions that it points at
    "fact_sales": ("sold_at", ("product", "title", "customer", "store")),
    "fact_cinema_attendance": ("sold_at", ("screening", "title", "customer", "store")),
}


def newest(stream: str) -> str:
    """The revisions in force of a silver table, as a query."""
    return (
        "(select * from (select *, row_number() over (partition by raw_partition, raw_offset "
        f"order by cause_offset desc, cause_ordinal desc) as place from silver.animeverse_{stream}) where place = 1)"
    )


def in_time(window: str, start: str) -> str:
    """An event counts live unless its window and 48 hours lay behind the watermark when it came."""
    return (
        f"(late_by_seconds = 0 or {start} + interval '1' {window} + interval '48' hour "
        "> event_at + late_by_seconds * interval '1' second)"
    )


def test_live_sales_equal_the_batch() -> None:
    start = "date_trunc('minute', event_at)"
    query = (
        f"with batch as (select channel, store_id, {start} m, sum(orders) orders, sum(returns) returns, sum(items) items, "
        "sum(net_cents) revenue, sum(margin_cents) margin, sum(case kind when 'sale' then net_cents else 0 end) sales "
        f"from {newest('pos')} where {in_time('minute', start)} group by 1, 2, 3) "
        "select count(*), count_if(l.orders <> coalesce(b.orders, 0) or l.returns <> coalesce(b.returns, 0) "
        "or l.items <> coalesce(b.items, 0) or l.revenue_cents <> coalesce(b.revenue, 0) "
        "or l.margin_cents <> coalesce(b.margin, 0) "
        "or abs(l.average_basket_cents - coalesce(cast(b.sales as double) / nullif(b.orders, 0), 0)) > 1e-6) "
        "from gold.live_sales_by_minute l left join batch b "
        "on l.window_start_at = b.m and l.channel = b.channel and l.store_id = b.store_id where l.final"
    )
    agree("the live sales of closed minutes equal the batch", query, 100)


def test_live_screenings_equal_the_batch() -> None:
    """Seats to the seat, money to the cent; a screening that moved to another hour shows zeros in the one it left."""
    start = "date_trunc('hour', starts_at)"
    query = (
        f"with batch as (select screening_id, title_id, store_id, {start} h, sum(tickets) tickets, sum(seats_once) seats, "
        f"sum(ticket_cents) paid, sum(concession_cents) eaten from {newest('cinema')} where {in_time('hour', start)} "
        "group by 1, 2, 3, 4) "
        "select count(*), count_if(l.tickets <> coalesce(b.tickets, 0) or l.seats <> coalesce(b.seats, 0) "
        "or l.ticket_cents <> coalesce(b.paid, 0) or l.concession_cents <> coalesce(b.eaten, 0)) "
        "from gold.live_screenings_by_hour l left join batch b on l.window_start_at = b.h "
        "and l.screening_id = b.screening_id and l.title_id = b.title_id and l.store_id = b.store_id where l.final"
    )
    agree("the live screenings of closed hours equal the batch", query, 5)


def test_every_receipt_is_in_the_facts_to_the_cent(cli: Riverhouse) -> None:
    query = (
        "with f as (select receipt_id, sum(net_cents) net, sum(quantity) items, sum(orders) orders "
        "from gold.fact_sales group by 1) "
        "select count(*), count_if(f.net is distinct from s.net_cents or f.items is distinct from s.items "
        f"or f.orders is distinct from s.orders) from {newest('pos')} s "
        f"left join f on f.receipt_id = s.event_id"
    )
    agree("fact_sales has each receipt", query, 1000)
    strangers = (
        "select count(*) from gold.fact_sales where receipt_id not in (select event_id from silver.animeverse_pos)"
    )
    assert rows(cli, strangers) == [["0"]]
    repeated = "select count(*) - count(distinct (receipt_id, line_no)) from gold.fact_sales"
    assert rows(cli, repeated) == [["0"]]


@pytest.mark.parametrize("name", DIMENSIONS)
def test_versions_follow_each_other_without_gap_or_overlap(name: str) -> None:
    query = (
        f"with v as (select {name}_id, valid_from, valid_to, is_current, count(*) over (partition by {name}_key) same, "
        f"lead(valid_from) over (partition by {name}_id order by valid_from) following "
        f"from gold.dim_{name} where {name}_key <> 0) "
        "select count(*), count_if(valid_from >= valid_to or same > 1 or is_current <> (following is null) "
        "or valid_to <> coalesce(following, timestamp '9999-12-31 00:00:00 UTC')) from v"
    )
    agree(f"dim_{name} is there", query)
    arrived = (
        f"select count(*), count_if(d.{name}_key is null) from "
        f"(select distinct {name}_id, valid_from from silver.animeverse_{name}s) s "
        f"left join gold.dim_{name} d on d.{name}_id = s.{name}_id and d.valid_from = s.valid_from"
    )
    agree(f"every version is in dim_{name}", arrived)


@pytest.mark.parametrize(("fact", "name"), [(fact, name) for fact, (_, names) in FACTS.items() for name in names])
def test_facts_point_at_the_version_of_their_time(fact: str, name: str) -> None:
    """The key's version contains the fact's time; where the key is 0, there is no such version."""
    time = FACTS[fact][0]
    query = (
        f"with f as (select {name}_id id, {name}_key key, {time} at from gold.{fact}) "
        f"select count(*), count_if(f.key is distinct from coalesce(d.{name}_key, 0)) from f "
        f"left join gold.dim_{name} d on d.{name}_id = f.id and d.{name}_key <> 0 "
        "and f.at >= d.valid_from and f.at < d.valid_to"
    )
    agree(f"{fact} points at the right versions of dim_{name}", query, 1000)


def test_a_price_that_arrives_late_moves_the_facts_of_its_time(cli: Riverhouse, tmp_path: pathlib.Path) -> None:
    """A version sent as a file, valid since an hour before the best-selling product was sold last."""
    best = (
        "select f.product_id, date_format(max(f.sold_at) - interval '1' hour, '%Y-%m-%dT%H:%i:%sZ') from gold.fact_sales f "
        "join gold.dim_product d on f.product_key = d.product_key where d.is_current "
        "and d.valid_from < f.sold_at - interval '2' hour group by 1 order by count(*) desc limit 1"
    )
    ((product, since),) = rows(cli, best)
    file = tmp_path / "prices.csv"
    file.write_text(
        "product_id,name,category,price_cents,cost_cents,valid_from,change_reason\n"
        f"{product},Late,figures,1999,1,{since},told late\n"
    )
    cli("replay", "animeverse.products", str(file))
    told = (
        "gold.fact_sales f join gold.dim_product d on f.product_key = d.product_key where d.change_reason = 'told late'"
    )
    wrong = "f.cost_cents <> f.quantity or f.product_id <> d.product_id or f.sold_at < d.valid_from"
    agree("the facts of that hour have the new cost", f"select count(*), count_if({wrong}) from {told}")
    assert rows(cli, f"select count(*) from {told} and f.revision > 0") != [["0"]]
    audited = f"select count(*) from gold.dimension_audit where change_reason = 'told late' and entity_id = '{product}'"
    wait_for("the audit tells of it", lambda: rows(cli, audited) == [["1"]], WITHIN_S)


def test_a_record_that_tells_of_an_unknown_reference_is_refused(cli: Riverhouse) -> None:
    producer = Producer({"bootstrap.servers": addresses.bootstrap()})
    producer.produce("animeverse.pos.raw", b"{}", key=b"odd", headers=[("reference", b"animeverse.clowns")])
    assert producer.flush(60) == 0
    refused = "select count(*) from silver.quarantine where reason = 'unknown_reference'"
    wait_for("it is in quarantine", lambda: rows(cli, refused) == [["1"]], WITHIN_S)


def test_it_reconciles(cli: Riverhouse) -> None:
    """The ledger, silver, live figures and gold, recomputed from the bytes received; anything that differs fails the command."""
    assert "sales_by_minute" in cli("reconcile", "animeverse", within_s=600)


def test_every_record_of_every_stream_is_accounted_for(cli: Riverhouse) -> None:
    printed = cli("ledger", "animeverse", within_s=500)
    assert "OK" in printed
    assert "BROKEN" not in printed
