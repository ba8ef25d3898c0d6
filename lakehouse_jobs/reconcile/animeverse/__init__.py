"""AnimeVerse, computed again from what was received."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse import cinema, inventory, journeys, pos, reference, reviews, stock
from lakehouse_jobs.reconcile.recomputed import Recomputed
from topics.contract import DAY

RECOMPUTED = Recomputed(
    "animeverse",
    (*reference.FACTS, pos.FACTS, cinema.FACTS, inventory.FACTS, reviews.FACTS, stock.FACTS, journeys.FACTS),
    (*pos.SUMMARIES, *cinema.SUMMARIES, *stock.SUMMARIES, *journeys.SUMMARIES),
    reads_before=10 * DAY,
    over_all=journeys.OVER_ALL,
    gauges={**reviews.GAUGES, **stock.GAUGES, **journeys.GAUGES},
)
