"""The past that the benchmark makes: rows as the contract wants them, distributed as the world is, and their figures."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from benchmarks import history
from benchmarks.past_figures import Figures
from benchmarks.past_tweets import DAY_S, SCHEMA, Past
from producers.tweets import World
from tests.unit.lakehouse_jobs.frames import answer
from topics.partition import murmur2_partition
from topics.tweets import Tweet

START = dt.datetime(2026, 3, 1, 18, tzinfo=dt.UTC).timestamp()  # so that there is half a day, a whole one, a short one
COUNT, SEED, PARTITIONS = 40_000, 5, 3


@pytest.fixture(scope="module")
def days() -> list[pa.Table]:
    past = Past(SEED, COUNT, PARTITIONS, sample=4000)
    return [past.day(at) for at in history.days(START, START + 1.4 * DAY_S, COUNT, SEED)]


@pytest.fixture(scope="module")
def tweets(days: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(days)


def count(sql: str, tweets: pa.Table) -> Any:
    return answer(sql, tweets=tweets)[0][0]


def test_the_columns_are_silver_s_and_the_days_are_days(days: list[pa.Table], tweets: pa.Table) -> None:
    assert len(tweets) == COUNT
    for day in days:
        assert day.schema == SCHEMA
        day.validate(full=True)
        assert count("select count(distinct event_at::date) from tweets", day) == 1
    assert [name for name in SCHEMA.names if tweets[name].null_count] == []


def test_every_row_is_what_the_contract_says(tweets: pa.Table) -> None:
    wrong = """
        select count(*) from tweets where not regexp_full_match(event_id, '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}')
            or engagement <> likes + retweets + replies or least(likes, retweets, replies, followers_count) < 0
            or abs(engagement_score - 1000.0 * engagement / greatest(followers_count, 1)) > 0.000051
            or text_length <> length(text) or text = '' or len(hashtags) <> len(list_distinct(hashtags))
            or len(list_filter(hashtags, lambda h: h <> lower(h) or h = '' or h[1] = '#')) > 0
            or sentiment_score not between -1 and 1 or sentiment_source not in ('event', 'scored')
            or late_by_seconds <> 0 or ingested_at - event_at not between interval 5 milliseconds and interval 120 milliseconds"""
    assert count(wrong, tweets) == 0
    assert count("select count(distinct event_id) from tweets", tweets) == COUNT
    assert count("select count(distinct username) - count(distinct user_id) from tweets", tweets) == 0
    said = """
        select count(*) from tweets where len(list_filter(hashtags, lambda h: not contains(lower(text), '#' || h))) > 0
            or len(list_filter(mentions, lambda m: not contains(text, '@' || m))) > 0
            or sentiment_category <> if(sentiment_score >= 0.05, 'positive', if(sentiment_score <= -0.05, 'negative', 'neutral'))"""
    assert count(said, tweets) == 0


def test_what_a_tweet_tells_of_its_author_s_earlier_ones(tweets: pa.Table) -> None:
    wrong = """
        select count(*) from (
            select *, row_number() over (partition by user_id, event_at::date order by raw_offset) as today,
                   first_value(event_at) over (partition by user_id order by raw_offset) as first
            from tweets
        ) where user_tweets_today <> today or user_first_seen_at <> first"""
    assert count(wrong, tweets) == 0


def test_places_are_in_the_order_of_arrival_before_the_log(tweets: pa.Table) -> None:
    assert count("select max(raw_offset) from tweets", tweets) < 0
    places = """select count(*) from (
        select raw_offset - lag(raw_offset) over w as step, event_at < lag(event_at) over w as back from tweets
        window w as (partition by raw_partition order by raw_offset)) where step <> 1 or back"""
    assert count(places, tweets) == 0
    for user, partition in answer("select distinct user_id, raw_partition from tweets limit 200", tweets=tweets):
        assert partition == murmur2_partition(user.encode(), PARTITIONS)


def test_it_is_distributed_as_the_world_is(tweets: pa.Table) -> None:
    """Beside as many tweets of the world itself: no region, language, hour or hashtag is far from its share."""
    at = [t.timestamp() for t in tweets["event_at"].to_pylist()]
    world = World(SEED)
    made = [msgspec.json.decode(v, type=Tweet) for i in range(0, COUNT, 5000) for _, _, v in world.events(i, _floats(at[i : i + 5000]))]  # fmt: skip
    real = pa.table({
        "region": [t.region or "ZZZ" for t in made], "language": [t.language or "und" for t in made],
        "event_at": pa.array([t.created_at for t in made], pa.timestamp("us", tz="UTC")),
        "hashtags": [[h.lower() for h in t.hashtags] for t in made], "engagement": [t.likes + t.retweets + t.replies for t in made],
        "user_id": [t.user.user_id for t in made],
    })  # fmt: skip
    for what in ("region", "language", "hour(event_at)", "unnest(hashtags)"):
        shares = f"select w, count(*) / sum(count(*)) over () from (select {what} as w from tweets) group by 1"
        ours, theirs = (dict(answer(shares, tweets=t)) for t in (tweets, real))
        assert max(abs(ours.get(w, 0) - theirs.get(w, 0)) for w in ours | theirs) < 0.012, what
    people = "select count(distinct user_id) from tweets"
    assert count(people, tweets) == pytest.approx(count(people, real), rel=0.02)
    median = "select median(engagement) from tweets"
    assert count(median, tweets) == pytest.approx(count(median, real), rel=0.1)


def _floats(values: list[float]) -> Any:
    return pa.array(values).to_numpy()


def test_figures_are_those_of_the_tweets(days: list[pa.Table]) -> None:
    figures, positions = Figures(), list[int]()
    for day in days:
        made = dict(figures.of(day))
        cells = "select region, time_bucket(interval 1 minute, event_at), count(*), sum(engagement), count(distinct user_id) from tweets group by all order by all"
        assert answer("select region, window_start_at, tweets, engagement, users from made order by all", made=made["gold.tweet_volume_by_region"]) == answer(cells, tweets=day)  # fmt: skip
        logged = """select dimensions['region'], window_start_at, measures['tweets'], measures['engagement'], measures['users'] from made
                    where kpi = 'tweets.kpi.tweet_volume_by_region' order by all"""
        assert answer(logged, made=made["gold.kpi_log"]) == answer(cells, tweets=day)
        hours = "select user_id, time_bucket(interval 1 hour, event_at), count(*), sum(likes), arg_max(username, raw_offset) from tweets group by all order by all"
        assert answer("select user_id, window_start_at, tweets, likes, username from made order by all", made=made["gold.user_activity_by_hour"]) == answer(hours, tweets=day)  # fmt: skip
        positions += made["gold.kpi_log"]["kpi_offset"].to_pylist()
    assert len(set(positions)) == len(positions)
    assert max(positions) < 0
