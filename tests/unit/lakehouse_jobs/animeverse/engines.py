"""One set of rows in two engines: Spark computes, DuckDB says what it should have computed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from tests.unit.lakehouse_jobs.frames import answer

Row = tuple[Any, ...]


class Tables(dict[str, pa.Table]):
    """Source rows by table name."""

    def frames(self, session: SparkSession, *names: str) -> list[DataFrame]:
        return [session.createDataFrame(self[n]) for n in names]

    def query(self, sql: str) -> list[Row]:
        """DuckDB's answer, over the tables by their names."""
        return [tuple(map(plain, r)) for r in answer(sql, **self)]


def collected(frame: DataFrame, columns: Sequence[str]) -> list[Row]:
    """Rows of a Spark frame, its times as UTC."""
    table = frame.select(*columns).toArrow()
    return [tuple(map(plain, r.values())) for r in table.to_pylist()]


def plain(value: Any) -> Any:
    """What both engines agree to call a value: UTC times, floats to 12 significant digits."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC)
    if isinstance(value, float) and value:
        return round(value, 11 - math.floor(math.log10(abs(value))))
    return value


def assert_same(found: list[Row], expected: list[Row]) -> None:
    """The same rows, in whatever order."""
    assert len(expected) > 0
    assert sorted(found, key=repr) == sorted(expected, key=repr)
