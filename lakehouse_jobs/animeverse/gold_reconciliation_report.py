"""What came later than live figures wait for: which figures it changed, and by how much.

grain      day concerned, figure of a table (those that late events changed)
key        figure_table, window_start_at, figure_key, figure
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    business users see why a day that was closed has moved; Trino: analytics.late_data

An event is late where it came further behind its partition's watermark than the contract of its stream allows
(`Stream.allowed_lateness`). The report is computed from silver alone: each figure of the day with and without its late events. So it
says the same however often it is computed, and a correction of an event corrects it. Sums and means of nothing are 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from msgspec import Struct
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.cinema import CINEMA
from topics.animeverse.pos import POS
from topics.animeverse.reviews import REVIEWS
from topics.animeverse.stock import STOCK
from topics.contract import Stream

Aggregate = Callable[[Column], Column]
LATE_BY = ("event_at", "ingested_at", "late_by_seconds", "raw_partition", "raw_offset")
MOVES = {  # kind of movement: (figure of fact_inventory_snapshot, the sign that makes it positive there)
    "delivery": ("received", 1), "sale": ("sold", -1), "return": ("returned", 1), "transfer_in": ("transferred_in", 1),
    "transfer_out": ("transferred_out", -1), "adjustment": ("adjusted", 1),
}  # fmt: skip


class Difference(Struct, kw_only=True):
    stream: str
    window_start_at: dt.datetime  # the day concerned
    figure_table: str
    figure_key: str  # "store_id=…, channel=…"
    figure: str
    value_without: float  # the late events
    value_with: float
    delta: float
    late_events: int
    first_arrived_at: dt.datetime
    last_arrived_at: dt.datetime
    max_late_by_seconds: float


SCHEMA = nullable(from_struct(Difference))


def build(pos: DataFrame, cinema: DataFrame, reviews: DataFrame, stock: DataFrame) -> DataFrame:
    """Silver of the four streams, the newest revision of each event → the figures that late events changed."""
    return sales(pos).unionByName(screenings(cinema)).unionByName(ratings(reviews)).unionByName(movements(stock))


def sales(pos: DataFrame) -> DataFrame:
    """By store, channel and category; an order stands in the category of its first line, as in fact_sales."""
    lines = pos.select(*LATE_BY, "store_id", "channel", "orders", F.posexplode("lines").alias("place", "line"))
    renamed = {
        "category": "category",
        "items": "quantity",
        "revenue_cents": "net_cents",
        "margin_cents": "margin_cents",
    }
    orders = {"orders": F.when(F.col("place") == 0, F.col("orders")).otherwise(0)}
    rows = lines.withColumns(orders | {name: F.col(f"line.{c}") for name, c in renamed.items()})
    figures = dict.fromkeys(("orders", "items", "revenue_cents", "margin_cents"), F.sum)
    return compare(rows, POS, "daily_sales_summary", ("store_id", "channel", "category"), figures)


def screenings(cinema: DataFrame) -> DataFrame:
    """By screening, on the day that it starts."""
    figures = dict.fromkeys(("tickets", "ticket_cents", "concession_cents"), F.sum)
    return compare(cinema, CINEMA, "screenings_by_hour", ("screening_id",), figures, time="starts_at")


def ratings(reviews: DataFrame) -> DataFrame:
    """By product or film."""
    rows = reviews.withColumns({"reviews": F.lit(1), "mean_stars": F.col("stars")})
    figures = {"reviews": F.sum, "mean_stars": F.avg}
    return compare(rows, REVIEWS, "rating_by_day", ("subject_kind", "subject_id"), figures)


def movements(stock: DataFrame) -> DataFrame:
    """By store and product. Counts are counted: what one does to the closing stock depends on all that follows it."""
    figures = {
        name: F.when(F.col("kind") == kind, sign * F.col("quantity")).otherwise(0)
        for kind, (name, sign) in MOVES.items()
    }
    rows = stock.withColumns(figures | {"counts": (F.col("kind") == "count").cast("bigint")})
    names = [*figures, "counts"]
    return compare(rows, STOCK, "fact_inventory_snapshot", ("store_id", "product_id"), dict.fromkeys(names, F.sum))


def compare(
    rows: DataFrame,
    stream: Stream,
    table: str,
    key: tuple[str, ...],
    figures: Mapping[str, Aggregate],
    time: str = "event_at",
) -> DataFrame:
    """The figures (aggregates of the columns of their names) of each `key` and day that late events changed."""
    late = F.col("late_by_seconds") > stream.allowed_lateness.total_seconds()
    placed = rows.withColumns({
        "window_start_at": F.date_trunc("day", time),
        "figure_key": F.concat_ws(", ", *(F.concat(F.lit(f"{k}="), F.col(k)) for k in key)),
    })  # fmt: skip
    cell = ["window_start_at", "figure_key"]
    concerned = F.broadcast(placed.where(late).select(*cell).distinct())
    cells = placed.join(concerned, cell, "left_semi").groupBy(*cell)
    events = F.struct("raw_partition", "raw_offset")
    compared = cells.agg(
        F.array(*(_with_and_without(name, how, late) for name, how in figures.items())).alias("figures"),
        F.count_distinct(F.when(late, events)).alias("late_events"),
        F.min(F.when(late, F.col("ingested_at"))).alias("first_arrived_at"),
        F.max(F.when(late, F.col("ingested_at"))).alias("last_arrived_at"),
        F.max("late_by_seconds").alias("max_late_by_seconds"),
    )
    named = {
        "stream": F.lit(stream.prefix),
        "figure_table": F.lit(table),
        "delta": F.expr("value_with - value_without"),
    }
    changed = compared.select("*", F.inline("figures")).where("late_events > 0 and value_with <> value_without")
    return typed(changed.withColumns(named), SCHEMA)


def _with_and_without(name: str, how: Aggregate, late: Column) -> Column:
    def value(of: Column) -> Column:
        return F.coalesce(how(of).cast("double"), F.lit(0.0))

    without = value(F.when(~late, F.col(name))).alias("value_without")
    return F.struct(F.lit(name).alias("figure"), without, value(F.col(name)).alias("value_with"))


TABLE = GoldTable(
    "reconciliation_report",
    (Source(POS), Source(CINEMA), Source(REVIEWS), Source(STOCK)),
    None,
    SCHEMA,
    build,
    key=("figure_table", "window_start_at", "figure_key", "figure"),
    by_arrival=True,
)
