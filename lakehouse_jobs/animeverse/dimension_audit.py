"""Every accepted version record of reference data as it arrived, and what it changed.

grain      accepted record
key        dimension, raw_partition, raw_offset
partition  year(arrived_at)
owner      lakehouse_jobs
purpose    audit trail of the dimensions: who changed when, why, how late, in what order

An `initial` record is the first of its entity, a `correction` repeats a `valid_from`, one that was `inserted_before` is older
than a version that had arrived, anything else is a `change`. `changed` compares with the version that held just before
among those that had arrived; it is empty where there was none.
"""

from __future__ import annotations

import datetime as dt
import functools

from msgspec import Struct
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.dimension import attributes, name
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.animeverse.reference import CUSTOMERS, PRODUCTS, SCREENINGS, STORES, TITLES
from topics.contract import Reference

REFERENCES = (PRODUCTS, TITLES, SCREENINGS, CUSTOMERS, STORES)


class DimensionAudit(Struct, kw_only=True):
    dimension: str
    entity_id: str
    valid_from: dt.datetime
    arrived_at: dt.datetime
    change_reason: str
    kind: str
    changed: list[str]
    late_by_seconds: float
    raw_partition: int
    raw_offset: int


SCHEMA = nullable(from_struct(DimensionAudit))


def build(*records: DataFrame) -> DataFrame:
    """Version records of each of REFERENCES → one row each."""
    audits = (audit(rows, reference) for rows, reference in zip(records, REFERENCES, strict=True))
    return typed(functools.reduce(DataFrame.unionByName, audits), SCHEMA)


def audit(records: DataFrame, reference: Reference) -> DataFrame:
    """The audit of one dimension."""
    says = F.struct(*attributes(reference)).alias("says")
    kept = ("event_id", "valid_from", "ingested_at", "change_reason", "late_by_seconds", "raw_partition", "raw_offset")
    rows = records.select(F.col(reference.clean_key).alias("entity_id"), says, *kept)
    earlier = rows.select(
        F.col("entity_id").alias("id"), F.col("valid_from").alias("was_from"), F.col("raw_offset").alias("was_offset"),
        F.col("says").alias("said"),
    )  # fmt: skip
    known = rows.join(
        earlier, (F.col("entity_id") == F.col("id")) & (F.col("was_offset") < F.col("raw_offset")), "left"
    )
    return _compared(known, reference).select(
        F.lit(f"dim_{name(reference)}").alias("dimension"), "entity_id", "valid_from",
        F.col("ingested_at").alias("arrived_at"), "change_reason", "kind", "changed", "late_by_seconds", "raw_partition", "raw_offset",
    )  # fmt: skip


def _compared(known: DataFrame, reference: Reference) -> DataFrame:
    """Of each record, met with all earlier ones of its entity, the kind, and what differs from the version before it."""
    columns = [c for c in known.columns if c not in ("id", "was_from", "was_offset", "said")]
    at_that_time = F.when(F.col("was_from") <= F.col("valid_from"), F.struct("was_from", "was_offset"))
    rows = known.groupBy(*columns).agg(
        F.max("was_from").alias("newest"),
        F.max_by("said", at_that_time).alias("before"),
        F.max(F.col("was_from") == F.col("valid_from")).alias("again"),
    )
    return rows.withColumns({"kind": _kind(), "changed": _changed(reference)})


def _kind() -> Column:
    return (
        F.when(F.col("newest").isNull(), "initial")
        .when(F.col("again"), "correction")
        .when(F.col("newest") > F.col("valid_from"), "inserted_before")
        .otherwise("change")
    )


def _changed(reference: Reference) -> Column:
    names = (F.when(~F.col(f"says.{a}").eqNullSafe(F.col(f"before.{a}")), a) for a in attributes(reference))
    return F.when(F.col("before").isNull(), F.array().cast("array<string>")).otherwise(F.array_compact(F.array(*names)))


SOURCES = tuple(Source(r) for r in REFERENCES)
KEY = ("dimension", "raw_partition", "raw_offset")
TABLE = GoldTable("dimension_audit", SOURCES, None, SCHEMA, build, KEY, time="arrived_at", by_arrival=True)
