"""Tickets, occupancy and concessions of each screening, in the hour that it starts; equal to the live KPI of the same name.

grain      screening, hour
key        screening_id, title_id, store_id, window_start_at
partition  day(window_start_at): dashboards ask for months of it
owner      lakehouse_jobs
purpose    occupancy and concessions of Cinema; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.cinema import CINEMA, SCREENINGS_BY_HOUR
from topics.contract import DAY

TABLE = mirror(SCREENINGS_BY_HOUR, CINEMA, by=DAY)
build = TABLE.build
