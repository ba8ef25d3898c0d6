"""What each user did in each hour, and how the network last described them in it.

grain      user, hour
key        user_id, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    most active users of User Engagement Analysis; active_users_by_day is made from it
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Struct
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import window
from lakehouse_jobs.schema import from_struct, nullable
from topics.contract import HOUR, pii
from topics.tweets import TWEETS

LAST_KNOWN = ("username", "display_name", "followers_count", "verified")
SUMS = ("likes", "retweets", "replies", "engagement")


class UserActivity(Struct, kw_only=True):
    user_id: str
    window_start_at: dt.datetime
    window_end_at: dt.datetime
    username: Annotated[str, pii("handle")]
    display_name: Annotated[str, pii("name")]
    followers_count: int
    verified: bool
    tweets: int
    likes: int
    retweets: int
    replies: int
    engagement: int


def build(clean: DataFrame) -> DataFrame:
    """Clean tweets of whole hours → a row for each user and hour."""
    last = F.max_by(F.struct(*LAST_KNOWN), F.struct("event_at", "raw_offset")).alias("last")
    rows = clean.groupBy("user_id", *window(HOUR)).agg(
        F.count(F.lit(1)).alias("tweets"), *(F.sum(c).alias(c) for c in SUMS), last
    )
    return rows.select(
        "user_id", "window_start_at", "window_end_at", *(f"last.{c}" for c in LAST_KNOWN), "tweets", *SUMS
    )


TABLE = GoldTable(
    "user_activity_by_hour",
    (Source(TWEETS),),
    HOUR,
    nullable(from_struct(UserActivity)),
    build,
    ("user_id", "window_start_at"),
)
