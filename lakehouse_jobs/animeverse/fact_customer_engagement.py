"""What each customer did on each UTC day, in shop and cinema.

grain      customer, UTC day on which something happened or a visit took place
key        customer_id, window_start_at
partition  day(window_start_at)
owner      lakehouse_jobs
purpose    engagement and conversion across channels, customer by customer

Tickets (less refunds), purchases, returns, reviews and spent_cents count on the day of the step; a visit on the day that the film
begins. A visit is converted by a purchase in the 7 days after it. A session counts on the day that it begins: it ends where
a customer takes no step for 30 minutes. The customer's version is the one at the end of the day.
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.dimension import valid_at
from lakehouse_jobs.animeverse.keys import date_key
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed, window
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.journeys import CONVERSION, JOURNEYS, SESSION_GAP
from topics.animeverse.reference import CUSTOMERS
from topics.contract import DAY, MINUTE

GAP_S = int(SESSION_GAP.total_seconds())
CONVERSION_S = int(CONVERSION.total_seconds())
KEY = ("customer_id", "window_start_at")
SUMS = ("tickets", "purchases", "returns", "reviews", "sessions", "spent_cents", "visits", "converted_visits")


class Engagement(Struct, kw_only=True):
    window_start_at: dt.datetime
    date_key: int
    customer_id: str
    customer_key: int
    tickets: int
    visits: int
    purchases: int
    returns: int
    reviews: int
    sessions: int
    spent_cents: int
    converted_visits: int


SCHEMA = nullable(from_struct(Engagement))


def moments(steps: DataFrame) -> DataFrame:
    """A row for each step, and another for the visit that it books or gives back; `at` is when that takes place."""
    both = F.array(
        F.struct(F.lit("step").alias("role"), F.col("event_at").alias("at")),
        F.struct(F.lit("visit").alias("role"), F.col("visit_at").alias("at")),
    )
    rows = steps.select(
        "customer_id", "kind", "amount_cents", "visit_id", "raw_offset", F.explode(both).alias("moment")
    )
    return rows.select("*", "moment.*").drop("moment").where("at is not null")


def changed() -> Column:
    """The moments whose days a new step changes: its own, a session's that it joins, visits' that it converts."""
    own = F.array("at", F.expr(f"at + make_dt_interval(0, 0, 0, {GAP_S})"))
    visits = F.expr(f"sequence(at - make_dt_interval(0, 0, 0, {CONVERSION_S}), at, interval 1 day)")
    purchase = (F.col("role") == "step") & (F.col("kind") == "purchase")
    return F.when(purchase, F.concat(own, visits)).otherwise(own)


def build(rows: DataFrame, customers: DataFrame) -> DataFrame:
    """`moments` of whole days and those around them, and the customers' versions → a row for each customer and day."""
    done = steps(rows.where("role = 'step'")).unionByName(visits(rows), allowMissingColumns=True)
    start, end = window(DAY, "at")
    days = done.groupBy("customer_id", start, end).agg(*(F.coalesce(F.sum(c), F.lit(0)).alias(c) for c in SUMS))
    ended = days.withColumn("_end", F.expr("window_end_at - interval 1 microsecond"))
    keyed = valid_at(ended, "_end", customers, CUSTOMERS)
    return typed(keyed.withColumn("date_key", date_key("window_start_at")), SCHEMA)


def steps(rows: DataFrame) -> DataFrame:
    """What each step counts as; the first of a session counts as the session."""
    of_customer = Window.partitionBy("customer_id").orderBy("at", "raw_offset")
    gap = F.unix_micros("at") - F.unix_micros(F.lag("at").over(of_customer))
    begins = F.when(gap < GAP_S * 1_000_000, 0).otherwise(1)
    kinds = {"purchases": "purchase", "returns": "return", "reviews": "review"}
    tickets = F.when(F.col("kind") == "visit", 1).when(F.col("kind") == "visit_refund", -1).otherwise(0)
    counted = (F.when(F.col("kind") == kind, 1).otherwise(0).alias(name) for name, kind in kinds.items())
    spent = F.col("amount_cents").alias("spent_cents")
    return rows.select("customer_id", "at", tickets.alias("tickets"), *counted, begins.alias("sessions"), spent)


def visits(rows: DataFrame) -> DataFrame:
    """Visits that were not given back, and whether a purchase followed."""
    booked = rows.where("role = 'visit'").groupBy("customer_id", "visit_id").agg(
        F.max_by("at", F.col("kind") == "visit").alias("at"),
        F.bool_or(F.col("kind") == "visit").alias("taken"),
        F.bool_or(F.col("kind") == "visit_refund").alias("given_back"),
    )  # fmt: skip
    kept = booked.where("taken and not given_back")
    bought = rows.where("role = 'step' and kind = 'purchase'").select("customer_id", F.col("at").alias("bought_at"))
    after = F.unix_micros("bought_at") - F.unix_micros("at")
    met = kept.join(bought, "customer_id").where((after > 0) & (after <= CONVERSION_S * 1_000_000))
    converted = met.select("customer_id", "visit_id").distinct().withColumn("converted_visits", F.lit(1))
    return kept.join(converted, ["customer_id", "visit_id"], "left").select(
        "customer_id", "at", F.lit(1).alias("visits"), "converted_visits"
    )


STEPS = Source(JOURNEYS, time="at", rows=moments, before=SESSION_GAP, after=CONVERSION, changed=changed)
TABLE = GoldTable(
    "fact_customer_engagement", (STEPS, Source(CUSTOMERS)), DAY, SCHEMA, build, KEY, every=2 * MINUTE
)  # fmt: skip
