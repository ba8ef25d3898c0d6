"""Days, weeks and months (UTC; weeks are ISO weeks, from Monday): what the periodic tables have in common.

A periodic table holds all three in one: a row belongs to the `period` that starts at `window_start_at`.
"""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

PERIODS = ("day", "week", "month")
WINDOW = ("period", "window_start_at", "window_end_at")


class Period(Struct, kw_only=True):
    """The columns that every periodic table begins with."""

    period: str
    window_start_at: dt.datetime
    window_end_at: dt.datetime


def by_period(rows: DataFrame, time: str = "window_start_at") -> DataFrame:
    """Each row three times: in the day, the week and the month that its `time` falls in (the columns WINDOW)."""
    placed = rows.withColumn("placed", F.explode(F.array(*(_period(p, time) for p in PERIODS))))
    return placed.drop(*WINDOW).select("*", "placed.*").drop("placed")


def periods(rows: DataFrame, time: str = "window_start_at") -> DataFrame:
    """Every period from the first to the newest time in `rows`.

    With its `last_day`, and `as_of`: its end, or the newest time where it is still running.
    """
    ends = rows.agg(F.min(time).alias("first_at"), F.max(time).alias("newest_at")).where("newest_at is not null")
    days = F.sequence(F.date_trunc("day", "first_at"), F.col("newest_at"), F.expr("interval 1 day"))
    placed = by_period(ends.withColumn("at", F.explode(days)), "at")
    last = F.unix_date(F.to_date("window_end_at")).cast("int") - 1
    running = F.least("window_end_at", "newest_at")
    return placed.select(*WINDOW, last.alias("last_day"), running.alias("as_of")).distinct()


def day(time: str) -> Column:
    """The UTC day of a time, as days since the epoch: windows of days range over it."""
    return F.unix_date(F.to_date(time)).cast("int")


def with_version(rows: DataFrame, versions: DataFrame, key: str, unknown: dict[str, Column]) -> DataFrame:
    """The attributes `unknown` of a dimension, by the version in force when the row's period ends; else as given."""
    chosen = versions.select(F.col(key).alias("its_id"), "valid_from", "valid_to", F.struct(*unknown).alias("its"))
    then = f"its_id = {key} and valid_from < window_end_at and window_end_at <= valid_to"
    joined = rows.alias("r").join(chosen, F.expr(then), "left")
    attributes = (F.coalesce(f"its.{name}", value).alias(name) for name, value in unknown.items())
    return joined.select("r.*", *attributes)


def _period(name: str, time: str) -> Column:
    start = F.date_trunc(name, F.col(time))
    end = start + F.expr(f"interval 1 {name}")
    return F.struct(F.lit(name).alias("period"), start.alias("window_start_at"), end.alias("window_end_at"))
