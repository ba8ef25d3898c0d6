"""Cinema visits of each day, and how many were followed by a purchase within 7 days; equal to the live KPI of the same name.

grain      UTC day
key        window_start_at
partition  day(window_start_at)
owner      lakehouse_jobs
purpose    conversion of Cross-channel; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.journeys import CONVERSION_BY_DAY, JOURNEYS

TABLE = mirror(CONVERSION_BY_DAY, JOURNEYS)
build = TABLE.build
