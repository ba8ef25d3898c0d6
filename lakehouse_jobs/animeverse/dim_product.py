"""Articles: what they were called, cost and belonged to, at any time (SCD type 2).

grain      version of a product
key        product_key; product_id and valid_from
partition  year(valid_from)
owner      lakehouse_jobs
purpose    sales, stock and reviews by product and category; cost of what is in stock
"""

from __future__ import annotations

from lakehouse_jobs.animeverse.dimension import dimension
from topics.animeverse.reference import PRODUCTS

TABLE = dimension(PRODUCTS)
build = TABLE.build
