"""AnimeVerse's world without faults: reproducible, valid, and like a business."""

import msgspec
import pytest

from producers.animeverse.world import World
from producers.worlds import topics
from tests.unit.producers.animeverse import outputs
from tests.unit.producers.animeverse.outputs import START, one
from topics import catalogue

DECODERS = {t.name: msgspec.json.Decoder(t.value).decode for t in topics(World(7))}
KEYS = {s.raw.name: s.key for s in World.streams}


def test_the_same_seed_and_times_give_the_same_bytes(tmp_path) -> None:
    first, again = (outputs.run(tmp_path / name, outputs.Knobs(), 3000, 0.02) for name in "ab")
    assert first == again
    other = outputs.source(tmp_path / "c", seed=8)
    assert [*outputs.lines(other.begin(START), several_topics=True)] != first[: len(first) - 3000]


def test_every_record_keeps_its_contract_and_its_key(tmp_path) -> None:
    count = 0
    for line in outputs.run(tmp_path, outputs.NO_FAULTS, 4000, 1.0):
        record = msgspec.json.decode(line)
        event = DECODERS[record["topic"]](record["value"])
        assert record["key"] == getattr(event, KEYS[record["topic"]])
        count += 1
    assert count > 4000


def test_all_streams_that_are_not_derived_are_sent(history) -> None:
    sent = {name for (name,) in history.execute("SELECT DISTINCT topic FROM sent").fetchall()}
    ours = {s.prefix.split(".")[1] for s in catalogue.STREAMS if s.domain == "animeverse"}
    assert sent == ours - {"stock", "journeys"}


def test_events_are_as_many_as_asked_in_the_mix_of_the_business(history) -> None:
    shares = dict(
        history.execute(
            """SELECT topic, count(*) / 20000.0 FROM sent WHERE topic IN ('pos', 'cinema', 'inventory', 'reviews')
            AND (v->>'reason' IS NULL OR (v->>'reason') <> 'opening') GROUP BY 1"""
        ).fetchall()
    )
    assert sum(shares.values()) == pytest.approx(1)
    wanted = {"pos": 0.55, "cinema": 0.25, "inventory": 0.08, "reviews": 0.12}
    assert all(abs(shares[k] - wanted[k]) < 0.04 for k in wanted)


def test_ids_are_unique(history) -> None:
    sql = """SELECT count(*) - count(DISTINCT coalesce(v->>'receipt_id', v->>'transaction_id', v->>'document_id', v->>'review_id'))
        FROM sent WHERE topic IN ('pos', 'cinema', 'inventory', 'reviews')"""
    assert one(history, sql) == 0


def test_two_receipts_in_five_name_nobody(history) -> None:
    assert 0.36 < one(history, "SELECT avg(((v->>'customer_id') IS NULL)::INT) FROM sent WHERE topic = 'pos'") < 0.44


def test_shops_sell_only_what_is_there(history) -> None:
    """Stock by its rule: the last count, and what happened later, in the order of time."""
    sql = """WITH base AS (
            SELECT *, max(happened) FILTER (counted) OVER (PARTITION BY store, product ORDER BY happened, n) AS since FROM move),
        level AS (
            SELECT sum(quantity) OVER (PARTITION BY store, product, since ORDER BY happened, n) AS pieces FROM base
            WHERE since IS NOT NULL)
        SELECT count(*) FILTER (pieces < 0) / count(*), min(pieces) FROM level"""
    negative, least = one(history, sql)
    assert negative < 0.01
    assert least > -20


def test_what_runs_low_is_delivered(history) -> None:
    sold, delivered = one(
        history,
        """SELECT (SELECT -sum(quantity) FROM move JOIN sent USING (n) WHERE topic = 'pos'),
        (SELECT sum(quantity) FROM move JOIN sent USING (n) WHERE (v->>'kind') = 'delivery')""",
    )
    assert 0.7 < delivered / sold < 1.6


def test_prices_are_those_of_their_time(history) -> None:
    """Of the versions as they stand in the end; of the last hours some have still to arrive."""
    sql = """WITH version AS (
            SELECT v->>'product_id' AS product, CAST(v->>'valid_from' AS TIMESTAMP) AS since, arg_max(CAST(v->>'price_cents' AS INT), n) AS price
            FROM sent WHERE topic = 'products' GROUP BY 1, 2),
        line AS (
            SELECT CAST(v->>'at' AS TIMESTAMP) AS happened, unnest(CAST(v->'lines' AS JSON[])) AS line FROM sent
            WHERE topic = 'pos' AND (v->>'kind') = 'sale'
            AND CAST(v->>'at' AS TIMESTAMP) < TIMESTAMP '2026-11-21 12:00:00'),
        joined AS (
            SELECT CAST(line->>'unit_price_cents' AS INT) AS asked, price FROM line ASOF JOIN version
            ON version.product = (line->>'product_id') AND version.since <= line.happened)
        SELECT count(*), avg((asked = price)::INT) FROM joined"""
    lines, right = one(history, sql)
    assert lines > 10_000
    assert right > 0.999


