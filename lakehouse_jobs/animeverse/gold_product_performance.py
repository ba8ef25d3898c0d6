"""How each product does: sales, returns, ratings and stock; by day, week and month.

grain      product, period (of products that were sold, returned, reviewed or kept in stock in it)
key        period, window_start_at, product_id
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    product tables of Executive Overview, Inventory and Reviews. Names are those in force when the period ends
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.periods import WINDOW, Period, by_period, with_version
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable

KEY = (*WINDOW, "product_id")
COUNTS = ("items", "returned_items", "revenue_cents", "margin_cents", "reviews", "closing_stock")


class ProductPerformance(Period, kw_only=True):
    product_id: str
    product_name: str
    category: str
    title_id: str
    items: int  # pieces, less those returned
    returned_items: int
    revenue_cents: int
    margin_cents: int
    return_rate: float  # pieces returned in the period / pieces sold in it; 0 where none was sold
    reviews: int
    mean_stars: float  # 0 where there are no reviews
    closing_stock: int  # of all stores, at the end of the newest day of the period
    revenue_rank: int  # 1 is the product with the most revenue of the period; ties by product_id


SCHEMA = nullable(from_struct(ProductPerformance))


def build(sales: DataFrame, ratings: DataFrame, stock: DataFrame, products: DataFrame) -> DataFrame:
    """fact_sales, rating_by_day, fact_inventory_snapshot, dim_product → a row for each product and period."""
    parts = [_sold(sales), _reviewed(ratings), _kept(stock)]
    rows = parts[0].join(parts[1], list(KEY), "full").join(parts[2], list(KEY), "full")
    rows = rows.na.fill(0, [*COUNTS, "stars"])
    unknown = {"name": F.col("product_id"), "category": F.lit("unknown"), "title_id": F.lit("unknown")}
    named = with_version(rows, products, "product_id", unknown).withColumnRenamed("name", "product_name")
    sold = F.col("items") + F.col("returned_items")
    best = Window.partitionBy("period", "window_start_at").orderBy(F.desc("revenue_cents"), "product_id")
    ranked = named.select(
        "*",
        _ratio("returned_items", sold).alias("return_rate"),
        _ratio("stars", F.col("reviews")).alias("mean_stars"),
        F.row_number().over(best).alias("revenue_rank"),
    )
    return typed(ranked, SCHEMA)


def _sold(sales: DataFrame) -> DataFrame:
    returned = F.when(F.col("kind") == "return", -F.col("quantity")).otherwise(0)
    sums = {"items": F.col("quantity"), "returned_items": returned}
    sums |= {"revenue_cents": F.col("net_cents"), "margin_cents": F.col("margin_cents")}
    day = F.date_trunc("day", "window_start_at").alias("window_start_at")
    days = sales.groupBy(day, "product_id").agg(*(F.sum(c).alias(name) for name, c in sums.items()))
    return by_period(days).groupBy(*KEY).agg(*(F.sum(c).alias(c) for c in sums))


def _reviewed(ratings: DataFrame) -> DataFrame:
    """Days' means are quotients of whole numbers, so the sum of stars comes back exactly."""
    of_products = ratings.where("subject_kind = 'product'").withColumnRenamed("subject_id", "product_id")
    stars = F.round(F.col("mean_stars") * F.col("reviews")).cast("bigint")
    return by_period(of_products).groupBy(*KEY).agg(F.sum("reviews").alias("reviews"), F.sum(stars).alias("stars"))


def _kept(stock: DataFrame) -> DataFrame:
    """Each store's item is in the snapshot on every day, so the newest day of a period has them all."""
    days = by_period(stock.withColumn("day_at", F.col("window_start_at")))
    daily = days.groupBy(*KEY, "day_at").agg(F.sum("closing").alias("closing"))
    return daily.groupBy(*KEY).agg(F.max_by("closing", "day_at").alias("closing_stock"))


def _ratio(of: str, per: Column) -> Column:
    return F.when(per == 0, 0.0).otherwise(F.col(of) / per)


TABLE = GoldTable(
    "product_performance",
    (Source("fact_sales"), Source("rating_by_day"), Source("fact_inventory_snapshot"), Source("dim_product")),
    None,
    SCHEMA,
    build,
    key=(*WINDOW[:2], "product_id"),
)
