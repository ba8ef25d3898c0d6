"""How many tweets, by how many people, from where, minute by minute; equal to the live KPI of the same name.

grain      region, minute
key        region, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    world map and trend of Tweet Analytics Overview; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.tweets import TWEETS, VOLUME_BY_REGION

TABLE = mirror(VOLUME_BY_REGION, TWEETS)
build = TABLE.build
