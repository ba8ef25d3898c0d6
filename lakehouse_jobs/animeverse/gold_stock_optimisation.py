"""What to reorder: demand, safety stock, reorder point and a suggested order for each item; as of the end of each day, week and month.

grain      store, product, period (items in the snapshot of the period)
key        period, window_start_at, store_id, product_id
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    reorder suggestions of Inventory

Demand is what was sold on each of the 28 days (four whole weeks) up to the period's end, days without a sale included; the day that
is still running is not. With mean d, standard deviation s (of a sample) and lead time L in days:

safety stock   ceil(z · s · √L), z = 1.645: enough for 95 of 100 lead times where demand is normal and days are independent
reorder point  ceil(d · L) + safety stock
order          at or below the reorder point, up to 30 days of demand (or the lead time's, if longer) + safety stock

(Silver, Pyke, Thomas: Inventory and Production Management in Supply Chains, 4th ed., ch. 6.) Lead time is by the product's version in
force when the period ends. What is on order already is not known here: suppliers' orders are no part of the data.
"""

from __future__ import annotations

import msgspec
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.periods import WINDOW, Period, by_period, day, with_version
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.reference import Product
from topics.contract import MINUTE

Z = 1.645
DEMAND_DAYS = 28
ORDER_DAYS = 30
LEAD_DAYS = next(f.default for f in msgspec.structs.fields(Product) if f.name == "lead_days")  # of unknown products
REASONS = {  # the first that fits
    "negative_stock": "on_hand < 0",  # count it first
    "no_demand": "mean_daily_demand = 0",
    "out_of_stock": "on_hand = 0",
    "at_or_below_reorder_point": "on_hand <= suggested_reorder_point",
}


class StockOptimisation(Period, kw_only=True):
    store_id: str
    product_id: str
    product_name: str
    mean_daily_demand: float
    demand_deviation: float  # 0 where fewer than two days are known
    lead_days: int
    safety_stock: int
    suggested_reorder_point: int
    on_hand: int  # at the end of the newest day of the period
    suggested_order: int
    reason: str  # of REASONS, or enough


SCHEMA = nullable(from_struct(StockOptimisation))


def build(stock: DataFrame, products: DataFrame) -> DataFrame:
    """fact_inventory_snapshot, dim_product → a suggestion for each item and period."""
    days = by_period(_with_demand(stock).withColumn("at", F.col("window_start_at")), "at")
    kept = F.max_by(F.struct("mean_daily_demand", "demand_deviation", F.col("closing").alias("on_hand")), "at")
    newest = days.groupBy(*WINDOW, "store_id", "product_id").agg(kept.alias("kept")).select("*", "kept.*")
    unknown = {"name": F.col("product_id"), "lead_days": F.lit(LEAD_DAYS)}
    named = with_version(newest, products, "product_id", unknown).withColumnRenamed("name", "product_name")
    return typed(_suggested(named), SCHEMA)


def _with_demand(stock: DataFrame) -> DataFrame:
    """Each snapshot with mean and deviation of the DEMAND_DAYS up to it."""
    newest = stock.agg(F.max("window_start_at").alias("newest_at"))
    rows = stock.crossJoin(F.broadcast(newest)).withColumn("day", day("window_start_at"))
    sold = F.when(F.col("window_start_at") < F.col("newest_at"), F.col("sold"))
    item = Window.partitionBy("store_id", "product_id").orderBy("day").rangeBetween(1 - DEMAND_DAYS, 0)
    return rows.select(
        "store_id", "product_id", "window_start_at", "closing",
        F.coalesce(F.avg(sold).over(item), F.lit(0.0)).alias("mean_daily_demand"),
        F.coalesce(F.stddev_samp(sold).over(item), F.lit(0.0)).alias("demand_deviation"),
    )  # fmt: skip


def _suggested(items: DataFrame) -> DataFrame:
    safety = F.ceil(Z * F.col("demand_deviation") * F.sqrt("lead_days"))
    covered = F.greatest(F.lit(ORDER_DAYS), F.col("lead_days"))
    up_to = F.ceil(F.col("mean_daily_demand") * covered) + F.col("safety_stock")
    order = F.when(F.expr("on_hand <= suggested_reorder_point"), F.greatest(up_to - F.col("on_hand"), F.lit(0)))
    reason = F.lit("enough")
    for name, rule in reversed(REASONS.items()):
        reason = F.when(F.expr(rule), name).otherwise(reason)
    points = items.withColumn("safety_stock", safety).withColumn(
        "suggested_reorder_point", F.ceil(F.col("mean_daily_demand") * F.col("lead_days")) + F.col("safety_stock")
    )
    return points.select("*", F.coalesce(order, F.lit(0)).alias("suggested_order"), reason.alias("reason"))


TABLE = GoldTable(
    "stock_optimisation",
    (Source("fact_inventory_snapshot"), Source("dim_product")),
    None,
    SCHEMA,
    build,
    key=(*WINDOW[:2], "store_id", "product_id"),
    every=10 * MINUTE,
)
