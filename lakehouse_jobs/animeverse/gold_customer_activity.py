"""How many known customers used the shops, the cinemas or both, and how many bought for the first time; by day, week and month.

grain      use, period (uses that customers made in it)
key        period, window_start_at, uses
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    Cross-channel, Customers & Segments

Customers are distinct in their period, so days do not add up to weeks. A visit counts on the day that its film begins, of the days
that the data has reached: someone has begun a session on it. A new buyer is one whose first purchase of all is in the period.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.periods import WINDOW, Period, by_period
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.contract import MINUTE


class CustomerActivity(Period, kw_only=True):
    uses: str  # shop, cinema, both
    customers: int
    buyers: int
    new_buyers: int


SCHEMA = nullable(from_struct(CustomerActivity))


def build(engagement: DataFrame) -> DataFrame:
    """fact_customer_engagement → customers by what they used, of each period."""
    newest = engagement.where("sessions > 0").agg(F.max("window_start_at").alias("newest_at"))
    active = engagement.where("visits > 0 or purchases > 0")
    days = active.crossJoin(F.broadcast(newest)).where("window_start_at <= newest_at")
    bought_at = F.when(F.col("purchases") > 0, F.col("window_start_at"))
    ever = days.groupBy("customer_id").agg(F.min(bought_at).alias("first_bought_at"))
    used = (
        by_period(days)
        .groupBy(*WINDOW, "customer_id")
        .agg(F.max(F.col("visits") > 0).alias("visited"), F.max(F.col("purchases") > 0).alias("bought"))
        .join(ever, "customer_id")
    )
    counted = used.groupBy(
        *WINDOW, F.expr("case when visited and bought then 'both' when visited then 'cinema' else 'shop' end").alias("uses")
    ).agg(
        F.count("*").alias("customers"),
        F.count_if("bought").alias("buyers"),
        F.count_if(F.expr("bought and first_bought_at >= window_start_at")).alias("new_buyers"),
    )  # fmt: skip
    return typed(counted, SCHEMA)


TABLE = GoldTable(
    "customer_activity",
    (Source("fact_customer_engagement"),),
    None,
    SCHEMA,
    build,
    key=(*WINDOW[:2], "uses"),
    every=10 * MINUTE,
)
