"""Which records count, and what the checks say of hand-made ones."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from lakehouse_jobs.reconcile import checks, figures, tweets
from lakehouse_jobs.reconcile.compare import Question, compare
from lakehouse_jobs.reconcile.facts import RAW
from topics.tweets import TWEETS, VOLUME_BY_REGION

HOUR_MS = 3_600_000
START_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS


def tweet(number: int, at_ms: int, **fields: Any) -> bytes:
    user = {"user_id": "u", "username": "U"}
    given = {
        "tweet_id": f"00000000-0000-4000-8000-{number:012d}",
        "text": "hm",
        "user": user,
        "created_at": at_ms,
        **fields,
    }
    return json.dumps(given).encode()


def made(db: duckdb.DuckDBPyConnection, *records: tuple[int, bytes | None]) -> list[tuple[Any, ...]]:
    """(offset, …) of the facts of records (broker's time, value) of one partition."""
    (facts,) = tweets.FACTS
    facts.create(db)
    rows = [[0, o, at_ms, value, None, False] for o, (at_ms, value) in enumerate(records)]
    facts.take(
        db, pa.table([pa.array(list(c), f.type) for c, f in zip(zip(*rows, strict=True), RAW, strict=True)], schema=RAW)
    )
    facts.make(db)
    return db.execute("select o from facts_tweets order by o").fetchall()


def test_an_id_counts_again_once_its_claim_is_older_than_the_horizon(db) -> None:
    hours = (0, 24, 25, 49, 50)
    assert made(db, *((START_MS + h * HOUR_MS, tweet(1, START_MS)) for h in hours)) == [(0,), (2,), (4,)]


def test_an_id_is_the_same_in_any_spelling(db) -> None:
    spelt = tweet(1, START_MS).replace(b"4000-8000", b"40008000").replace(b"00000000-", b"00000000")
    assert made(db, (START_MS, tweet(1, START_MS)), (START_MS, spelt)) == [(0,)]


def test_what_is_refused_claims_no_id(db) -> None:
    records = [
        tweet(1, START_MS, text=" \u00a0"),
        tweet(1, START_MS + 60_001),
        tweet(1, 5),
        b"{",
        None,
        tweet(1, START_MS + 60_000),
    ]
    assert made(db, *((START_MS, value) for value in records)) == [(5,)]


def test_fields_are_tidied(db) -> None:
    tags = {
        "hashtags": [" #Jazz", "jazz", "##", "ÄRGER", "İ"],
        "language": " DE ",
        "region": "",
        "sentiment_score": 0.12345,
    }
    made(db, (START_MS, tweet(1, START_MS, **tags)), (START_MS, tweet(2, START_MS, text="a #Tea, #tea! #déjà_vu x#y")))
    found = db.execute("select hashtags, language, region, sentiment_score from facts_tweets order by o").fetchall()
    assert found[0] == (sorted(["jazz", "ärger", "i̇"]), "de", "ZZZ", round(0.12345, 4))
    assert found[1][:3] == (["déjà_vu", "tea", "y"], "und", "ZZZ")


@pytest.mark.parametrize(("later_by_ms", "counted"), [(-1, 1), (0, 0)])
def test_an_event_counts_live_until_its_window_and_the_lateness_are_past_the_watermark(
    db, later_by_ms: int, counted: int
) -> None:
    closes_ms = START_MS + 60_000 + HOUR_MS + 5_000  # the window's end, the lateness, the disorder
    newest = closes_ms + later_by_ms
    made(db, (newest, tweet(1, newest)), (newest, tweet(2, START_MS)))
    rows = {t: figures.changes(VOLUME_BY_REGION, TWEETS, in_time=t) for t in (True, False)}
    found = {
        t: db.execute(f"select count(*) from ({q}) where start * 1000 = {START_MS}").fetchone() for t, q in rows.items()
    }
    assert found == {True: (counted,), False: (1,)}


def test_gaps_and_repeats_of_bronze_are_named(db) -> None:
    made(db, *((START_MS, tweet(n, START_MS)) for n in range(10)))
    assert checks.bronze(db, TWEETS, {0: 0}, {0: 9}).different == 0
    db.execute("delete from raw_tweets where o in (0, 4, 5, 9)")
    db.execute("insert into raw_tweets from raw_tweets where o = 7")
    result = checks.bronze(db, TWEETS, {0: 0}, {0: 9})
    assert (result.missing, result.surplus, result.different) == (4, 1, 5)
    assert [str(d) for d in result.first] == [
        "partition 0, offset 0: expected a record, found none",
        "partition 0, offsets 4 to 5: expected a record, found none",
        "partition 0, offset 7: expected once, found again",
        "partition 0, offset 9: expected a record, found none",
    ]


def test_bronze_without_a_partition_is_all_missing(db) -> None:
    made(db, (START_MS, tweet(1, START_MS)))
    assert checks.bronze(db, TWEETS, {0: 0, 1: 3}, {0: 0, 1: 5}).missing == 3


def test_what_was_archived_longer_than_kafka_keeps_it_is_compared_too(db) -> None:
    made(db, *((START_MS, tweet(n, START_MS)) for n in range(4)))
    db.execute("delete from raw_tweets where o = 2")
    assert checks.bronze(db, TWEETS, {0: 3}, {0: 3}).missing == 1


def test_every_figure_of_every_row_is_compared(db) -> None:
    expected = "from (values (1, 'a', 1, 1.5), (1, 'b', 2, 2.5), (1, 'c', 3, null)) t(start, k, n, x)"
    found = "from (values (1, 'a', 1, 1.5), (1, 'b', 9, 9.5), (1, 'd', 4, 4.5)) t(start, k, n, x)"
    result = compare(db, Question("gold", "t", expected, found, ("start", "k"), ("n", "x"), {"0": 5}))
    assert (result.compared, result.different, result.missing, result.surplus) == (4, 3, 1, 1)
    assert [str(d) for d in result.first] == [
        "start 1970-01-01T00:00:01Z, k 'b': n expected 2, found 9",
        "start 1970-01-01T00:00:01Z, k 'b': x expected Decimal('2.5'), found Decimal('9.5')",
        "start 1970-01-01T00:00:01Z, k 'c': expected n=3, x=None, found no row",
        "start 1970-01-01T00:00:01Z, k 'd': expected no row, found n=4, x=Decimal('4.5')",
    ]
    excused = Question("gold", "t", expected, found, ("start", "k"), ("n", "x"), {}, excused="e.n = 3")
    assert compare(db, excused).missing == 0