def test_no_seat_is_sold_twice_and_only_while_the_screening_is_announced(history) -> None:
    history.execute(
        """CREATE OR REPLACE VIEW seat AS SELECT n, v->>'screening_id' AS screening, CAST(v->>'seat' AS INT) AS seat, v->>'kind' AS kind,
        CAST(v->>'at' AS TIMESTAMP) AS happened, CAST(v->>'starts_at' AS TIMESTAMP) AS starts FROM sent WHERE topic = 'cinema'"""
    )
    taken = """SELECT max(held) FROM (SELECT sum(CASE kind WHEN 'ticket' THEN 1 WHEN 'refund' THEN -1 ELSE 0 END)
        OVER (PARTITION BY screening, seat ORDER BY n) AS held FROM seat WHERE seat IS NOT NULL)"""
    assert one(history, taken) == 1
    strange = """SELECT count(*) FROM seat LEFT JOIN (SELECT v->>'screening_id' AS screening, min(CAST(v->>'valid_from' AS TIMESTAMP)) AS since,
        max(CAST(v->>'seats' AS INT)) AS seats FROM sent WHERE topic = 'screenings' GROUP BY 1) USING (screening)
        WHERE kind = 'ticket' AND (since IS NULL OR happened < since OR happened >= starts OR seat.seat > seats)"""
    assert one(history, strange) == 0
    assert one(history, "SELECT count(*) FILTER (kind = 'refund') > 100 FROM seat")


def test_refunds_and_returns_give_back_what_was_paid(history) -> None:
    refunds = """SELECT count(*), count(t.n), avg((t.v->>'amount_cents' = r.v->>'amount_cents' AND t.v->>'seat' = r.v->>'seat')::INT)
        FROM sent r LEFT JOIN sent t ON t.topic = 'cinema' AND (t.v->>'transaction_id') = (r.v->>'ticket_id')
        WHERE r.topic = 'cinema' AND (r.v->>'kind') = 'refund'"""
    total, found, same = one(history, refunds)
    assert total == found > 100
    assert same == 1
    returns = """SELECT count(*), count(s.n), count(DISTINCT r.v->>'sale_id'), bool_and((s.v->>'at') = (r.v->>'sold_at') AND s.n < r.n)
        FROM sent r LEFT JOIN sent s ON s.topic = 'pos' AND (s.v->>'receipt_id') = (r.v->>'sale_id')
        WHERE r.topic = 'pos' AND (r.v->>'kind') = 'return'"""
    total, found, once, as_printed = one(history, returns)
    assert total == found == once
    assert total > 200
    assert as_printed


def test_who_has_seen_a_film_buys_its_merchandise_more_than_others(history) -> None:
    """Of receipts of members who saw a film in the five days before, those with something of its title, against chance."""
    sql = """WITH title AS (SELECT DISTINCT v->>'product_id' AS product, v->>'title_id' AS title FROM sent WHERE topic = 'products'),
        visit AS (
            SELECT c.v->>'customer_id' AS member, s.v->>'title_id' AS title, CAST(c.v->>'starts_at' AS TIMESTAMP) AS starts
            FROM sent c JOIN (SELECT DISTINCT ON (v->>'screening_id') v FROM sent WHERE topic = 'screenings') s
            ON (s.v->>'screening_id') = (c.v->>'screening_id') WHERE c.topic = 'cinema' AND (c.v->>'kind') = 'ticket'),
        bought AS (
            SELECT n, v->>'customer_id' AS member, CAST(v->>'at' AS TIMESTAMP) AS happened, unnest(CAST(v->'lines' AS JSON[]))->>'product_id' AS product
            FROM sent WHERE topic = 'pos' AND (v->>'kind') = 'sale'),
        seen AS (SELECT DISTINCT n, bought.member, t.title AS of_title, visit.title FROM bought JOIN title t USING (product) JOIN visit
            ON visit.member = bought.member AND happened > starts AND happened < starts + INTERVAL 5 DAY)
        SELECT count(*), avg((of_title = title)::INT) FROM seen"""
    receipts, share = one(history, sql)
    assert receipts > 300
    assert share > 4 / 80  # chance is about one title in eighty; popular ones somewhat more


def test_business_follows_the_hours(history) -> None:
    by_hour = dict(
        history.execute(
            """SELECT hour(CAST(v->>'at' AS TIMESTAMP)), count(*) FROM sent WHERE topic = 'pos' GROUP BY 1"""
        ).fetchall()
    )
    assert by_hour[17] > 3 * by_hour[2]
    at_night = """SELECT count(*) FROM sent WHERE topic = 'pos' AND (v->>'store_id') = 's-berlin' AND (v->>'kind') = 'sale'
        AND hour(CAST(v->>'at' AS TIMESTAMP)) NOT BETWEEN 8 AND 19"""
    assert one(history, at_night) == 0


def test_a_review_fits_its_stars_and_follows_a_purchase_or_a_visit(history) -> None:
    sql = """SELECT avg(CAST(v->>'stars' AS INT)) FILTER ((v->>'text') LIKE 'awful%' OR (v->>'text') LIKE 'terrible%'),
        avg(CAST(v->>'stars' AS INT)) FILTER ((v->>'text') LIKE 'wonderful%' OR (v->>'text') LIKE 'I love it%') FROM sent WHERE topic = 'reviews'"""
    bad, good = one(history, sql)
    assert bad <= 2
    assert good >= 4
    followed = """SELECT avg((EXISTS (SELECT 1 FROM sent s WHERE s.topic = 'pos' AND s.n < r.n AND (s.v->>'customer_id') = (r.v->>'customer_id')))::INT)
        FROM sent r WHERE topic = 'reviews' AND (v->>'subject_kind') = 'product' AND (v->>'customer_id') IS NOT NULL"""
    assert one(history, followed) == 1
