"""Days, of every year that has sales or screenings.

grain      UTC day
key        date_key (yyyymmdd)
partition  year(window_start_at)
owner      lakehouse_jobs
purpose    figures by weekday, week (ISO, from Monday), month, quarter and season of the northern hemisphere
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.contract import MINUTE

SEASONS = "case when month in (12, 1, 2) then 'winter' when month < 6 then 'spring' when month < 9 then 'summer' else 'autumn' end"


class Calendar(Struct, kw_only=True):
    date_key: int
    date: dt.date
    year: int
    quarter: int
    month: int
    month_name: str
    iso_week: int
    weekday: int  # 1 is Monday
    weekday_name: str
    is_weekend: bool
    season: str
    week_start: dt.date
    month_start: dt.date
    window_start_at: dt.datetime


SCHEMA = nullable(from_struct(Calendar))


def build(sales: DataFrame, attendance: DataFrame) -> DataFrame:
    """Days from the first to the last year that a sale or a screening falls into."""
    times = sales.select("sold_at").union(attendance.select("starts_at")).union(attendance.select("sold_at"))
    bounds = times.agg(F.min("sold_at").alias("first"), F.max("sold_at").alias("last")).where("first is not null")
    days = bounds.selectExpr(
        "explode(sequence(make_date(year(first), 1, 1), make_date(year(last), 12, 31), interval 1 day)) as date"
    )
    told = days.selectExpr(
        "date", "year(date) * 10000 + month(date) * 100 + day(date) as date_key", "year(date) as year",
        "quarter(date) as quarter", "month(date) as month", "date_format(date, 'MMMM') as month_name",
        "weekofyear(date) as iso_week", "weekday(date) + 1 as weekday", "date_format(date, 'EEEE') as weekday_name",
        "weekday(date) >= 5 as is_weekend", "cast(date_trunc('week', date) as date) as week_start",
        "cast(date_trunc('month', date) as date) as month_start", "cast(date as timestamp) as window_start_at",
    )  # fmt: skip
    return typed(told.withColumn("season", F.expr(SEASONS)), SCHEMA)


SOURCES = (Source("fact_sales"), Source("fact_cinema_attendance"))
TABLE = GoldTable("dim_calendar", SOURCES, None, SCHEMA, build, ("date_key",), every=10 * MINUTE)
