"""What a gold table is: its columns, its grain, what it is made from, and the pure function that makes it.

A table with a `window` is refreshed window by window: rows that are new in its sources say which windows changed, and only
those are computed again. A table without one is computed again as a whole whenever a source changed: for small tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from pyiceberg.schema import Schema
from pyspark.sql import Column, DataFrame

from topics.contract import DAY, HOUR, MINUTE, Reference, Revisable, Stream

NONE = dt.timedelta()


@dataclass(frozen=True)
class Source:
    """A table that a gold table is made from: a stream's silver table, or the gold table of that name.

    Of silver only the newest revision of each event is handed over. `rows` is applied to it first: it may take lists apart,
    so that `time`, which says what window a row belongs to, can be a field of an item. To a table with a window come the
    rows of the windows that changed, and those up to `before` and `after` them. A new row changes the window of its time;
    `changed` gives an array of moments instead, for one that changes several; `onward`: and all later ones.
    Reference data is handed over as a whole, and a version changes the windows from its `valid_from` on. A table that names
    itself as a source is handed its own rows from before the first window that changed.
    """

    reads: Stream | str
    time: str = ""
    rows: Callable[[DataFrame], DataFrame] | None = None
    before: dt.timedelta = NONE
    after: dt.timedelta = NONE
    changed: Callable[[], Column] | None = None
    onward: bool = False

    @property
    def table(self) -> str:
        """`namespace.name`."""
        return f"gold.{self.reads}" if isinstance(self.reads, str) else f"silver.{self.reads.table}"

    @property
    def column(self) -> str:
        """The column that says which window a row belongs to."""
        return self.time or ("window_start_at" if isinstance(self.reads, str) else "event_at")

    @property
    def is_reference(self) -> bool:
        return isinstance(self.reads, Reference)

    @property
    def moves(self) -> bool:
        """Whether a later revision of an event may belong to another window than the earlier one."""
        revisable = isinstance(self.reads, Stream) and issubclass(self.reads.clean_event, Revisable)
        return revisable and (self.rows is not None or self.column != "event_at")


@dataclass(frozen=True)
class GoldTable:
    """A gold table. `build` takes a DataFrame of each source, in their order, and returns rows of the table.

    With a `window` (it divides evenly into the table's partitions: hours, or days where it is a day) `build` gets the
    rows of whole windows and returns those windows' rows, their start in `window_start_at`.
    `every` is how often the sink looks whether there is something to do. `time` is the column that the table is partitioned
    by: the hour or day of windows, the year in tables that are written as a whole.
    """

    name: str
    sources: tuple[Source, ...]
    window: dt.timedelta | None
    schema: Schema
    build: Callable[..., DataFrame]
    key: tuple[str, ...]
    every: dt.timedelta | None = None
    time: str = "window_start_at"
    by: dt.timedelta | None = (
        None  # the time of a partition, where the window does not say it: few rows an hour lie by the day
    )
    by_arrival: bool = False  # it tells of lateness or positions: the same events in other partitions give other rows

    @property
    def partition(self) -> dt.timedelta:
        """How much time a partition has, of a table with a window."""
        return self.by or (HOUR if self.window is not None and self.window < DAY else DAY)

    @property
    def interval(self) -> dt.timedelta:
        """`every`, or what follows from the window: minutes move all the time, hours and days slowly, the rest more so."""
        if self.every is not None:
            return self.every
        if self.window is None:
            return 3 * MINUTE
        return NONE if self.window < HOUR else 2 * MINUTE
