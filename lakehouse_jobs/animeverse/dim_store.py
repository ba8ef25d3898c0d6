"""Shops, the online shop and cinemas, at any time (SCD type 2).

grain      version of a store
key        store_key; store_id and valid_from
partition  year(valid_from)
owner      lakehouse_jobs
purpose    sales, stock and attendance by place
"""

from __future__ import annotations

from lakehouse_jobs.animeverse.dimension import dimension
from topics.animeverse.reference import STORES

TABLE = dimension(STORES)
build = TABLE.build
