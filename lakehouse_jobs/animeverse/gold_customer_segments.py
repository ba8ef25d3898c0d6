"""Segments of customers by RFM (recency, frequency, monetary value), as of the end of each day, week and month.

grain      customer, period (customers with a purchase in the 365 days before the period's end)
key        period, window_start_at, customer_id
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    Customers & Segments; the history of each customer's segment

Recency counts from the period's end, or from the newest sale where the period is still running. Scores are fifths by rank among
the customers of the same period, 5 is best: 1 + floor(5 * (customers who are worse) / (customers)), in whole numbers. Equal
values have equal scores, so nothing depends on an order that nobody chose. The segment is the first that fits:

champions    r ≥ 4 and f ≥ 4   lately and often
loyal        r ≥ 3 and f ≥ 3   often
at_risk      f ≥ 3             often, but not lately
new          r ≥ 4, one order  lately, for the first time
promising    r ≥ 3             rather lately, not often
hibernating  the rest          neither
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.customer_history import days_between, purchases
from lakehouse_jobs.animeverse.periods import WINDOW, Period, with_version
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.contract import MINUTE

DAYS = 365
SEGMENTS = {
    "champions": "r >= 4 and f >= 4",
    "loyal": "r >= 3 and f >= 3",
    "at_risk": "f >= 3",
    "new": "r >= 4 and frequency = 1",
    "promising": "r >= 3",
}


class CustomerSegment(Period, kw_only=True):
    customer_id: str
    country: str
    recency_days: int
    frequency: int  # orders
    monetary_cents: int  # returns taken off
    r: int
    f: int
    m: int
    segment: str


SCHEMA = nullable(from_struct(CustomerSegment))


def build(sales: DataFrame, customers: DataFrame) -> DataFrame:
    """fact_sales, dim_customer → the segment of each customer at the end of each period."""
    history = purchases(sales, DAYS).withColumnsRenamed({"orders": "frequency", "net_cents": "monetary_cents"})
    scored = history.select(
        "*", days_between("last_at", "as_of").alias("recency_days"),
        score("last_at").alias("r"), score("frequency").alias("f"), score("monetary_cents").alias("m"),
    )  # fmt: skip
    segment = F.lit("hibernating")
    for name, rule in reversed(SEGMENTS.items()):
        segment = F.when(F.expr(rule), name).otherwise(segment)
    placed = with_version(
        scored.withColumn("segment", segment), customers, "customer_id", {"country": F.lit("unknown")}
    )
    return typed(placed, SCHEMA)


def score(value: str) -> Column:
    """1 to 5 by rank of `value` in its period, ascending; equal values score alike."""
    period = Window.partitionBy("period", "window_start_at")
    worse = F.rank().over(period.orderBy(value)) - 1
    return F.floor(5 * worse / F.count(F.lit(1)).over(period)) + 1


TABLE = GoldTable(
    "customer_segments",
    (Source("fact_sales"), Source("dim_customer")),
    None,
    SCHEMA,
    build,
    key=(*WINDOW[:2], "customer_id"),
    every=10 * MINUTE,
)
