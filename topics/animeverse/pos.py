"""AnimeVerse, point of sale: receipts of sales and returns, with their lines."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct

from topics.animeverse.common import LATENESS, Cents, Id, Moment, Quantity
from topics.animeverse.reference import CUSTOMERS, PRODUCTS, STORES
from topics.contract import DAY, MINUTE, Count, Event, Kpi, Ratio, Revisable, Stream, Total


class Line(Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of a receipt. `discount_cents` is off the whole line."""

    line_no: Annotated[int, Meta(ge=1, le=1000)]
    product_id: Id
    quantity: Quantity
    unit_price_cents: Cents
    discount_cents: Cents = 0


class Receipt(Event, kw_only=True):
    """A sale or a return. The topic is keyed by `sale_id`, so that a return meets its sale; a sale's is its `receipt_id`."""

    receipt_id: Id
    sale_id: Id
    kind: Literal["sale", "return"]
    at: Moment
    store_id: Id
    channel: Literal["online", "store"]
    payment_method: Literal["cash", "card", "wallet", "voucher"]
    lines: Annotated[list[Line], Meta(min_length=1, max_length=200)]
    customer_id: str | None = None
    sold_at: Moment | None = None  # of a return: when the sale was made, as printed on its receipt


class CleanLine(Struct, kw_only=True):
    """A line as kept: signed (a return's are negative), with the product's version of the receipt's time."""

    line_no: int
    product_id: str
    product_valid_from: dt.datetime | None  # None: no version is known
    category: str  # 'unknown' where no version is known; so too other names
    title_id: str
    quantity: int
    unit_price_cents: int
    gross_cents: int
    discount_cents: int
    net_cents: int
    cost_cents: int  # 0 where no version is known
    margin_cents: int  # net less cost
    order_of_category: int  # 1 on the first line of its category of a sale, so that orders add up; else 0


class CleanReceipt(Revisable, kw_only=True):
    """A receipt as kept."""

    sale_id: str
    kind: str
    store_id: str
    store_valid_from: dt.datetime | None
    store_city: str
    channel: str
    payment_method: str
    customer_id: str  # empty: nobody was named
    customer_valid_from: dt.datetime | None
    customer_segment: str  # 'none' where nobody was named, 'unknown' where no version is known
    customer_country: str
    lines: list[CleanLine]
    orders: int  # 1 of a sale
    returns: int  # 1 of a return
    items: int  # pieces, signed
    gross_cents: int
    discount_cents: int
    net_cents: int
    sale_net_cents: int  # net of a sale, 0 of a return: what an average basket is made of
    cost_cents: int
    margin_cents: int
    flags: list[str]  # unknown_product, unknown_customer, unknown_store, below_cost, price_differs, sale_forgotten


SALES_BY_MINUTE = Kpi(
    "animeverse.kpi.sales_by_minute", MINUTE, ("channel", "store_id"),
    (Total("orders", of="orders"), Total("returns", of="returns"), Total("items", of="items"),
     Total("revenue_cents", of="net_cents"), Total("margin_cents", of="margin_cents"),
     Ratio("average_basket_cents", of="sale_net_cents", per="orders")),
    describe="Revenue, orders, margin and the average basket of each store.",
)  # fmt: skip
SALES_BY_CATEGORY = Kpi(
    "animeverse.kpi.sales_by_category", MINUTE, ("channel", "store_id", "category"),
    (Count("lines"), Total("orders", of="order_of_category"), Total("items", of="quantity"),
     Total("revenue_cents", of="net_cents"), Total("margin_cents", of="margin_cents")),
    each="lines",
    describe="Revenue, orders and margin of each category in each store.",
)  # fmt: skip

POS = Stream(
    prefix="animeverse.pos",
    event=Receipt,
    clean_event=CleanReceipt,
    key="sale_id",
    clean_key="sale_id",
    kpis=(SALES_BY_MINUTE, SALES_BY_CATEGORY),
    references=(PRODUCTS, CUSTOMERS, STORES),
    allowed_lateness=LATENESS,
    dedupe_horizon=LATENESS,
    partials_kept=LATENESS + 2 * DAY,
    describe="Receipts of the shops: sales and returns.",
)
