"""Surrogate keys: one number for each version of an entity, the same wherever it is computed."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

UNKNOWN = 0  # the member of every dimension that facts point at where no version is known
EPOCH = "1970-01-01T00:00:00Z"
FOREVER = "9999-12-31T00:00:00Z"  # `valid_to` of an entity's newest version


def surrogate(natural: str, valid_from: str) -> Column:
    """The key of the entity's version that begins at `valid_from`."""
    return F.when(F.col(valid_from).isNull(), UNKNOWN).otherwise(F.xxhash64(natural, valid_from)).cast("bigint")


def date_key(time: str) -> Column:
    """The day as a number, yyyymmdd, in UTC."""
    day = F.col(time).cast("date")
    return (F.year(day) * 10_000 + F.month(day) * 100 + F.dayofmonth(day)).cast("bigint")
