"""Clean tweets for tests."""

from __future__ import annotations

import datetime as dt
from typing import Any

from topics.tweets import CleanTweet

START = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def clean_tweet(*, raw_partition: int, raw_offset: int, **changes: Any) -> CleanTweet:
    """A clean tweet at a raw position; `changes` replace its other fields."""
    fields: dict[str, Any] = {
        "event_id": f"{raw_partition:08x}-0000-4000-8000-{raw_offset:012x}",
        "event_at": START, "ingested_at": START, "late_by_seconds": 0.0,
        "text": "hello", "text_length": 5, "hashtags": ["sun"], "mentions": [], "language": "en", "region": "USA",
        "user_id": "u1", "username": "ada", "display_name": "Ada", "followers_count": 10, "verified": False,
        "sentiment_score": 0.5, "sentiment_category": "positive", "sentiment_source": "scored",
        "likes": 1, "retweets": 2, "replies": 3, "engagement": 6, "engagement_score": 0.6,
        "user_first_seen_at": START, "user_tweets_today": 1,
    }  # fmt: skip
    return CleanTweet(raw_partition=raw_partition, raw_offset=raw_offset, **(fields | changes))
