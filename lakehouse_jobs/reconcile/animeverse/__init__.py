"""AnimeVerse, computed again from what was received."""

from __future__ import annotations

from lakehouse_jobs.reconcile.animeverse import cinema, journeys, movements, pos, reference
from lakehouse_jobs.reconcile.recomputed import Recomputed
from topics.contract import DAY

RECOMPUTED = Recomputed(
    "animeverse",
    (*reference.FACTS, pos.FACTS, cinema.FACTS, *movements.FACTS, journeys.FACTS),
    (*pos.SUMMARIES, *cinema.SUMMARIES, *movements.SUMMARIES, *journeys.SUMMARIES),
    reads_before=10 * DAY,
    over_all=journeys.OVER_ALL,
)
