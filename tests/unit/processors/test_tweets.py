from __future__ import annotations

import pytest

from processors.records import Cause, Refusal, from_millis
from processors.tweets import SKEW_MS, accept, remember
from topics.tweets import CleanTweet, Tweet, User

NOW_MS = 1_790_000_000_000


def tweet(**changes: object) -> Tweet:
    base: dict[str, object] = {
        "tweet_id": "0B0E0D5E-2F8D-4A44-9D7C-0F6F0E3C1A55",
        "text": " I love tea #Tea ",
        "user": User(user_id="u1", username="ana", followers_count=200),
        "created_at": from_millis(NOW_MS),
        "likes": 3,
        "replies": 1,
    }
    return Tweet(**{**base, **changes})


def cause(offset: int = 5) -> Cause:
    return Cause(2, offset, NOW_MS, NOW_MS - 5000)


def test_a_bare_tweet_is_filled_derived_and_flattened() -> None:
    clean = accept(tweet(), cause(), {})
    assert isinstance(clean, CleanTweet)
    assert (clean.event_id, clean.raw_partition, clean.raw_offset) == ("0b0e0d5e-2f8d-4a44-9d7c-0f6f0e3c1a55", 2, 5)
    assert (clean.text, clean.text_length, clean.hashtags) == ("I love tea #Tea", 15, ["tea"])
    assert (clean.language, clean.region, clean.display_name) == ("und", "ZZZ", "ana")
    assert (clean.engagement, clean.engagement_score) == (4, 20.0)
    assert (clean.sentiment_category, clean.sentiment_source) == ("positive", "scored")
    assert (clean.user_tweets_today, clean.user_first_seen_at) == (1, clean.event_at)


def test_the_users_figures_run_on() -> None:
    users: dict = {}
    for n in range(1, 4):
        clean = accept(tweet(), cause(n), users)
        assert isinstance(clean, CleanTweet)
        assert clean.user_tweets_today == n
        remember(users, clean)
    tomorrow = accept(tweet(created_at=from_millis(NOW_MS - 86_400_000)), cause(9), users)
    assert isinstance(tomorrow, CleanTweet)
    assert tomorrow.user_tweets_today == 1
    assert tomorrow.user_first_seen_at == from_millis(NOW_MS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"created_at": from_millis(NOW_MS + SKEW_MS + 1)}, "timestamp_in_future"),
        ({"created_at": 1_000_000_000.0}, "timestamp_out_of_range"),
        ({"text": " \n "}, "empty_text"),
    ],
)
def test_refusals(changes: dict[str, object], reason: str) -> None:
    refusal = accept(tweet(**changes), cause(), {})
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason


def test_a_clock_that_runs_a_little_ahead_is_let_in() -> None:
    assert isinstance(accept(tweet(created_at=from_millis(NOW_MS + SKEW_MS)), cause(), {}), CleanTweet)
