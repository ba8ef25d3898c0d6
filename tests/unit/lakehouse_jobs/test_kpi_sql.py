"""KPI declarations as Spark aggregations, against plain Python over the same events."""

from __future__ import annotations

import collections
import datetime as dt
import random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse_jobs import kpi_sql
from lakehouse_jobs.tweets import gold_active_users_by_day, gold_engagement_by_tier_by_hour, gold_user_activity_by_hour
from tests.unit.lakehouse_jobs.frames import frame
from tests.unit.lakehouse_jobs.samples import START, clean_tweet
from topics.contract import Count, Distinct, Each, Kpi, Mean
from topics.tweets import ACTIVE_USERS_BY_DAY, TWEETS, CleanTweet


@pytest.fixture(scope="module")
def tweets() -> list[CleanTweet]:
    chance = random.Random(5)
    return [
        clean_tweet(
            raw_partition=0, raw_offset=i, event_at=START + dt.timedelta(seconds=chance.randrange(2 * 86400), microseconds=chance.randrange(10**6)),
            region=chance.choice(["USA", "DEU"]), language=chance.choice(["en", "de", "und"]), user_id=f"u{chance.randrange(40)}",
            hashtags=[chance.choice("abc") for _ in range(chance.randrange(4))], sentiment_score=round(chance.uniform(-1, 1), 4),
            text_length=chance.randrange(1, 280), likes=chance.randrange(9), engagement=chance.randrange(99),
            followers_count=10 ** chance.randrange(8), verified=chance.random() < 0.3,
        )
        for i in range(600)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def clean(session: SparkSession, tweets: list[CleanTweet]) -> DataFrame:
    return frame(session, CleanTweet, tweets).cache()


def naive(kpi: Kpi, tweets: list[CleanTweet]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """One event at a time, with exact integers."""
    cells = collections.defaultdict(list)
    length = int(kpi.window.total_seconds())
    for t in tweets:
        start = int(t.event_at.timestamp()) // length * length
        for item in set(getattr(t, kpi.by[0].of)) if kpi.by and isinstance(kpi.by[0], Each) else [None]:
            dims = (item,) if item is not None else tuple(getattr(t, str(d)) for d in kpi.by)
            cells[*dims, start].append(t)
    return {key: {m.name: fold(m, events) for m in kpi.measures} for key, events in cells.items()}


def fold(m: Any, events: list[CleanTweet]) -> Any:
    if isinstance(m, Count):
        return len(events)
    if isinstance(m, Distinct):
        return len({getattr(e, m.of) for e in events})
    total = sum(round(getattr(e, m.of) * 10**m.digits) for e in events)
    if isinstance(m, Mean):
        return total / (len(events) * 10**m.digits)
    return total / 10**m.digits if m.digits else total


def found(kpi: Kpi, rows: DataFrame) -> dict[tuple[Any, ...], dict[str, Any]]:
    seconds = rows.selectExpr(
        "*", "unix_seconds(window_start_at) as start", "unix_seconds(window_end_at) as end"
    ).collect()
    assert all(r["end"] - r["start"] == kpi.window.total_seconds() for r in seconds)
    return {(*(r[d] for d in kpi.dimensions), r["start"]): {m.name: r[m.name] for m in kpi.measures} for r in seconds}


@pytest.mark.parametrize("kpi", TWEETS.kpis, ids=lambda k: k.name)
def test_spark_agrees_with_python_bit_for_bit(kpi: Kpi, clean: DataFrame, tweets: list[CleanTweet]) -> None:
    assert found(kpi, kpi_sql.aggregate(kpi, clean)) == naive(kpi, tweets)


def test_days_add_up_from_user_activity(clean: DataFrame, tweets: list[CleanTweet]) -> None:
    days = gold_active_users_by_day.build(gold_user_activity_by_hour.build(clean))
    assert found(ACTIVE_USERS_BY_DAY, days) == naive(ACTIVE_USERS_BY_DAY, tweets)


def test_users_are_described_as_last_seen(clean: DataFrame, tweets: list[CleanTweet]) -> None:
    last = {
        (t.user_id, int(t.event_at.timestamp()) // 3600 * 3600): t.followers_count
        for t in sorted(tweets, key=lambda t: (t.event_at, t.raw_offset))
    }
    rows = (
        gold_user_activity_by_hour.build(clean)
        .selectExpr("user_id", "unix_seconds(window_start_at)", "followers_count")
        .collect()
    )
    assert {(r[0], r[1]): r[2] for r in rows} == last


def test_tiers_have_bounds(clean: DataFrame, tweets: list[CleanTweet]) -> None:
    bounds = [(1_000, "nano"), (10_000, "micro"), (100_000, "mid"), (1_000_000, "macro"), (10**12, "mega")]
    expected = collections.Counter(next(name for below, name in bounds if t.followers_count < below) for t in tweets)
    rows = gold_engagement_by_tier_by_hour.build(clean).groupBy("follower_tier").sum("tweets").collect()
    assert {r[0]: r[1] for r in rows} == expected
