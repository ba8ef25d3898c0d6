"""Lines of receipts: what was sold and brought back, each with the versions of its time.

grain      receipt line (a return's are negative)
key        receipt_id, line_no
partition  hour(window_start_at), the hour of sold_at
owner      lakehouse_jobs
purpose    revenue, margin, orders and returns by product, title, store, customer and channel
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.dimension import valid_at
from lakehouse_jobs.animeverse.keys import date_key, surrogate
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed, window
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.pos import POS
from topics.animeverse.reference import TITLES
from topics.contract import HOUR


class Sale(Struct, kw_only=True):
    receipt_id: str
    line_no: int
    sale_id: str
    kind: str
    sold_at: dt.datetime
    window_start_at: dt.datetime
    date_key: int
    store_id: str
    store_key: int
    customer_id: str
    customer_key: int
    product_id: str
    product_key: int
    title_id: str
    title_key: int
    channel: str
    payment_method: str
    customer_segment: str
    category: str
    quantity: int
    unit_price_cents: int
    gross_cents: int
    discount_cents: int
    net_cents: int
    cost_cents: int
    margin_cents: int
    orders: int  # 1 on the first line of a sale, else 0: adds up to sales
    late_by_seconds: float
    revision: int


SCHEMA = nullable(from_struct(Sale))
OF_RECEIPT = (
    "sale_id", "kind", "store_id", "store_valid_from", "customer_id", "customer_valid_from", "channel", "payment_method",
    "customer_segment", "late_by_seconds", "revision",
)  # fmt: skip


def build(receipts: DataFrame, titles: DataFrame) -> DataFrame:
    """Clean receipts, and the titles' versions → a row for each line."""
    start, _ = window(HOUR)
    taken_apart = receipts.select(
        F.col("event_id").alias("receipt_id"), F.col("event_at").alias("sold_at"), start, *OF_RECEIPT,
        F.col("orders").alias("sales"), F.posexplode("lines").alias("place", "line"),
    )  # fmt: skip
    lines = taken_apart.select("*", "line.*", F.when(F.col("place") == 0, F.col("sales")).otherwise(0).alias("orders"))
    keyed = valid_at(lines, "sold_at", titles, TITLES).withColumns({
        "date_key": date_key("sold_at"),
        "store_key": surrogate("store_id", "store_valid_from"),
        "customer_key": surrogate("customer_id", "customer_valid_from"),
        "product_key": surrogate("product_id", "product_valid_from"),
    })  # fmt: skip
    return typed(keyed, SCHEMA)


TABLE = GoldTable("fact_sales", (Source(POS), Source(TITLES)), HOUR, SCHEMA, build, ("receipt_id", "line_no"))
