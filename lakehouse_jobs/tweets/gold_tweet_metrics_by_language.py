"""Volume, mood and engagement of each language, minute by minute; equal to the live KPI of the same name.

grain      language, minute
key        language, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    language shares and mood in Tweet Analytics Overview; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.tweets import METRICS_BY_LANGUAGE, TWEETS

TABLE = mirror(METRICS_BY_LANGUAGE, TWEETS)
build = TABLE.build
