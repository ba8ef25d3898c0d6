"""The cinema's transactions: tickets, refunds and concessions, each with the versions of its time.

grain      transaction (a refund is negative)
key        transaction_id
partition  hour(window_start_at), the hour of sold_at
owner      lakehouse_jobs
purpose    attendance, occupancy and concessions by screening, title, cinema and customer
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.dimension import valid_at
from lakehouse_jobs.animeverse.keys import date_key, surrogate
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed, window
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.cinema import CINEMA
from topics.animeverse.reference import STORES
from topics.contract import HOUR


class Attendance(Struct, kw_only=True):
    transaction_id: str
    kind: str
    sold_at: dt.datetime
    window_start_at: dt.datetime
    date_key: int
    screening_id: str
    screening_key: int
    title_id: str
    title_key: int
    store_id: str
    store_key: int
    customer_id: str
    customer_key: int
    customer_segment: str
    starts_at: dt.datetime
    seat: int
    price_class: str
    item: str
    quantity: int
    tickets: int
    ticket_cents: int
    concession_cents: int
    seats_once: int  # seats of the hall on one transaction of each screening, else 0: adds up to seats
    late_by_seconds: float
    revision: int


SCHEMA = nullable(from_struct(Attendance))


def build(transactions: DataFrame, stores: DataFrame) -> DataFrame:
    """Clean transactions, and the stores' versions → a row each."""
    start, _ = window(HOUR)
    rows = transactions.select(
        "*", F.col("event_id").alias("transaction_id"), F.col("event_at").alias("sold_at"), start
    )
    keyed = valid_at(rows, "sold_at", stores, STORES).withColumns({
        "date_key": date_key("sold_at"),
        "screening_key": surrogate("screening_id", "screening_valid_from"),
        "title_key": surrogate("title_id", "title_valid_from"),
        "customer_key": surrogate("customer_id", "customer_valid_from"),
    })  # fmt: skip
    return typed(keyed, SCHEMA)


SOURCES = (Source(CINEMA), Source(STORES))
TABLE = GoldTable("fact_cinema_attendance", SOURCES, HOUR, SCHEMA, build, ("transaction_id",))
