"""Refreshing gold from silver: the windows that new rows touched are computed again, their partitions overwritten.

Each refresh pins one snapshot S of silver, whose fence F says which raw offsets it holds. A gold table remembers the fence
it was last computed from (`riverhouse.as_of` in its snapshot); rows of S above that are new, and the windows they fall in
are computed again from S. The other windows of the same partitions are carried over as they stand. Then the partitions
are overwritten in one commit that sets as_of = F. So a refresh may be repeated, may fail half way, and a late row
revises its window, however old.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import threading
from collections.abc import Iterable, Sequence

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs import background, fences, lake
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.gold_table import GoldTable
from lakehouse_jobs.tables import GOLD_TABLES
from riverhouse import addresses, clock
from riverhouse.logs import logger
from riverhouse.settings import load
from topics.contract import DAY, HOUR, Stream

log = logger(__name__)
RANGES_MAX = 32


def start(spark: SparkSession, stopping: threading.Event) -> threading.Thread:
    """Refresh every `lake.gold_interval_s` in a thread of its own, until told to stop or until a refresh fails."""

    def loop() -> None:
        spark.sparkContext.setLocalProperty("spark.scheduler.pool", "gold")
        interval = load().lake.gold_interval_s
        pause = min(2.0, interval)
        for cycle in itertools.count():
            if stopping.wait(pause):
                return
            began = clock.monotonic()
            with lake.lock(lake.PINNED):
                done = refresh_all(spark, due(cycle), stopping)
            took = clock.monotonic() - began
            if done:
                log.info("gold", windows_and_seconds=done, took_s=round(took, 2))
            pause = max(interval - took, min(2 * took, interval))  # the sink gets its turn, however much there is to do

    return background.start(loop, "gold", stopping)


def due(cycle: int) -> tuple[GoldTable, ...]:
    """The tables to refresh in a cycle: those of an hour and longer in every fourth, as their figures move slowly."""
    return tuple(t for t in GOLD_TABLES if t.window < HOUR or cycle % 4 == 0)


def refresh_all(
    spark: SparkSession, which: Sequence[GoldTable] = GOLD_TABLES, stopping: threading.Event | None = None
) -> dict[str, tuple[int, float]]:
    """Bring gold tables up to the newest snapshot of silver; of each, the windows computed again and the seconds taken."""
    done: dict[str, tuple[int, float]] = {}
    for stream in dict.fromkeys(t.stream for t in which):
        silver = Silver.pin(spark, stream)
        for table in (t for t in which if t.stream is stream):
            if silver is None or (stopping and stopping.is_set()):
                break
            began = clock.monotonic()
            if count := refresh(spark, table, silver):
                done[table.name] = (count, round(clock.monotonic() - began, 2))
    return done


class Silver:
    """One snapshot of a stream's silver table, with its fence."""

    def __init__(self, spark: SparkSession, stream: Stream, snapshot_id: int, fence: Fence) -> None:
        self.stream, self.fence = stream, fence
        name = f"{addresses.CATALOG}.silver.{stream.table}"
        self.rows = spark.read.option("versionAsOf", str(snapshot_id)).table(name)
        self.touched = functools.cache(self._touched)

    @classmethod
    def pin(cls, spark: SparkSession, stream: Stream) -> Silver | None:
        """Silver as it is now; None while it is empty."""
        table = lake.catalog().load_table(f"silver.{stream.table}")
        snapshot = table.current_snapshot()
        fence = fences.read(table)
        return cls(spark, stream, snapshot.snapshot_id, fence) if snapshot and fence else None

    def _touched(self, as_of: str) -> list[int]:
        """The minutes (seconds since the epoch) that hold rows above the fence `as_of` (every window is whole minutes); file statistics prune the rest."""
        minute = F.floor(F.unix_seconds("event_at") / 60) * 60
        new = self.rows.where(above(fences.load(as_of), self.stream)).select(minute.alias("minute")).distinct()
        return sorted(r["minute"] for r in new.collect())


def above(fence: Fence, stream: Stream) -> Column:
    """Rows whose raw offset is beyond the fence of their raw partition; all rows of a partition that it does not name."""
    known = {
        int(log.rsplit("/", 1)[1]): offset for log, offset in fence.items() if log.startswith(f"{stream.clean.name}/")
    }
    partition, offset = F.col("raw_partition"), F.col("raw_offset")
    conditions = [(partition == p) & (offset > o) for p, o in known.items()]
    return functools.reduce(Column.__or__, conditions, ~partition.isin(list(known)) if known else F.expr("true"))


def refresh(spark: SparkSession, table: GoldTable, silver: Silver) -> int:
    """Compute again the windows of `table` that changed since its last refresh; how many there were."""
    name = f"gold.{table.name}"
    target = lake.catalog().load_table(name)
    as_of = fences.read(target, fences.AS_OF)
    if as_of == silver.fence:
        return 0
    windows = starts(silver.touched(fences.dump(as_of)), table.window)
    if not windows:
        return 0
    length, partition = table.window, DAY if table.by_day else HOUR
    partitions = starts(windows, partition)
    if (
        len(ranges(windows, length)) > RANGES_MAX
    ):  # scattered: a filter of so many ranges costs more than whole partitions
        windows, length = partitions, partition
    source = silver.rows if table.source is None else spark.table(f"{addresses.CATALOG}.{table.reads}")
    rows = table.build(source.where(within(table.time, windows, length)))
    if length < partition:
        others = within("window_start_at", partitions, partition) & ~within("window_start_at", windows, length)
        rows = rows.unionByName(spark.table(f"{addresses.CATALOG}.{name}").where(others))
    with lake.lock(name):
        as_of_property = f"snapshot-property.{fences.AS_OF}"
        write = rows.writeTo(f"{addresses.CATALOG}.{name}").option(as_of_property, fences.dump(silver.fence))
        write.overwritePartitions()
    return len(windows)


def starts(times: Iterable[int], window: dt.timedelta) -> list[int]:
    """The starts of the windows that the times (seconds since the epoch) fall into."""
    length = int(window.total_seconds())
    return sorted({t // length * length for t in times})


def within(column: str, windows: list[int], length: dt.timedelta) -> Column:
    """The rows whose time falls into one of the windows."""
    conditions = [(F.col(column) >= _time(a)) & (F.col(column) < _time(b)) for a, b in ranges(windows, length)]
    return functools.reduce(Column.__or__, conditions, F.expr("false"))


def ranges(windows: list[int], length: dt.timedelta) -> list[tuple[int, int]]:
    """Sorted window starts as half-open ranges, adjacent ones joined, so that statistics prune."""
    joined: list[tuple[int, int]] = []
    for start in windows:
        end = start + int(length.total_seconds())
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _time(seconds: int) -> Column:
    return F.timestamp_seconds(F.lit(seconds))
