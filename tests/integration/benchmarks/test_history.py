"""A past in a real catalogue, and gold refreshed upon it: what is new is added, what was there stays as DuckDB has it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import click
import pyarrow.parquet as pq
import pytest

from benchmarks import history
from lakehouse_jobs import gold, lake, routes, spark, tables
from lakehouse_jobs.schema import arrow
from lakehouse_jobs.tweets import GOLD_TABLES
from lakehouse_jobs.writer import FencedTable
from riverhouse.local.testing import start_stack
from tests.integration.lakehouse_jobs.lakehouse import computed, fence, rows
from tests.integration.lakehouse_jobs.lakehouse import gold as rows_of_gold
from tests.unit.lakehouse_jobs.samples import clean_tweet
from topics.tweets import TWEETS, CleanTweet

COUNT, UNTIL = 30_000, dt.datetime(2026, 3, 3, 9, 30, tzinfo=dt.UTC)
VOLUME = "select region, time_bucket(interval 1 minute, event_at), count(*), sum(engagement), count(distinct user_id) from tweets group by all"
PEOPLE = "select time_bucket(interval 1 day, event_at), count(distinct user_id), count(*) from tweets group by all"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[history.Files]:
    with start_stack(tmp_path_factory.mktemp("history"), only=("postgres",)):
        lake.catalog.cache_clear()
        tables.create_all(lake.catalog(), {*history.FILLED})
        yield history.make(COUNT, 1.5, UNTIL, seed=3)
    lake.catalog.cache_clear()


def test_files_are_as_compaction_makes_them(past: history.Files) -> None:
    assert len(rows(history.SILVER.name, "event_id")) == COUNT
    tasks = list(lake.catalog().load_table(history.SILVER.name).scan().plan_files())
    assert len({task.file.partition[0] for task in tasks}) == len(tasks) == 3
    for task in tasks:
        times = pq.read_table(task.file.file_path.removeprefix("file://"))["event_at"].to_pylist()
        assert times == sorted(times)
    assert fence(history.SILVER.name) == {}


def test_a_second_past_is_refused(past: history.Files) -> None:
    with pytest.raises(click.ClickException, match="has tweets already"):
        history.make(10, 1, UNTIL, seed=3)


def test_gold_goes_on_from_it(past: history.Files) -> None:
    assert volume() == computed(VOLUME)
    append([clean_tweet(raw_partition=p, raw_offset=n, event_at=UNTIL + dt.timedelta(seconds=n)) for p in range(3) for n in range(40)])  # fmt: skip
    application = spark.session("history-test", heap_mb=768)
    try:
        done = gold.refresh_all(application, GOLD_TABLES)
    finally:
        application.stop()
    assert set(done) == {t.name for t in GOLD_TABLES}
    assert volume() == computed(VOLUME)
    assert rows_of_gold("active_users_by_day", "window_start_at", "users", "tweets") == computed(PEOPLE)


def volume() -> list[tuple[object, ...]]:
    return rows_of_gold("tweet_volume_by_region", "region", "window_start_at", "tweets", "engagement", "users")


def append(tweets: list[CleanTweet]) -> None:
    """As the sink would."""
    data = routes._arrow(arrow(history.SILVER.schema), tweets, {})
    logs = [f"{TWEETS.clean.name}/{t.raw_partition}" for t in tweets]
    assert FencedTable(history.SILVER.name).append(routes.Rows(data, logs, [t.raw_offset for t in tweets])) == len(
        tweets
    )
