"""Who earns engagement: by the author's following, verification and the tweet's mood, hour by hour.

grain      follower tier, verified, sentiment category, hour
key        follower_tier, verified, sentiment_category, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    tier and mood charts of User Engagement Analysis
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import window
from lakehouse_jobs.schema import from_struct, nullable
from topics.contract import HOUR
from topics.tweets import TWEETS

TIERS = (("nano", 1_000), ("micro", 10_000), ("mid", 100_000), ("macro", 1_000_000))  # followers below; above: mega
KEY = ("follower_tier", "verified", "sentiment_category")
SUMS = ("likes", "retweets", "replies", "engagement")


class EngagementByTier(Struct, kw_only=True):
    follower_tier: str
    verified: bool
    sentiment_category: str
    window_start_at: dt.datetime
    window_end_at: dt.datetime
    tweets: int
    likes: int
    retweets: int
    replies: int
    engagement: int


def follower_tier() -> Column:
    """The tier of `followers_count`, by the bounds of TIERS."""
    tier = F.lit("mega")
    for name, below in reversed(TIERS):
        tier = F.when(F.col("followers_count") < below, name).otherwise(tier)
    return tier


def build(clean: DataFrame) -> DataFrame:
    """Clean tweets of whole hours → tweets and engagement of each tier, verification and mood."""
    rows = clean.withColumn("follower_tier", follower_tier()).groupBy(*KEY, *window(HOUR))
    cells = rows.agg(F.count(F.lit(1)).alias("tweets"), *(F.sum(c).alias(c) for c in SUMS))
    return cells.select(*EngagementByTier.__struct_fields__)


SCHEMA = nullable(from_struct(EngagementByTier))
TABLE = GoldTable("engagement_by_tier_by_hour", (Source(TWEETS),), HOUR, SCHEMA, build, (*KEY, "window_start_at"))
