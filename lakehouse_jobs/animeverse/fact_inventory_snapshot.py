"""Stock of each product in each store at the end of each UTC day, and what moved on that day.

grain      store, product, UTC day: from the item's first movement to the newest day of any
key        store_id, product_id, window_start_at
partition  day(window_start_at)
owner      lakehouse_jobs
purpose    stock levels and their value, days of cover, alerts; the batch side of the live stock figures

What is on hand is what the last count found (by event time; of two at one moment the later in the log) and all movements of
later event time. `count_difference` is what counts corrected, so that every row adds up: opening + received - sold + returned
+ transferred_in - transferred_out + adjusted + count_difference = closing. The product's version, its cost and reorder
point, is the one at the end of the day. A day is computed from the row of the day before and its own movements.
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.dimension import valid_at
from lakehouse_jobs.animeverse.keys import date_key
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.reference import PRODUCTS, STORES
from topics.animeverse.stock import STOCK
from topics.contract import DAY

NAME = "fact_inventory_snapshot"
ITEM = ("store_id", "product_id")
KINDS = {  # column: the kind of movement and its sign
    "received": ("delivery", 1), "sold": ("sale", -1), "returned": ("return", 1), "transferred_in": ("transfer_in", 1),
    "transferred_out": ("transfer_out", -1), "adjusted": ("adjustment", 1),
}  # fmt: skip
BOOKED = "received - sold + returned + transferred_in - transferred_out + adjusted"
COVER = """case when closing <= 0 then 0.0 when sold_7_days <= 0 then 999.0
           else ((1400 * closing + sold_7_days) div (2 * sold_7_days)) / 100D end"""  # 7 * closing / sold, rounded half up
ALERT = """case when closing < 0 then 'negative' when closing = 0 then 'out'
           when closing <= reorder_point then 'low' else 'ok' end"""


class Stock(Struct, kw_only=True):
    window_start_at: dt.datetime
    date_key: int
    store_id: str
    store_key: int
    product_id: str
    product_key: int
    opening: int
    received: int
    sold: int
    returned: int
    transferred_in: int
    transferred_out: int
    adjusted: int
    count_difference: int
    closing: int
    value_cents: int  # at cost
    sold_7_days: int  # less returned, in the 7 days up to the item's newest movement
    days_of_cover: float
    reorder_point: int
    alert: str


SCHEMA = nullable(from_struct(Stock))


def build(moves: DataFrame, products: DataFrame, stores: DataFrame, own: DataFrame) -> DataFrame:
    """Clean movements of the days from some day on, and the table's own rows before it → rows of those days."""
    earlier = own.withColumn("day", F.col("window_start_at").cast("date"))
    moved = moves_by_day(moves)
    days = closings(carried(spine(moved, earlier), moved, earlier))
    ended = days.withColumns({
        "window_start_at": F.col("day").cast("timestamp"),
        "_end": F.date_add("day", 1).cast("timestamp") - F.expr("interval 1 microsecond"),
    })  # fmt: skip
    known = valid_at(valid_at(ended, "_end", stores, STORES), "_end", products, PRODUCTS, "cost_cents", "reorder_point")
    return typed(_valued(known), SCHEMA)


def moves_by_day(moves: DataFrame) -> DataFrame:
    """Of each item and day on which something moved: pieces by kind, the day's last count, pieces moved after it."""
    day = F.col("event_at").cast("date").alias("day")
    counted = F.when(F.col("kind") == "count", F.struct("event_at", "raw_offset", "quantity"))
    of_day = Window.partitionBy(*ITEM, "day")
    rows = moves.select(*ITEM, day, "event_at", "kind", "quantity", counted.alias("count"))
    rows = rows.withColumn("last", F.max("count").over(of_day))
    after = F.when((F.col("kind") != "count") & (F.col("event_at") > F.col("last.event_at")), F.col("quantity"))
    pieces = (_pieces(kind, sign).alias(name) for name, (kind, sign) in KINDS.items())
    found = F.max("last.quantity") + F.coalesce(F.sum(after), F.lit(0))
    return rows.groupBy(*ITEM, "day").agg(*pieces, found.alias("found"))


