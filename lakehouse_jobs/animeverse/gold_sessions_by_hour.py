"""Customers' sessions by the hour in which they began; equal to the live KPI of the same name.

grain      hour
key        window_start_at
partition  day(window_start_at): dashboards ask for months of it
owner      lakehouse_jobs
purpose    sessions of Cross-channel; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.journeys import JOURNEYS, SESSIONS_BY_HOUR
from topics.contract import DAY

TABLE = mirror(SESSIONS_BY_HOUR, JOURNEYS, by=DAY)
build = TABLE.build
