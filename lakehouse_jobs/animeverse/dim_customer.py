"""Members of the customer programme, at any time (SCD type 2). Names and addresses are personal data.

grain      version of a customer
key        customer_key; customer_id and valid_from
partition  year(valid_from)
owner      lakehouse_jobs
purpose    sales and visits by segment and country, as they were at the time
"""

from __future__ import annotations

from lakehouse_jobs.animeverse.dimension import dimension
from topics.animeverse.reference import CUSTOMERS

TABLE = dimension(CUSTOMERS)
build = TABLE.build
