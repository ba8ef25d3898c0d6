"""Slowly changing dimensions of type 2, from the version records of a reference stream in whatever order they arrived.

A later record of the same entity and `valid_from` corrects the earlier one. A version holds until the next one begins; the
newest (`is_current`) until the end of time. A member with the key 0 stands for what is not known.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs.animeverse.keys import EPOCH, FOREVER, UNKNOWN, surrogate
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.kpi_sql import typed
from lakehouse_jobs.schema import from_struct, nullable
from topics.contract import CleanVersion, Reference

MEANS_UNKNOWN: dict[str, Any] = {"string": "unknown", "bigint": 0, "double": 0.0, "boolean": False}


def dimension(reference: Reference) -> GoldTable:
    """The dimension of a reference stream: `dim_product` of `animeverse.products`."""
    entity = name(reference)
    schema = nullable(from_struct(struct(reference)))

    def build(records: DataFrame) -> DataFrame:
        versions = intervals(records, reference).withColumn(
            f"{entity}_key", surrogate(reference.clean_key, "valid_from")
        )
        known = typed(versions, schema)
        return known.unionByName(_unknown(known, entity))

    key = (f"{entity}_key",)
    return GoldTable(f"dim_{entity}", (Source(reference),), None, schema, build, key, time="valid_from")


def name(reference: Reference) -> str:
    """`product` of the reference data that `product_id` keys."""
    return reference.clean_key.removesuffix("_id")


def attributes(reference: Reference) -> list[str]:
    """What a version says of its entity: all fields but its id and what every version has."""
    common = {*CleanVersion.__struct_fields__, reference.clean_key}
    return [f for f in reference.clean_event.__struct_fields__ if f not in common]


def struct(reference: Reference) -> type[msgspec.Struct]:
    """The dimension's columns."""
    types = {f.name: f.type for f in msgspec.structs.fields(reference.clean_event)}
    own: list[Any] = [(f, types[f]) for f in (reference.clean_key, *attributes(reference))]
    interval: list[Any] = [("valid_from", dt.datetime), ("valid_to", dt.datetime), ("is_current", bool)]
    described: list[Any] = [("change_reason", str), ("version", int)]
    return msgspec.defstruct(f"dim_{name(reference)}", [(f"{name(reference)}_key", int), *own, *interval, *described])


def intervals(records: DataFrame, reference: Reference) -> DataFrame:
    """The versions in force, each with `valid_to`, `is_current` and `version` (1, 2, 3 … by `valid_from`)."""
    entity = reference.clean_key
    kept = [*attributes(reference), "change_reason"]
    newest = F.max_by(F.struct(*kept), "raw_offset").alias("newest")  # an entity's records are in one raw partition
    versions = records.groupBy(entity, "valid_from").agg(newest).select(entity, "valid_from", "newest.*")
    in_order = Window.partitionBy(entity).orderBy("valid_from")
    following = F.lead("valid_from").over(in_order)
    return versions.withColumns({
        "valid_to": F.coalesce(following, F.lit(FOREVER).cast("timestamp")),
        "is_current": following.isNull(),
        "version": F.row_number().over(in_order),
    })  # fmt: skip


def valid_at(rows: DataFrame, time: str, records: DataFrame, reference: Reference, *kept: str) -> DataFrame:
    """The rows with `<entity>_key`, and the columns `kept`, of the entity's version that holds at `time`; 0 and null where none does."""
    entity, key = reference.clean_key, f"{name(reference)}_key"
    versions = intervals(records, reference).select(
        F.col(entity).alias("_id"), F.col("valid_from").alias("_from"), F.col("valid_to").alias("_to"), *kept,
        surrogate(entity, "valid_from").alias(key),
    )  # fmt: skip
    holds = (F.col(entity) == F.col("_id")) & (F.col(time) >= F.col("_from")) & (F.col(time) < F.col("_to"))
    joined = rows.join(F.broadcast(versions), holds, "left").drop("_id", "_from", "_to")
    return joined.withColumn(key, F.coalesce(key, F.lit(UNKNOWN).cast("bigint")))


def _unknown(known: DataFrame, entity: str) -> DataFrame:
    """The member with the key 0, which holds at all times."""
    fixed = {
        f"{entity}_key": F.lit(UNKNOWN), "valid_from": F.lit(EPOCH), "valid_to": F.lit(FOREVER), "is_current": F.expr("true"),
        "change_reason": F.lit(""), "version": F.lit(0),
    }  # fmt: skip
    columns = []
    for field in known.schema.fields:
        plain = F.lit(MEANS_UNKNOWN.get(field.dataType.simpleString()))
        plain = F.array() if field.dataType.simpleString().startswith("array") else plain
        columns.append(fixed.get(field.name, plain).cast(field.dataType).alias(field.name))
    return known.sparkSession.range(1).select(*columns)
