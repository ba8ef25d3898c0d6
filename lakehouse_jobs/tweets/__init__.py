"""The gold tables of the tweets, one file each, listed in the order of their refresh."""

from __future__ import annotations

from lakehouse_jobs.gold_table import GoldTable
from lakehouse_jobs.tweets import (
    gold_active_users_by_day,
    gold_engagement_by_tier_by_hour,
    gold_popular_hashtags_by_hour,
    gold_tweet_metrics_by_language,
    gold_tweet_volume_by_region,
    gold_user_activity_by_hour,
)

GOLD_TABLES: tuple[GoldTable, ...] = (
    gold_tweet_volume_by_region.TABLE,
    gold_tweet_metrics_by_language.TABLE,
    gold_popular_hashtags_by_hour.TABLE,
    gold_user_activity_by_hour.TABLE,
    gold_active_users_by_day.TABLE,  # after user_activity_by_hour, which it is made from
    gold_engagement_by_tier_by_hour.TABLE,
)
