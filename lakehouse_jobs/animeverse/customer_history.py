"""What each customer had bought by the end of each period: customer_segments and customer_lifetime_value are made from it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.periods import WINDOW, day, periods

FIGURES = ("orders", "net_cents", "margin_cents")


def purchases(sales: DataFrame, days: int | None = None) -> DataFrame:
    """Per period and customer, as_of, FIGURES (returns taken off), and first_at and last_at of purchases (not of returns).

    Of the `days` (None: all) up to the period's end; customers without a purchase in that time have no row. Made with a row for each customer and possible last day of a period, then one running sum: no period reads the sales again.
    """
    daily = _by_day(sales.where("customer_id <> ''"))
    ends = periods(sales, "sold_at")
    first = daily.groupBy("customer_id").agg(F.min("day").alias("first_day"))
    grid = first.crossJoin(ends.select(F.col("last_day").alias("day")).distinct()).where("day >= first_day")
    rows = grid.join(daily, ["customer_id", "day"], "left")  # every day of a sale is the last day of a period: itself
    so_far = Window.partitionBy("customer_id").orderBy("day")
    so_far = so_far.rangeBetween(Window.unboundedPreceding if days is None else 1 - days, 0)
    run = rows.select(
        "customer_id", F.col("day").alias("last_day"), *(F.sum(c).over(so_far).alias(c) for c in FIGURES),
        F.min("first_at").over(so_far).alias("first_at"), F.max("last_at").over(so_far).alias("last_at"),
    ).where("orders > 0")  # fmt: skip
    return run.join(ends, "last_day").select(*WINDOW, "as_of", "customer_id", *FIGURES, "first_at", "last_at")


def _by_day(sales: DataFrame) -> DataFrame:
    bought_at = F.when(F.col("kind") == "sale", F.col("sold_at"))
    return sales.groupBy("customer_id", day("sold_at").alias("day")).agg(
        *(F.sum(c).alias(c) for c in FIGURES), F.min(bought_at).alias("first_at"), F.max(bought_at).alias("last_at")
    )


def days_between(start: str, end: str) -> Column:
    """Whole days of 24 hours."""
    return F.floor((F.unix_seconds(end) - F.unix_seconds(start)) / 86_400)
