"""What a gold table is: its columns, its grain, and the pure function that makes it from silver (or from another gold table)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from pyiceberg.schema import Schema
from pyspark.sql import DataFrame

from topics.contract import DAY, Stream


@dataclass(frozen=True)
class GoldTable:
    """A gold table. `build` takes rows of whole windows of the source and returns those windows' rows of the table.

    `window` is the grain in time: a multiple divides evenly into the table's partitions (hours, or days where the window is
    a day). `source` is the gold table it is made from; None means the stream's silver table.
    """

    name: str
    stream: Stream
    window: dt.timedelta
    schema: Schema
    build: Callable[[DataFrame], DataFrame]
    source: str | None = None

    @property
    def by_day(self) -> bool:
        """Partitioned by day; else by hour."""
        return self.window >= DAY

    @property
    def reads(self) -> str:
        """The table it is made from, `namespace.name`."""
        return f"gold.{self.source}" if self.source else f"silver.{self.stream.table}"

    @property
    def time(self) -> str:
        """The column of `reads` that says which window a row belongs to."""
        return "window_start_at" if self.source else "event_at"
