"""AnimeVerse, stock: every movement of a product in a store, derived from receipts and stock documents."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from topics.animeverse.common import LATENESS, Compound, Id
from topics.animeverse.reference import PRODUCTS
from topics.contract import DAY, Event, Latest, Revisable, Stream


class Move(Event, kw_only=True):
    """A movement. `quantity` is signed; of a count it is what was found on the shelf at that moment."""

    move_id: Compound
    item: Compound  # store_id/product_id
    kind: Literal["sale", "return", "delivery", "transfer_in", "transfer_out", "adjustment", "count"]
    at: dt.datetime
    store_id: Id
    product_id: Id
    quantity: int


class CleanMove(Revisable, kw_only=True):
    """A movement as kept, with the item's figures after it.

    On hand is what the last count (by event time) found, and all movements of later event time; 0 before the first.
    """

    item: str
    kind: str
    store_id: str
    product_id: str
    product_valid_from: dt.datetime | None
    reorder_point: int  # by the product's version
    quantity: int
    on_hand: int
    sold_7_days: int  # pieces sold less returned in the 7 days up to the item's newest event time
    days_of_cover: (
        float  # on hand / (sold_7_days / 7), two decimals; 999 where nothing was sold, 0 where nothing is there
    )
    previous_alert: str  # of the item, after its previous movement; 'ok' before the first
    alert: str  # ok, low (at or below the reorder point), out (0), negative
    alert_changed: bool
    flags: list[str]  # negative_stock, unknown_product


STOCK = Stream(
    prefix="animeverse.stock",
    event=Move,
    clean_event=CleanMove,
    key="item",
    clean_key="item",
    running=(
        "on_hand", "sold_7_days", "days_of_cover", "previous_alert", "alert", "alert_changed", "flags",
    ),
    derived=True,
    gauges=(
        Latest(
            "animeverse.kpi.stock", ("item", "store_id", "product_id"),
            ("on_hand", "sold_7_days", "days_of_cover", "alert", "reorder_point"),
            describe="Stock on hand and days of cover of each product in each store.",
        ),
        Latest(
            "animeverse.kpi.stock_alerts", ("item", "store_id", "product_id"), ("on_hand", "alert", "days_of_cover"),
            when="alert_changed", describe="Items whose stock has become low, has run out, or is well again.",
        ),
    ),
    references=(PRODUCTS,),
    allowed_lateness=LATENESS,
    clean_kept=60 * DAY,  # an item that has not moved for longer begins anew with its next count
    describe="Every movement of a product in a store.",
)  # fmt: skip
