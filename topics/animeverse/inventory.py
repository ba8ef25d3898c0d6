"""AnimeVerse, inventory: deliveries, transfers between stores, counts, adjustments. What they do to stock is `stock.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from topics.animeverse.common import LATENESS, Id, Moment
from topics.contract import CleanEvent, Event, Stream


class Document(Event, kw_only=True):
    """A stock document of one product in one store."""

    document_id: Id
    kind: Literal["delivery", "transfer", "count", "adjustment"]
    at: Moment
    store_id: Id
    product_id: Id
    quantity: Annotated[int, Meta(ge=-(10**6), le=10**6)]  # negative only of adjustments; of a count: what was found
    to_store_id: str | None = None  # of transfers
    supplier_id: str | None = None  # of deliveries
    reason: str | None = None


class CleanDocument(CleanEvent, kw_only=True):
    kind: str
    store_id: str
    product_id: str
    quantity: int
    to_store_id: str
    supplier_id: str
    reason: str


INVENTORY = Stream(
    prefix="animeverse.inventory",
    event=Document,
    clean_event=CleanDocument,
    key="product_id",
    clean_key="product_id",
    allowed_lateness=LATENESS,
    dedupe_horizon=LATENESS,
    describe="Stock documents: deliveries, transfers, counts, adjustments.",
)
