"""What each customer has been worth, and may be worth in the next 12 months; as of the end of each day, week and month.

grain      customer, period (customers with a purchase before the period's end)
key        period, window_start_at, customer_id
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    Customers & Segments

Historic value is margin so far, returns taken off. The projection assumes that the customer goes on as before: margin so far,
over the months since the first purchase (at least one), times 12. It knows nothing of customers who leave: read it beside
`segment` of customer_segments.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.customer_history import days_between, purchases
from lakehouse_jobs.animeverse.periods import WINDOW, Period
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.contract import MINUTE

MONTH_DAYS = 365.25 / 12


class CustomerLifetimeValue(Period, kw_only=True):
    customer_id: str
    orders: int
    revenue_cents: int
    margin_cents: int
    average_basket_cents: int  # revenue / orders, rounded
    tenure_days: int  # since the first purchase
    orders_per_month: float
    predicted_12_months_cents: int  # margin


SCHEMA = nullable(from_struct(CustomerLifetimeValue))


def build(sales: DataFrame) -> DataFrame:
    """fact_sales → the value of each customer at the end of each period."""
    rows = purchases(sales).withColumnRenamed("net_cents", "revenue_cents")
    rows = rows.withColumn("tenure_days", days_between("first_at", "as_of"))
    months = F.greatest(F.col("tenure_days") / MONTH_DAYS, F.lit(1.0))
    valued = rows.select(
        "*",
        F.round(F.col("revenue_cents") / F.col("orders")).cast("bigint").alias("average_basket_cents"),
        (F.col("orders") / months).alias("orders_per_month"),
        F.round(F.col("margin_cents") / months * 12).cast("bigint").alias("predicted_12_months_cents"),
    )
    return typed(valued, SCHEMA)


TABLE = GoldTable(
    "customer_lifetime_value",
    (Source("fact_sales"),),
    None,
    SCHEMA,
    build,
    key=(*WINDOW[:2], "customer_id"),
    every=10 * MINUTE,
)
