"""Faults of a business: as many as asked, told apart by an oracle that sees only what was sent."""

import pytest

from tests.unit.producers.animeverse.outputs import one

LATE = """SELECT avg((happened < latest - INTERVAL 2 DAY)::INT), avg((happened < latest - INTERVAL 10 MINUTE)::INT) FROM (
    SELECT happened, max(happened) OVER (ORDER BY n) AS latest FROM (
        SELECT n, CAST(v->>'at' AS TIMESTAMP) AS happened FROM sent WHERE topic IN ('pos', 'cinema', 'inventory', 'reviews')))"""


def test_without_faults_there_are_none(history) -> None:
    assert one(history, LATE) == (0, 0)
    for sql in (UNSOLD, TWICE, SEAT, STRANGERS, BELOW):
        assert one(history, f"SELECT count(*) FROM ({sql})") == 0


def test_some_is_late_and_a_little_later_than_two_days(faulty) -> None:
    very, late = one(faulty, LATE)
    assert 0.002 < very < 0.01
    assert 0.01 < late < 0.06


def test_a_shop_that_was_offline_sends_its_receipts_in_order(faulty) -> None:
    """Runs of late receipts of one shop: each later than the one before, by its time."""
    sql = """WITH receipt AS (SELECT DISTINCT ON (v->>'receipt_id') n, v->>'store_id' AS store, CAST(v->>'at' AS TIMESTAMP) AS happened
            FROM sent WHERE topic = 'pos' ORDER BY n),
        late AS (SELECT *, lag(happened) OVER (PARTITION BY store ORDER BY n) AS before FROM (
            SELECT *, max(happened) OVER (ORDER BY n) AS latest FROM receipt) WHERE happened < latest - INTERVAL 1 HOUR)
        SELECT count(*), avg((happened >= before)::INT) FROM late"""
    count, in_order = one(faulty, sql)
    assert count > 60
    assert in_order > 0.6


UNSOLD = """SELECT 1 FROM sent r WHERE topic = 'pos' AND (v->>'kind') = 'return'
    AND NOT EXISTS (SELECT 1 FROM sent s WHERE s.topic = 'pos' AND (s.v->>'receipt_id') = (r.v->>'sale_id'))"""
TWICE = """SELECT v->>'sale_id' FROM sent WHERE topic = 'pos' AND (v->>'kind') = 'return'
    GROUP BY 1 HAVING count(DISTINCT v->>'receipt_id') > 1"""
SEAT = """SELECT * FROM (SELECT v->>'kind' AS kind, sum(CASE v->>'kind' WHEN 'ticket' THEN 1 ELSE -1 END)
    OVER (PARTITION BY v->>'screening_id', v->>'seat' ORDER BY n) AS held
    FROM (SELECT DISTINCT ON (v->>'transaction_id') n, v FROM sent WHERE topic = 'cinema' AND (v->>'seat') IS NOT NULL ORDER BY n))
    WHERE kind = 'ticket' AND held > 1"""
STRANGERS = """SELECT 1 FROM sent f JOIN (SELECT topic, key, min(n) AS told FROM sent WHERE topic IN ('customers', 'products') GROUP BY ALL) r
    ON r.key = (CASE r.topic WHEN 'customers' THEN f.v->>'customer_id' ELSE f.v->>'product_id' END)
    WHERE f.topic IN ('pos', 'inventory') AND f.n < r.told"""
BELOW = """WITH version AS (SELECT v->>'product_id' AS product, max(CAST(v->>'cost_cents' AS INT)) AS most, min(CAST(v->>'cost_cents' AS INT)) AS least
        FROM sent WHERE topic = 'products' GROUP BY 1),
    line AS (SELECT n, unnest(CAST(v->'lines' AS JSON[])) AS l FROM sent WHERE topic = 'pos' AND (v->>'kind') = 'sale')
    SELECT n FROM line JOIN version ON product = (l->>'product_id')
    WHERE (l->>'unit_price_cents')::INT * (l->>'quantity')::INT - (l->>'discount_cents')::INT < (l->>'quantity')::INT * least * 0.9"""


@pytest.mark.parametrize(
    ("sql", "of", "least", "most"),
    [
        (UNSOLD, "topic = 'pos' AND (v->>'kind') = 'return'", 0.06, 0.16),
        (TWICE, "topic = 'pos' AND (v->>'kind') = 'return'", 0.04, 0.16),
        (SEAT, "topic = 'cinema' AND (v->>'kind') = 'ticket'", 0.03, 0.08),
        (STRANGERS, "topic = 'pos'", 0.005, 0.03),
        (BELOW, "topic = 'pos' AND (v->>'kind') = 'sale'", 0.03, 0.08),
    ],
)  # fmt: skip
def test_each_fault_is_as_frequent_as_asked(faulty, sql, of, least, most) -> None:
    share = one(faulty, f"SELECT (SELECT count(*) FROM ({sql})) / (SELECT count(*) FROM sent WHERE {of})")
    assert least < share < most


def test_whoever_was_unknown_is_told_of_in_the_end(faulty) -> None:
    sql = """SELECT count(*) FROM sent f WHERE topic = 'pos' AND (v->>'customer_id') IS NOT NULL
        AND (v->>'customer_id') NOT IN (SELECT key FROM sent WHERE topic = 'customers')"""
    assert one(faulty, sql) == 0


def test_some_prices_are_those_before_the_last_change(faulty, history) -> None:
    sql = """WITH version AS (SELECT v->>'product_id' AS product, list(CAST(v->>'price_cents' AS INT)) AS prices FROM sent WHERE topic = 'products' GROUP BY 1),
        line AS (SELECT unnest(CAST(v->'lines' AS JSON[])) AS l FROM sent WHERE topic = 'pos' AND (v->>'kind') = 'sale')
        SELECT avg((NOT list_contains(prices, (l->>'unit_price_cents')::INT))::INT) FROM line JOIN version ON product = (l->>'product_id')"""
    assert one(history, sql) < 0.002
    assert 0.005 < one(faulty, sql) < 0.06  # those whose earlier version is older than the beginning
