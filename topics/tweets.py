"""Tweets: a social stream. What a tweet looks like as it arrives, as it is kept, and the figures folded from it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Meta, Struct, field

from topics.contract import (
    DAY,
    HOUR,
    MINUTE,
    CleanEvent,
    Count,
    Distinct,
    Each,
    Event,
    Kpi,
    Mean,
    Ranking,
    Stream,
    Total,
    pii,
)

Score = Annotated[float, Meta(ge=-1.0, le=1.0)]
Natural = Annotated[int, Meta(ge=0, le=2**53)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]


class User(Struct, kw_only=True, forbid_unknown_fields=True):
    """The author, as the network describes them at the time of the tweet."""

    user_id: Name
    username: Annotated[str, Meta(min_length=1, max_length=256), pii("handle")]
    display_name: Annotated[str | None, pii("name")] = None
    followers_count: Natural = 0
    verified: bool = False


class Tweet(Event, kw_only=True):
    """A tweet as received. What has a default may be missing; `created_at` is RFC 3339 or seconds or ms since the epoch."""

    tweet_id: Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$")]
    text: Annotated[str, Meta(min_length=1, max_length=4096), pii("text")]
    user: User
    created_at: dt.datetime | float
    hashtags: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    language: str | None = None
    region: str | None = None  # ISO 3166-1 alpha-3
    sentiment_score: Score | None = None
    engagement_score: float | None = None
    likes: Natural = 0
    retweets: Natural = 0
    replies: Natural = 0


class CleanTweet(CleanEvent, kw_only=True):
    """A tweet as kept: normalised, flattened and enriched."""

    text: Annotated[str, pii("text")]
    text_length: int
    hashtags: list[str]  # lower case, without '#', each once
    mentions: list[str]
    language: str  # ISO 639-1, 'und' where unknown
    region: str  # ISO 3166-1 alpha-3, 'ZZZ' where unknown
    user_id: str
    username: Annotated[str, pii("handle")]
    display_name: Annotated[str, pii("name")]
    followers_count: int
    verified: bool
    sentiment_score: float  # -1 to 1, four decimals
    sentiment_category: str  # negative, neutral, positive
    sentiment_source: str  # event, scored
    likes: int
    retweets: int
    replies: int
    engagement: int  # likes + retweets + replies
    engagement_score: float  # the event's own, else engagement per 1,000 followers; four decimals
    user_first_seen_at: dt.datetime
    user_tweets_today: int  # of this user, on the event's UTC day, up to and with this one


_tweets = Count("tweets")
_engagement = Total("engagement", of="engagement")
_users = Distinct("users", of="user_id")
_sentiment = Mean("mean_sentiment", of="sentiment_score", digits=4)
_hashtag = Each("hashtag", of="hashtags")

VOLUME_BY_REGION = Kpi(
    "tweets.kpi.tweet_volume_by_region",
    MINUTE,
    ("region",),
    (_tweets, _engagement, _users),
    describe="How many tweets, by how many people, from where.",
)
METRICS_BY_LANGUAGE = Kpi(
    "tweets.kpi.tweet_metrics_by_language", MINUTE, ("language",),
    (_tweets, _engagement, _sentiment, Mean("mean_text_length", of="text_length"), Total("likes", of="likes"),
     Total("retweets", of="retweets"), Total("replies", of="replies")),
    describe="Volume, mood and engagement of each language.",
)  # fmt: skip
HASHTAGS_BY_MINUTE = Kpi(
    "tweets.kpi.popular_hashtags_by_minute",
    MINUTE,
    (_hashtag,),
    (_tweets, _engagement),
    describe="Hashtags, minute by minute.",
)
HASHTAGS_BY_HOUR = Kpi(
    "tweets.kpi.popular_hashtags_by_hour", HOUR, (_hashtag,), (_tweets, _engagement), describe="Hashtags, hour by hour."
)
ACTIVE_USERS_BY_5_MINUTES = Kpi(
    "tweets.kpi.active_users_by_5_minutes",
    5 * MINUTE,
    (),
    (_users, _tweets),
    describe="People who tweeted, in five minutes.",
)
ACTIVE_USERS_BY_DAY = Kpi(
    "tweets.kpi.active_users_by_day",
    DAY,
    (),
    (_users, _tweets, _engagement),
    describe="People who tweeted, in a UTC day.",
)
MOOD_BY_MINUTE = Kpi(
    "tweets.kpi.mood_by_minute", MINUTE, (),
    (_tweets, _sentiment, _engagement, Mean("mean_engagement", of="engagement")),
    describe="Mean sentiment and engagement of all tweets.",
)  # fmt: skip

TWEETS = Stream(
    prefix="tweets",
    event=Tweet,
    clean_event=CleanTweet,
    key="user.user_id",
    clean_key="user_id",
    running=("user_first_seen_at", "user_tweets_today"),
    kpis=(VOLUME_BY_REGION, METRICS_BY_LANGUAGE, HASHTAGS_BY_MINUTE, HASHTAGS_BY_HOUR, ACTIVE_USERS_BY_5_MINUTES,
          ACTIVE_USERS_BY_DAY, MOOD_BY_MINUTE),
    rankings=(
        Ranking("tweets.kpi.top_hashtags_by_minute", of=HASHTAGS_BY_MINUTE, by="tweets", describe="The top 50 of a minute."),
        Ranking("tweets.kpi.top_hashtags_by_hour", of=HASHTAGS_BY_HOUR, by="tweets", describe="The top 50 of an hour."),
    ),
    describe="A social stream: trends and engagement, live.",
)  # fmt: skip