def _pieces(kind: str, sign: int) -> Column:
    return F.sum(F.when(F.col("kind") == kind, F.col("quantity") * sign).otherwise(0))


def spine(moved: DataFrame, earlier: DataFrame) -> DataFrame:
    """A row for each item and day: from its first movement, or the day after the earlier rows end, to the newest day."""
    newest = moved.agg(F.max("day").alias("newest"))
    last = earlier.agg(F.date_add(F.max("day"), 1).alias("next"))
    known = earlier.select(*ITEM).distinct().crossJoin(last).select(*ITEM, F.col("next").alias("day"))
    first = moved.select(*ITEM, "day").unionByName(known).groupBy(*ITEM).agg(F.min("day").alias("first"))
    to_newest = first.crossJoin(F.broadcast(newest)).where("first <= newest")
    return to_newest.select(*ITEM, F.explode(F.expr("sequence(first, newest)")).alias("day"))


def carried(days: DataFrame, moved: DataFrame, earlier: DataFrame) -> DataFrame:
    """The days with what moved on them, after the table's last seven days before them (`known`)."""
    last = earlier.agg(F.max("day").alias("last"))
    recent = earlier.crossJoin(F.broadcast(last)).where("day > date_sub(last, 7)")
    recent = recent.select(*ITEM, "day", *KINDS, "closing", "sold_7_days", F.expr("true").alias("known"))
    columns = [F.coalesce(F.col(c), F.lit(0).cast("bigint")).alias(c) for c in KINDS]
    fresh = days.join(moved.withColumn("moved", F.expr("true")), [*ITEM, "day"], "left")
    fresh = fresh.select(*ITEM, "day", *columns, "found", "moved", F.expr("false").alias("known"))
    return recent.unionByName(fresh, allowMissingColumns=True)


def closings(days: DataFrame) -> DataFrame:
    """The days that are not known yet with opening, closing, count_difference and sold_7_days.

    A day that says what is there (a known one, or one with a count) begins a group, within which movements add up.
    """
    says = F.when(F.col("known"), F.col("closing")).otherwise(F.col("found"))
    by_day = Window.partitionBy(*ITEM).orderBy("day")
    week = F.sum(F.col("sold") - F.col("returned")).over(by_day.rowsBetween(-6, 0))
    grouped = days.withColumns({
        "says": says, "booked": F.expr(BOOKED), "part": F.count(says).over(by_day),
        "week": F.when(F.col("known"), F.col("sold_7_days")).when(F.col("moved"), week),
    })  # fmt: skip
    in_part = Window.partitionBy(*ITEM, "part").orderBy("day")
    summed = grouped.withColumns({
        "closing": F.sum(F.coalesce("says", "booked")).over(in_part),
        "sold_7_days": F.last("week", ignorenulls=True).over(by_day),
    })  # fmt: skip
    opened = summed.withColumn("opening", F.coalesce(F.lag("closing").over(by_day), F.lit(0)))
    return opened.withColumn("count_difference", F.expr("closing - opening - booked")).where("not known")


def _valued(rows: DataFrame) -> DataFrame:
    """With value, cover and alert by the product's version; 0 where none is known."""
    return rows.withColumns({
        "date_key": date_key("window_start_at"),
        "reorder_point": F.coalesce("reorder_point", F.lit(0)),
        "value_cents": F.col("closing") * F.coalesce("cost_cents", F.lit(0)),
        "days_of_cover": F.expr(COVER),
    }).withColumn("alert", F.expr(ALERT))  # fmt: skip


SOURCES = (Source(STOCK, onward=True), Source(PRODUCTS), Source(STORES), Source(NAME))
TABLE = GoldTable(NAME, SOURCES, DAY, SCHEMA, build, (*ITEM, "window_start_at"))
