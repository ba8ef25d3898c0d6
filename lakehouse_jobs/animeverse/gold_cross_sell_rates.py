"""How many who saw a film then bought in the shop, and how many bought what belongs to the film; by day, week and month of the visit.

grain      title, period (titles with visitors in it)
key        period, window_start_at, title_id
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    Cross-channel

A visitor is a known customer with a ticket that was not given back, at the time that the film started; visits that the data has not
reached yet do not count. A purchase counts in (start, start + 7 days], as in the live KPI conversion_by_day. Visitors are distinct in
their period, so days do not add up to weeks; rates of the newest 7 days still rise.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.periods import WINDOW, Period, by_period, with_version
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.cinema import CINEMA
from topics.animeverse.journeys import CONVERSION
from topics.contract import MINUTE

KEY = (*WINDOW, "title_id")
END = f"visit_at + interval {int(CONVERSION.total_seconds())} seconds"  # of the time in which a purchase counts


class CrossSellRate(Period, kw_only=True):
    title_id: str
    title_name: str
    visitors: int
    buyers_7_days: int  # visitors who bought anything
    buyers_of_title_7_days: int  # visitors who bought something of the title
    cross_sell_rate: float
    title_cross_sell_rate: float
    revenue_cents: (
        int  # of the title's articles that visitors bought in those 7 days, each line once; returns not taken off
    )


SCHEMA = nullable(from_struct(CrossSellRate))


def build(cinema: DataFrame, sales: DataFrame, titles: DataFrame) -> DataFrame:
    """Clean transactions of the cinema, fact_sales, dim_title → rates of each title and period."""
    bought = sales.where("kind = 'sale' and customer_id <> ''")
    visits = _followed(_visits(cinema, sales), bought)
    seen = (
        by_period(visits, "visit_at")
        .groupBy(*KEY)
        .agg(
            F.count_distinct("customer_id").alias("visitors"),
            F.count_distinct(F.when(F.expr(f"next_at <= {END}"), F.col("customer_id"))).alias("buyers_7_days"),
        )
    )
    counted = seen.join(_of_title(visits, bought), list(KEY), "left").na.fill(0)
    named = with_version(counted, titles, "title_id", {"name": F.col("title_id")})
    rates = named.select(
        "*",
        F.col("name").alias("title_name"),
        (F.col("buyers_7_days") / F.col("visitors")).alias("cross_sell_rate"),
        (F.col("buyers_of_title_7_days") / F.col("visitors")).alias("title_cross_sell_rate"),
    )
    return typed(rates, SCHEMA)


def _visits(cinema: DataFrame, sales: DataFrame) -> DataFrame:
    """customer_id, title_id, visit_at: tickets that were not given back, of films that have begun."""
    given_back = cinema.where("kind = 'refund'").select(F.col("ticket_id").alias("event_id"))
    tickets = cinema.where("kind = 'ticket' and customer_id <> ''").join(given_back, "event_id", "left_anti")
    newest = cinema.select("event_at").union(sales.select("sold_at")).agg(F.max("event_at").alias("newest_at"))
    begun = tickets.crossJoin(F.broadcast(newest)).where("starts_at <= newest_at")
    return begun.select("customer_id", "title_id", F.col("starts_at").alias("visit_at"))


def _followed(visits: DataFrame, bought: DataFrame) -> DataFrame:
    """The visits with `next_at`, when the customer next bought something: one pass over both, no pair of them is made."""
    purchases = bought.select("customer_id", F.col("sold_at").alias("at")).distinct()
    both = visits.withColumn("at", F.col("visit_at")).unionByName(
        purchases.withColumn("purchase_at", F.col("at")), allowMissingColumns=True
    )
    later = Window.partitionBy("customer_id").orderBy(F.unix_micros("at").desc())
    later = later.rangeBetween(Window.unboundedPreceding, -1)
    met = both.withColumn("next_at", F.min("purchase_at").over(later))
    return met.where("visit_at is not null").select("customer_id", "title_id", "visit_at", "next_at")


def _of_title(visits: DataFrame, bought: DataFrame) -> DataFrame:
    """Of each title and period the visitors who bought its articles, and what they paid for them."""
    lines = bought.where("title_id not in ('', 'unknown')")
    lines = lines.select("customer_id", "title_id", "sold_at", "receipt_id", "line_no", "net_cents")
    met = visits.join(lines, ["customer_id", "title_id"]).where(f"sold_at > visit_at and sold_at <= {END}")
    line = ("customer_id", "title_id", "receipt_id", "line_no", "net_cents")
    days = met.select(*line, F.date_trunc("day", "visit_at").alias("visit_at")).distinct()
    placed = by_period(days, "visit_at").select(*WINDOW, *line).distinct()
    return placed.groupBy(*KEY).agg(
        F.count_distinct("customer_id").alias("buyers_of_title_7_days"), F.sum("net_cents").alias("revenue_cents")
    )


TABLE = GoldTable(
    "cross_sell_rates",
    (Source(CINEMA), Source("fact_sales"), Source("dim_title")),
    None,
    SCHEMA,
    build,
    key=(*WINDOW[:2], "title_id"),
    every=10 * MINUTE,
)
