"""Revenue, orders and margin of each category in each store, minute by minute; equal to the live KPI of the same name.

grain      channel, store, category, minute
key        channel, store_id, category, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    what sells, where; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.pos import POS, SALES_BY_CATEGORY

TABLE = mirror(SALES_BY_CATEGORY, POS)
build = TABLE.build
