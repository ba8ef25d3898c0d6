"""Tickets, occupancy and concessions of each screening, in the hour that it starts; equal to the live KPI of the same name.

grain      screening, hour
key        screening_id, title_id, store_id, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    occupancy and concessions of Cinema; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.cinema import CINEMA, SCREENINGS_BY_HOUR

TABLE = mirror(SCREENINGS_BY_HOUR, CINEMA)
build = TABLE.build
