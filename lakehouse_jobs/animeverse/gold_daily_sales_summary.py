"""What each store sold, by channel and category: day by day, week by week, month by month.

grain      store, channel, category, period
key        period, window_start_at, store_id, channel, category
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    Executive Overview; everything adds up over stores, channels and categories but `orders_with_category`, since an order
           stands in the category of its first line (`orders`, and so `returns`), and may hold several (`orders_with_category`)
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.periods import WINDOW, Period, by_period
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.pos import POS

KEY = ("store_id", "channel", "category")
LATE_S = POS.allowed_lateness.total_seconds()


class DailySalesSummary(Period, kw_only=True):
    store_id: str
    channel: str
    category: str
    orders: int
    orders_with_category: int
    returns: int
    items: int  # pieces, less those returned
    gross_cents: int
    discount_cents: int
    revenue_cents: int
    cost_cents: int
    margin_cents: int
    late_lines: int  # that came later than live figures wait for (gold.reconciliation_report says what they changed)


SCHEMA = nullable(from_struct(DailySalesSummary))
FIGURES = DailySalesSummary.__struct_fields__[len(WINDOW) + len(KEY) :]


def build(sales: DataFrame) -> DataFrame:
    """fact_sales → its sums by store, channel, category and period. A receipt has one time, so days add up to weeks and months."""
    first = F.min("line_no").over(Window.partitionBy("receipt_id")) == F.col("line_no")
    returned = sales.where("kind = 'return'").withColumn("returns", first.cast("bigint"))
    lines = sales.where("kind <> 'return'").withColumn("returns", F.lit(0)).unionByName(returned)
    days = lines.groupBy(F.date_trunc("day", "window_start_at").alias("window_start_at"), *KEY).agg(*_sums())
    summed = by_period(days).groupBy(*WINDOW, *KEY).agg(*(F.sum(c).alias(c) for c in FIGURES))
    return typed(summed, SCHEMA)


def _sums() -> list[Column]:
    sums = {"quantity": "items", "net_cents": "revenue_cents"}
    sums |= {c: c for c in ("orders", "returns", "gross_cents", "discount_cents", "cost_cents", "margin_cents")}
    return [
        *(F.sum(c).alias(name) for c, name in sums.items()),
        F.count_distinct(F.when(F.col("kind") == "sale", F.col("receipt_id"))).alias("orders_with_category"),
        F.count_if(F.col("late_by_seconds") > LATE_S).alias("late_lines"),
    ]


TABLE = GoldTable("daily_sales_summary", (Source("fact_sales"),), None, SCHEMA, build, key=(*WINDOW[:2], *KEY))
