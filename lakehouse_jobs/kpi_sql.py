"""A KPI declaration as a Spark aggregation with the fold's exact arithmetic, so that live and gold agree bit for bit.

Fractions are summed as integers of a fixed number of decimal places (order changes nothing, no rounding creeps in), and
a mean is one division of two exact integers, as in `processors`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, LongType, StringType, TimestamptzType
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812 - Spark's own habit
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.schema import column, numbered
from topics.contract import Count, Distinct, Each, Kpi, Mean, Measure, Ratio, Stream, Total


def mirror(kpi: Kpi, stream: Stream, by: dt.timedelta | None = None) -> GoldTable:
    """The gold table that holds the same figures as the KPI, computed from silver.

    A figure whose events all moved away shows zeros live and has no row here.
    """
    source = Source(stream, time="" if kpi.at == "event_at" else kpi.at, rows=items(kpi) if kpi.each else None)
    key = (*kpi.dimensions, "window_start_at")
    return GoldTable(kpi.name, (source,), kpi.window, schema(kpi), lambda rows: aggregate(kpi, rows), key, by=by)


def schema(kpi: Kpi) -> Schema:
    """Dimensions, window, measures: the KPI's columns without what only the live figure has."""
    kinds = {int: LongType(), float: DoubleType(), str: StringType(), dt.datetime: TimestamptzType()}
    live_only = {"as_of", "revision", "final"}
    fields = {n: t for n, t in kpi.value.__annotations__.items() if n not in live_only}
    return numbered(column(n, kinds[t]) for n, t in fields.items())


def items(kpi: Kpi) -> Callable[[DataFrame], DataFrame]:
    """Clean events taken apart: a row for each item of `kpi.each`, its fields in the place of the event's of that name."""

    def rows(clean: DataFrame) -> DataFrame:
        kind: Any = clean.schema[kpi.each].dataType
        fields = kind.elementType.names
        kept = [c for c in clean.columns if c != kpi.each and c not in fields]
        return clean.select(*kept, F.explode(kpi.each).alias("item")).select(*kept, *(f"item.{f}" for f in fields))

    return rows


def aggregate(kpi: Kpi, rows: DataFrame) -> DataFrame:
    """The KPI over clean events, or over their items: one row for each window and combination of dimensions."""
    for d in kpi.by:
        if isinstance(d, Each):  # an event counts once for each different item
            rows = rows.withColumn(d.name, F.explode(F.array_distinct(F.col(d.of))))
    keys = [F.col(d) for d in kpi.dimensions]
    cells = rows.groupBy(*keys, *window(kpi.window, kpi.at)).agg(*(measure(m).alias(m.name) for m in kpi.measures))
    return cells.select(*schema(kpi).column_names)


def window(length: dt.timedelta, time: str = "event_at") -> tuple[Column, Column]:
    """`window_start_at` and `window_end_at` of a row: tumbling windows counted from the epoch, in UTC."""
    seconds = int(length.total_seconds())
    start = F.floor(F.unix_seconds(F.col(time)) / F.lit(seconds)) * F.lit(seconds)
    return F.timestamp_seconds(start).alias("window_start_at"), F.timestamp_seconds(start + seconds).alias(
        "window_end_at"
    )


def measure(m: Measure) -> Column:
    """One measure as an aggregate, with exact arithmetic."""
    if isinstance(m, Count):
        return F.count(F.lit(1))
    if isinstance(m, Distinct):
        return F.countDistinct(F.col(m.of))
    if isinstance(m, Ratio):
        return F.coalesce(F.try_divide(F.sum(m.of), F.sum(m.per)), F.lit(0.0))
    scaled = F.sum(integer(m))
    if isinstance(m, Mean):
        return scaled / (F.count(F.lit(1)) * F.lit(10**m.digits))
    return scaled / F.lit(10**m.digits) if m.digits else scaled


def integer(m: Total | Mean) -> Column:
    """The field as an integer of `digits` decimal places; rint rounds halves to even, as Python does."""
    field = F.col(m.of)
    return F.rint(field * F.lit(float(10**m.digits))).cast("bigint") if m.digits else field.cast("bigint")


def typed(rows: DataFrame, wanted: Schema) -> DataFrame:
    """The schema's columns of the rows, in its order and of its types."""
    return rows.select(*(F.col(f.name).cast(f.dataType).alias(f.name) for f in spark_schema(wanted).fields))


def spark_schema(wanted: Schema) -> StructType:
    """The schema as Spark calls it."""
    kinds: Any = from_arrow_schema(schema_to_pyarrow(wanted, include_field_ids=False))
    return StructType(list(kinds.fields))
