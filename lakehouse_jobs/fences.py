"""Fences: how far a table has read each log, kept in the summary of the snapshot that holds the data.

A fence is a mapping {"topic/partition": greatest position kept}. For bronze and the KPI log a position is the Kafka offset;
for clean, duplicates and rejected it is the raw offset of the raw partition, so that what the processors publish again
after a crash is dropped as well. A row at or below the fence is in the table already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata

FENCE: Final = "riverhouse.fence"
AS_OF: Final = "riverhouse.as_of"  # of a gold table: the fence of the silver snapshot that it was computed from
Fence = dict[str, int]


def advance(
    fence: Mapping[str, int], logs: Sequence[str], positions: Sequence[int]
) -> tuple[npt.NDArray[np.bool_], Fence]:
    """Which rows are new, and the fence after them.

    `logs` names each row's log ("topic/partition"), `positions` its place there; rows of one log come in the log's order.
    A row is kept where its position exceeds all before it and the fence: repeats inside the batch go, too.
    """
    keep = np.zeros(len(positions), dtype=bool)
    names = np.asarray(logs, dtype=object)
    places = np.asarray(positions, dtype=np.int64)
    after = dict(fence)
    for log in dict.fromkeys(logs):
        rows = np.flatnonzero(names == log)
        reached = np.maximum.accumulate(np.concatenate(([after.get(log, -1)], places[rows])))
        keep[rows] = places[rows] > reached[:-1]
        after[log] = int(reached[-1])
    return keep, after


def read(table: Table, key: str = FENCE) -> Fence:
    """The table's fence at its newest snapshot; empty where nothing has been written."""
    snapshot = table.current_snapshot()
    return at(table.metadata, snapshot.snapshot_id, key) if snapshot else {}


def at(metadata: TableMetadata, snapshot_id: int, key: str = FENCE) -> Fence:
    """The fence in force at a snapshot: its own, or the nearest parent's (compaction by another tool leaves none).

    LookupError where the walk reaches an expired parent: an empty fence would let rows in twice.
    """
    here: int | None = snapshot_id
    while here is not None:
        snapshot = metadata.snapshot_by_id(here)
        if snapshot is None:
            raise LookupError(f"{metadata.location}: snapshot {here} has expired and no newer one carries {key}")
        if snapshot.summary and key in snapshot.summary.additional_properties:
            return load(snapshot.summary.additional_properties[key])
        here = snapshot.parent_snapshot_id
    return {}


def dump(fence: Mapping[str, int]) -> str:
    """A fence as it stands in a snapshot's summary."""
    return json.dumps(dict(sorted(fence.items())), separators=(",", ":"))


def load(text: str) -> Fence:
    """The inverse of `dump`."""
    return {str(k): int(v) for k, v in json.loads(text).items()}
