"""Tweets: from tweets.raw to clean tweets and live KPIs.

    tweets.raw ─ decode ─ known id? ─ accept ─┬▶ tweets.clean ─ fold ─▶ tweets.partials ─ merge ─▶ tweets.kpi.*
                                              ├▶ tweets.duplicates
                                              └▶ tweets.rejected

State of a raw partition: the ids of 24 hours (`seen.py`); each user's first tweet and the tweets of the last two days
(bound: users); the KPI cells (bound: windows + an hour of lateness). Everything here is pure; `dataflow.py` runs it.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from processors.flow import Dataflow, Form
from processors.operators import hashtags, mentions, score_sentiment, sentiment_category
from processors.records import SKEW_MS, Cause, Refusal, from_millis, to_millis
from topics.tweets import TWEETS, CleanTweet, Tweet

FIRST_TWEET_MS = 1_142_899_200_000  # 2006-03-21: nothing on the network is older


class UserFigures(msgspec.Struct, array_like=True):
    """When a user was first seen, and how many tweets they wrote on each of the last days."""

    first_seen_at: dt.datetime
    days: dict[int, int] = {}


Users = dict[str, UserFigures]


def accept(tweet: Tweet, cause: Cause, users: Users) -> CleanTweet | Refusal:
    """The clean tweet, or why it is refused."""
    event_ms = to_millis(tweet.created_at)
    if event_ms > cause.ingested_ms + SKEW_MS:
        return Refusal("timestamp_in_future", f"created_at {from_millis(event_ms).isoformat()} lies after its arrival")
    if event_ms < FIRST_TWEET_MS:
        return Refusal(
            "timestamp_out_of_range", f"created_at {from_millis(event_ms).isoformat()} is before the first tweet"
        )
    text = tweet.text.strip()
    if not text:
        return Refusal("empty_text", "the text is blank")
    event_at = from_millis(event_ms)
    user = tweet.user
    known = users.get(user.user_id)
    score = tweet.sentiment_score
    scored = score is None
    mood = round(score_sentiment(text) if score is None else score, 4)
    engagement = tweet.likes + tweet.retweets + tweet.replies
    given = tweet.engagement_score
    return CleanTweet(
        event_id=tweet.tweet_id.lower(),
        event_at=event_at,
        ingested_at=from_millis(cause.ingested_ms),
        late_by_seconds=cause.late_by_seconds(event_ms),
        raw_partition=cause.partition,
        raw_offset=cause.offset,
        text=text,
        text_length=len(text),
        hashtags=hashtags(tweet.hashtags, text),
        mentions=mentions(tweet.mentions, text),
        language=(tweet.language or "und").strip().lower() or "und",
        region=(tweet.region or "ZZZ").strip().upper() or "ZZZ",
        user_id=user.user_id,
        username=user.username,
        display_name=user.display_name or user.username,
        followers_count=user.followers_count,
        verified=user.verified,
        sentiment_score=mood,
        sentiment_category=sentiment_category(mood),
        sentiment_source="scored" if scored else "event",
        likes=tweet.likes,
        retweets=tweet.retweets,
        replies=tweet.replies,
        engagement=engagement,
        engagement_score=round(1000 * engagement / max(user.followers_count, 1) if given is None else given, 4),
        user_first_seen_at=known.first_seen_at if known else event_at,
        user_tweets_today=(known.days.get(event_at.toordinal(), 0) if known else 0) + 1,
    )


def remember(users: Users, tweet: CleanTweet) -> None:
    """Fold a clean tweet into its user's figures."""
    figures = users.get(tweet.user_id)
    if figures is None:
        figures = users[tweet.user_id] = UserFigures(tweet.user_first_seen_at)
    day = tweet.event_at.toordinal()
    days = figures.days
    days[day] = tweet.user_tweets_today
    if len(days) > 3:
        del days[min(days)]


def event_id(tweet: Tweet) -> str:
    """The id that makes a tweet the same tweet."""
    return tweet.tweet_id


FLOW = Dataflow(stream=TWEETS, event_id=event_id, accept=accept, figures=dict, remember=remember, form=Form(Users))
