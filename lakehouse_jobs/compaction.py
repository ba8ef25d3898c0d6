"""Merging small files: per partition, read to Arrow, sort, write one file, replace exactly those files in one commit.

Reading and writing happen outside the table's lock: only this module removes files from append-only tables, and where two
processes should do so at once, the one that commits first wins (`FencedTable.replace`). The fence is stamped again, so that
no reader has to walk past the commit.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, _dataframe_to_data_files
from pyiceberg.table import FileScanTask, Table

from lakehouse_jobs.tables import KPI_LOG, TableSpec
from lakehouse_jobs.writer import FencedTable

SMALL_BYTES = 16 << 20  # files below this are merged …
BIN_BYTES = 64 << 20  # … into files of at most this (compressed): what one merge holds in memory
FILES_MIN = 4  # fewer small files in a partition are left alone


@dataclass(frozen=True)
class Merged:
    """What a compaction did."""

    files_before: int = 0
    files_after: int = 0
    rows_before: int = 0
    rows_after: int = 0

    def __add__(self, other: Merged) -> Merged:
        return Merged(*(getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__))


def compact(spec: TableSpec, target: FencedTable, stop: Callable[[], bool] = lambda: False) -> Merged:
    """Merge the small files of an append-only table, a commit for each bin."""
    table = target.fresh()
    total = Merged()
    for tasks in bins(list(table.scan().plan_files())):
        if stop():
            break
        total += _merge(spec, table, target, tasks)
    return total


def bins(tasks: list[FileScanTask]) -> Iterator[list[FileScanTask]]:
    """The small files of each partition, in bins of at most BIN_BYTES."""
    by_partition: dict[Any, list[FileScanTask]] = collections.defaultdict(list)
    for task in tasks:
        if task.file.file_size_in_bytes < SMALL_BYTES:
            by_partition[task.file.partition].append(task)
    for small in by_partition.values():
        room, chosen = BIN_BYTES, list[FileScanTask]()
        for task in sorted(small, key=lambda t: t.file.file_path) if len(small) >= FILES_MIN else ():
            if room < task.file.file_size_in_bytes:
                yield chosen
                room, chosen = BIN_BYTES, []
            chosen.append(task)
            room -= task.file.file_size_in_bytes
        if len(chosen) > 1:
            yield chosen


def _merge(spec: TableSpec, table: Table, target: FencedTable, tasks: list[FileScanTask]) -> Merged:
    before = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table(tasks)
    after = before.sort_by([(c, "ascending") for c in spec.order])
    if spec.name == KPI_LOG.name:
        after = newest_revisions(after)
    files = list(_dataframe_to_data_files(table.metadata, after, table.io))
    if not target.replace([t.file for t in tasks], files):
        return Merged()
    return Merged(len(tasks), len(files), before.num_rows, after.num_rows)


def newest_revisions(log: pa.Table) -> pa.Table:
    """The KPI log without the rows that a newer revision of the same figure in it supersedes."""
    if not log.num_rows:
        return log
    kpi, dimensions = (pc.dictionary_encode(c).combine_chunks().indices.to_numpy() for c in (log["kpi"], _joined(log)))
    window = log["window_start_at"].cast(pa.int64()).to_numpy()
    order = np.lexsort((log["kpi_offset"].to_numpy(), log["revision"].to_numpy(), dimensions, window, kpi))
    newest = np.ones(len(order), dtype=bool)
    newest[:-1] = False
    for key in (kpi, window, dimensions):
        newest[:-1] |= key[order][1:] != key[order][:-1]
    return log.take(pa.array(order[newest]))


def _joined(log: pa.Table) -> pa.ChunkedArray:
    """Each row's dimensions as one string of their values; a KPI's records name the dimensions in one order."""
    maps = log["dimensions"].combine_chunks()
    values = pa.ListArray.from_arrays(maps.offsets, maps.items.cast(pa.string()))
    return pa.chunked_array([pc.binary_join(values, "\x1f")])
