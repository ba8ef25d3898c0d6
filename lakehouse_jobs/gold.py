"""Refreshing gold from silver: the windows that new rows touched are computed again, their partitions overwritten.

Each refresh pins one snapshot S of every silver table it reads; the fences of S say which records they hold. A gold table
remembers the fence it was last computed from (`riverhouse.as_of` in its snapshot); rows of S above that are new, and the
windows they fall in are computed again from S. The other windows of the same partitions are carried over as they stand.
Then the partitions are overwritten in one commit that sets as_of = F. So a refresh may be repeated, may fail half way, and
a late row or a revision corrects its window, however old. Tables without windows are computed again as a whole.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from pyiceberg.table import Table
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from lakehouse_jobs import fences, lake
from lakehouse_jobs.cadence import Cadence
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.gold_sources import Silver, prepared
from lakehouse_jobs.gold_table import GoldTable, Source
from lakehouse_jobs.gold_windows import EVER, RANGES_MAX, Range, whole, windows, within
from lakehouse_jobs.tables import GOLD_TABLES
from riverhouse import addresses, clock
from riverhouse.logs import logger
from riverhouse.settings import load
from topics.contract import MINUTE, Stream

log = logger(__name__)
USUAL_S = 15  # the interval between rounds that tables declare their own for
ROUND_S = 40  # of slow tables, after which a round begins no other …
FILLING_S = 90  # … or none that has never been filled
BY_NAME = {t.name: t for t in GOLD_TABLES}
Done = dict[str, float]


def keep(spark: SparkSession, stopping: threading.Event) -> None:
    """Refresh every `lake.gold_interval_s`, until told to stop or until a refresh fails."""
    spark.sparkContext.setLocalProperty("spark.scheduler.pool", "gold")
    interval = load().lake.gold_interval_s
    cadence = Cadence(GOLD_TABLES, interval / USUAL_S)
    pause = min(2.0, interval)
    while not stopping.wait(pause):
        began, looked = clock.monotonic(), list[GoldTable]()
        with lake.lock(lake.PINNED):
            done = refresh_all(spark, in_time(cadence, began, looked), stopping)
        cadence.looked(began, [t for t in looked if fences.read(_target(t), fences.AS_OF)])
        cadence.changed(done)
        took = clock.monotonic() - began
        if done:
            log.info("gold", seconds=done, took_s=round(took, 2))
        pause = max(interval - took, min(took, 2 * interval))  # others get their turn, however much there is to do


def in_time(cadence: Cadence, began: float, looked: list[GoldTable]) -> Iterator[GoldTable]:
    """The tables of a round that it has time for, noted in `looked` as they are taken: the slow ones may wait for the next."""
    slow_since = began
    for table in cadence.due(began):
        longest = ROUND_S if cadence.knows(table) else FILLING_S
        if not table.interval or clock.monotonic() - slow_since < longest:
            looked.append(table)
            yield table
        if not table.interval:
            slow_since = clock.monotonic()


def refresh_all(
    spark: SparkSession,
    which: Iterable[GoldTable] = GOLD_TABLES,
    stopping: threading.Event | None = None,
    *,
    anew: bool = False,
) -> Done:
    """Bring gold tables up to the newest snapshots of silver, in their order; of those that changed, the seconds taken.

    `anew`: compute every window again, whether anything changed or not.
    """
    refresh, done = Refresh(spark), Done()
    for table in which:
        if stopping and stopping.is_set():
            break
        began = clock.monotonic()
        if refresh.table(table, anew=anew):
            done[table.name] = round(clock.monotonic() - began, 2)
    return done


class Refresh:
    """One round over gold tables, all from the same snapshots of silver."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._pinned: dict[str, Silver] = {}

    def table(self, table: GoldTable, *, anew: bool = False) -> bool:
        """Bring one table up to its sources; False where nothing had changed."""
        fence, known = self._fence(table), fences.read(_target(table), fences.AS_OF)
        if not fence or (fence == known and not anew):
            return False
        if anew or not known or table.window is None:
            self._write(table, table.build(*(self._all(table, s) for s in table.sources)), F.expr("true"), fence)
            return True
        changed = self._changed(table, known)
        if changed:
            self._overwrite(table, changed, whole(changed, table.partition), fence)
        return bool(changed)

    def _overwrite(self, table: GoldTable, changed: list[Range], partitions: list[Range], fence: Fence) -> None:
        if len(changed) > RANGES_MAX:  # a filter of so many ranges costs more than whole partitions
            changed = partitions
        rows = table.build(*(self._some(table, s, changed) for s in table.sources))
        if any(s.before or s.after for s in table.sources):
            rows = rows.where(within(table.time, changed))
        if changed != partitions:
            others = within(table.time, partitions) & ~within(table.time, changed)
            rows = rows.unionByName(self._gold(table.name).where(others))
        self._write(table, rows, within(table.time, partitions), fence)

    def _write(self, table: GoldTable, rows: DataFrame, where: Column, fence: Fence) -> None:
        """Replace the rows `where` in one commit that carries the fence: also partitions that have become empty."""
        with lake.lock(f"gold.{table.name}"):
            write = rows.writeTo(f"{addresses.catalogue()}.gold.{table.name}")
            write.option(f"snapshot-property.{fences.AS_OF}", fences.dump(fence)).overwrite(where)

    def _changed(self, table: GoldTable, as_of: Fence) -> list[Range]:
        """The windows of `table` that rows above `as_of` changed; all of a table that has none."""
        if table.window is None:
            return [(0, EVER)]
        others = (s for s in table.sources if s.reads != table.name)
        return whole((r for s in others for r in self._touched(s, as_of)), table.window)

    def _touched(self, source: Source, as_of: Fence) -> list[Range]:
        """The times at which something changed in a source: of a gold table, in what that is made from."""
        if not isinstance(source.reads, Stream):
            return self._changed(BY_NAME[source.reads], as_of)
        times = self._silver(source.reads).times(source, fences.dump(as_of))
        if times and (source.onward or source.is_reference):
            return [(times[0], EVER)]
        return windows(times, MINUTE)

    def _fence(self, table: GoldTable) -> Fence:
        """How far the table's sources have come. LookupError where a source is not a table."""
        fence: Fence = {}
        for s in table.sources:
            if s.reads == table.name:
                continue
            fence = _earlier(
                fence, self._silver(s.reads).fence if isinstance(s.reads, Stream) else _state(s.reads, table)
            )
        return fence

    def _all(self, table: GoldTable, source: Source) -> DataFrame:
        if isinstance(source.reads, Stream):
            return self._silver(source.reads).read(source, None)
        rows = self._gold(source.reads)
        return prepared(source, rows.limit(0) if source.reads == table.name else rows)

    def _some(self, table: GoldTable, source: Source, changed: list[Range]) -> DataFrame:
        before, after = int(source.before.total_seconds()), int(source.after.total_seconds())
        wanted = [(a - before, min(EVER, b + after)) for a, b in changed]
        if source.reads == table.name:
            wanted = [(0, changed[0][0])]
        if isinstance(source.reads, Stream):
            return self._silver(source.reads).read(source, wanted)
        return prepared(source, self._gold(source.reads).where(within(source.column, wanted)))

    def _gold(self, name: str) -> DataFrame:
        return self.spark.table(f"{addresses.catalogue()}.gold.{name}")

    def _silver(self, stream: Stream) -> Silver:
        if stream.prefix not in self._pinned:
            self._pinned[stream.prefix] = Silver(self.spark, stream)
        return self._pinned[stream.prefix]


def _state(name: str, reader: GoldTable) -> Fence:
    """How far a gold table has come; for a reader that is written as a whole also which snapshot of it that is."""
    table = _target(BY_NAME[name])
    snapshot, as_of = table.current_snapshot(), fences.read(table, fences.AS_OF)
    return as_of | ({f"gold.{name}": snapshot.snapshot_id} if snapshot and reader.window is None else {})


def _earlier(one: Fence, other: Fence) -> Fence:
    """Of two sources that read the same log the one that has come less far: what is beyond it is new to their reader."""
    return one | {log: min(at, one.get(log, at)) for log, at in other.items()}


def _target(table: GoldTable) -> Table:
    return lake.catalog().load_table(f"gold.{table.name}")
