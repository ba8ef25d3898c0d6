"""Revenue, orders, margin and the average basket of each store, minute by minute; equal to the live KPI of the same name.

grain      channel, store, minute
key        channel, store_id, window_start_at
partition  hour(window_start_at)
owner      lakehouse_jobs
purpose    sales as they happen, in Executive Overview; the batch side of reconciliation
"""

from __future__ import annotations

from lakehouse_jobs.kpi_sql import mirror
from topics.animeverse.pos import POS, SALES_BY_MINUTE

TABLE = mirror(SALES_BY_MINUTE, POS)
build = TABLE.build
