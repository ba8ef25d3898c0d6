"""What gold is computed from, as it stands at one moment: pinned snapshots of silver, and what is new in them.

A snapshot of silver carries its fence, so rows above the fence that a gold table was last computed from are the new ones.
"""

from __future__ import annotations

import functools

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs import fences, lake
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.gold_table import Source
from lakehouse_jobs.gold_windows import Range, within
from riverhouse import addresses
from topics.contract import ORDINALS, Revisable, Stream

IDENTITY = ("raw_partition", "raw_offset")
MINUTE_S = 60


class Silver:
    """One snapshot of a stream's silver table, with its fence; empty while nothing has been written."""

    def __init__(self, spark: SparkSession, stream: Stream) -> None:
        table = lake.catalog().load_table(f"silver.{stream.table}")
        snapshot = table.current_snapshot()
        self.stream, self.fence = stream, fences.read(table)
        pinned = spark.read.option("versionAsOf", str(snapshot.snapshot_id)) if snapshot else spark.read
        self.rows = pinned.table(f"{addresses.catalogue()}.silver.{stream.table}")
        self._table, self._snapshot = table, snapshot
        self.times = functools.cache(self._times)
        self._times_of_events = functools.cache(self._find_times_of_events)

    def read(self, source: Source, ranges: list[Range] | None) -> DataFrame:
        """The source's rows in force; of those ranges of its time, or all."""
        if ranges is None or source.is_reference:
            return prepared(source, in_force(self.stream, self.rows))
        if source.column == "event_at":  # which no revision changes: filtered before anything else
            return prepared(source, in_force(self.stream, self.rows.where(within("event_at", ranges))))
        return prepared(source, in_force(self.stream, self.rows)).where(within(source.column, ranges))

    def _times(self, source: Source, as_of: str) -> list[int]:
        """The minutes that rows above the fence `as_of` fall into, or fell into before they were revised."""
        if source.column == "event_at" and not source.changed:
            return self._times_of_events(as_of)
        new = self.rows.where(above(fences.load(as_of), self.stream))
        times, revised = _minutes(source, new)
        if revised and source.moves:
            earlier = new.where("revision > 0").select(*IDENTITY).distinct()
            times |= _minutes(source, self.rows.join(F.broadcast(earlier), [*IDENTITY], "left_semi"))[0]
        return sorted(times)

    def _find_times_of_events(self, as_of: str) -> list[int]:
        """The minutes of the events above a fence: of their own time, which no revision changes.

        Many tables ask for them, and rows are few. The statistics of the files find them without Spark, whose planning costs more.
        """
        if self._snapshot is None:
            return []
        revisable = issubclass(self.stream.clean_event, Revisable)
        fence = _own(fences.load(as_of), self.stream)
        places = ("cause_offset", "cause_ordinal") if revisable else ("raw_offset",)
        found = self._table.scan(
            row_filter=_maybe_above(fence, revisable), selected_fields=("event_at", "raw_partition", *places),
            snapshot_id=self._snapshot.snapshot_id,
        ).to_arrow()  # fmt: skip
        first, *ordinal = (found[name].to_numpy() for name in places)
        position = first * ORDINALS + ordinal[0] if revisable else first
        partition = found["raw_partition"].to_numpy()
        new = np.ones(len(partition), bool)
        for p, at in fence.items():
            new &= (partition != p) | (position > at)
        micros = found["event_at"].to_numpy()[new].astype("datetime64[us]").astype(np.int64)
        return [int(minute) * MINUTE_S for minute in np.unique(micros // (MINUTE_S * 1_000_000))]


def _minutes(source: Source, rows: DataFrame) -> tuple[set[int], bool]:
    """The minutes of the rows' times (every window is whole minutes), and whether a revision is among them."""
    revised = F.expr("revision > 0") if source.moves else F.expr("false")
    taken = prepared(source, rows.withColumn("_revised", revised))
    kept = F.col("_revised") if "_revised" in taken.columns else F.expr("true")
    moments = F.explode(source.changed()) if source.changed else F.col(source.column)
    minute = (F.floor(F.unix_seconds("t") / MINUTE_S) * MINUTE_S).alias("minute")
    found = taken.select(moments.alias("t"), kept.alias("revised")).where("t is not null").select(minute, "revised")
    minutes = found.distinct().collect()
    return {m["minute"] for m in minutes}, any(m["revised"] for m in minutes)


def prepared(source: Source, rows: DataFrame) -> DataFrame:
    """The rows as the source hands them over."""
    return source.rows(rows) if source.rows else rows


def in_force(stream: Stream, rows: DataFrame) -> DataFrame:
    """The newest revision of each event. Revisions are few: the newest of them are broadcast to the rows."""
    if not issubclass(stream.clean_event, Revisable):
        return rows
    newest = rows.where("revision > 0").groupBy(*IDENTITY).agg(F.max(position(stream)).alias("_newest"))
    joined = rows.join(F.broadcast(newest), [*IDENTITY], "left")
    return joined.where(F.col("_newest").isNull() | (position(stream) == F.col("_newest"))).select(*rows.columns)


def position(stream: Stream) -> Column:
    """`topics.contract.position` of a clean row."""
    if issubclass(stream.clean_event, Revisable):
        return F.col("cause_offset") * F.lit(ORDINALS) + F.col("cause_ordinal")
    return F.col("raw_offset")


def above(fence: Fence, stream: Stream) -> Column:
    """Rows beyond the fence of their raw partition; all rows of a partition that it does not name."""
    known = _own(fence, stream)
    partition = F.col("raw_partition")
    conditions = [(partition == p) & _beyond(stream, at) for p, at in known.items()]
    return functools.reduce(Column.__or__, conditions, ~partition.isin(list(known)) if known else F.expr("true"))


def _beyond(stream: Stream, at: int) -> Column:
    if not issubclass(stream.clean_event, Revisable):
        return F.col("raw_offset") > at
    return (F.col("cause_offset") >= at // ORDINALS) & (position(stream) > at)  # the first is what statistics know of


def _own(fence: Fence, stream: Stream) -> dict[int, int]:
    """Raw partition → what a fence says of it in the stream's clean topic."""
    own = {log: at for log, at in fence.items() if log.startswith(f"{stream.clean.name}/")}
    return {int(log.rsplit("/", 1)[1]): at for log, at in own.items()}


def _maybe_above(known: dict[int, int], revisable: bool) -> str:
    """A filter that lets files be left out that hold nothing above a fence."""
    column = "cause_offset >= " if revisable else "raw_offset > "
    each = [f"(raw_partition = {p} and {column}{at // ORDINALS if revisable else at})" for p, at in known.items()]
    # The partitions that it does not name, as ranges: of `not in`, statistics know nothing, and every file would be read.
    beyond = max(known, default=-1) + 1
    others = [f"raw_partition = {p}" for p in range(beyond) if p not in known]
    return " or ".join([*each, *others, f"raw_partition >= {beyond}"])
