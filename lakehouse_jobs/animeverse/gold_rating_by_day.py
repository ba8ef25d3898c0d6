"""Ratings of each product and film, day by day; equal to the live KPI of the same name.

grain      subject, UTC day
key        subject_kind, subject_id, window_start_at
partition  day(window_start_at)
owner      lakehouse_jobs
purpose    ratings and their trend in Reviews; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.reviews import RATING_BY_DAY, REVIEWS

TABLE = mirror(RATING_BY_DAY, REVIEWS)
build = TABLE.build
