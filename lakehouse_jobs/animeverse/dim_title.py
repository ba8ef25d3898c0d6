"""Anime titles, at any time (SCD type 2).

grain      version of a title
key        title_key; title_id and valid_from
partition  year(valid_from)
owner      lakehouse_jobs
purpose    sales and attendance by title, studio and age rating
"""

from __future__ import annotations

from lakehouse_jobs.animeverse.dimension import dimension
from topics.animeverse.reference import TITLES

TABLE = dimension(TITLES)
build = TABLE.build
