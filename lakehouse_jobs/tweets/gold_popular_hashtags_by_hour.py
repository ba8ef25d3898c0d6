"""Hashtags, hour by hour; equal to the live KPI of the same name.

grain      hashtag, hour (a tweet counts once for each different hashtag)
key        hashtag, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    trending tables of the dashboards; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.tweets import HASHTAGS_BY_HOUR, TWEETS

TABLE = mirror(HASHTAGS_BY_HOUR, TWEETS)
build = TABLE.build
