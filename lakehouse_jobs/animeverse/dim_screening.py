"""The cinema's schedule, as it was at any time (SCD type 2): a later version reschedules or cancels.

grain      version of a screening
key        screening_key; screening_id and valid_from
partition  year(valid_from)
owner      lakehouse_jobs
purpose    attendance by screening, hall and hour
"""

from __future__ import annotations

from lakehouse_jobs.animeverse.dimension import dimension
from topics.animeverse.reference import SCREENINGS

TABLE = dimension(SCREENINGS)
build = TABLE.build
