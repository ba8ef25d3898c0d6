"""Customers' sessions by the hour in which they began; equal to the live KPI of the same name.

grain      hour
key        window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    sessions of Cross-channel; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.journeys import JOURNEYS, SESSIONS_BY_HOUR

TABLE = mirror(SESSIONS_BY_HOUR, JOURNEYS)
build = TABLE.build
