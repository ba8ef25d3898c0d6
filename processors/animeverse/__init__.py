"""AnimeVerse's flows: one file for each stream; the five of reference data share one."""

from __future__ import annotations

from processors.animeverse import cinema, inventory, journeys, pos, reference, reviews, stock
from processors.flow import Dataflow

FLOWS: tuple[Dataflow, ...] = (
    *reference.FLOWS, pos.FLOW, cinema.FLOW, inventory.FLOW, reviews.FLOW, stock.FLOW, journeys.FLOW,
)  # fmt: skip
