"""The arithmetic of the peers' latency, on records few enough to reckon by hand."""

from __future__ import annotations

import datetime as dt
import itertools
import json

import pytest

from benchmarks.engines import job
from benchmarks.throughput.latencies import Seen

START = dt.datetime(2026, 1, 5, 12, 0, tzinfo=dt.UTC)
numbers = itertools.count()


def tweet(seen: Seen, appended_at: float, region: str = "FRA") -> str:
    tweet_id = f"{next(numbers):032x}"
    value = {
        "tweet_id": tweet_id, "text": "x", "user": {"user_id": "u", "username": "u"}, "region": region,
        "created_at": (START + dt.timedelta(seconds=1)).isoformat(),
    }  # fmt: skip
    seen.take(job.RAW, json.dumps(value).encode(), appended_at, 0.0)
    return tweet_id


def figure(seen: Seen, tweets: int, now: float) -> None:
    value = {"region": "FRA", "window_start_at": "2026-01-05T12:00Z", "tweets": tweets, "more": 1}
    seen.take(job.VOLUME, json.dumps(value).encode(), 0.0, now)


def test_clean_records_are_found_by_either_name_of_the_id_and_the_first_counts() -> None:
    seen = Seen()
    for name, now in (("tweet_id", 10.5), ("event_id", 11.0)):
        tweet_id = tweet(seen, 10.0)
        for later in (0.0, 5.0):  # after a crash an engine may publish a record again
            seen.take(job.CLEAN, json.dumps({name: tweet_id}).encode(), 0.0, now + later)
    assert seen.to_clean(9.0, 11.0) == pytest.approx([500, 1000])


def test_a_record_without_a_result_is_told_and_one_outside_the_time_is_not() -> None:
    seen = Seen()
    for at in (9.0, 10.0, 11.0):
        tweet(seen, at)
    assert seen.to_clean(10.0, 11.0) == seen.to_figure(10.0, 11.0) == [None]


def test_a_tweet_is_counted_by_the_first_figure_that_is_large_enough() -> None:
    seen = Seen()
    for at in (10.2, 10.0, 10.1, 10.3):  # of several partitions
        tweet(seen, at)
    for tweets, now in ((1, 10.5), (1, 10.6), (3, 11.0)):
        figure(seen, tweets, now)
    assert seen.to_figure(10.0, 10.25) == pytest.approx([500, 900, 800])
    assert seen.to_figure(10.0, 20.0)[-1] is None
