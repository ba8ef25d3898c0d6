"""The lake as it was at a moment: the snapshots that were in force, the cut through them, and a side that holds it.

Iceberg's own history says which snapshot of each table was in force; the fences in the snapshots and Kafka's logs say how far
the tables had come; cut.py chooses. What becomes of it is a side (sides.py); the live lake is only read.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot

from lakehouse_jobs import cut as cuts
from lakehouse_jobs import fences, log_search, positions
from lakehouse_jobs.cut import Cut
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import DUPLICATES, GOLD_TABLES, KPI_LOG, QUARANTINE, stamps
from topics.contract import Stream

SHARED = (QUARANTINE.name, DUPLICATES.name, KPI_LOG.name)
BEYOND = """
select figures.kpi, kpi_partition, min(kpi_offset) - 1
from (select kpi, kpi_partition, kpi_offset, unnest(map_entries(as_of)) as reached from figures) as figures
join cut on figures.kpi = cut.kpi and reached.key = cut.raw_partition and reached.value > cut.raw_offset
group by 1, 2"""
CUT = pa.schema({"kpi": pa.string(), "raw_partition": pa.string(), "raw_offset": pa.int64()})


@dataclass
class Past:
    """Each table's snapshot (None: it was empty) that fits the cut, and the greatest positions that belong to it."""

    snapshots: dict[str, Snapshot | None]
    cut: Cut
    limit: Fence


def in_force(metadata: TableMetadata, at: dt.datetime) -> list[Snapshot]:
    """The snapshots that were in force until `at`, the newest first; none where the table was empty.

    LakeError where what was in force then has expired.
    """
    moment = int(at.timestamp() * 1000)
    log = [(e.timestamp_ms, metadata.snapshot_by_id(e.snapshot_id)) for e in metadata.snapshot_log]
    until = [snapshot for timestamp, snapshot in log if timestamp <= moment]
    began_empty = not until and (not log or _is_first(log[0][1]))
    known = list(itertools.takewhile(lambda s: s is not None, reversed(until)))
    if not known and not began_empty:
        raise _too_long_ago(metadata, [timestamp for timestamp, snapshot in log if snapshot])
    return [s for s in known if s]


def _is_first(snapshot: Snapshot | None) -> bool:
    """Whether a table had nothing before this snapshot: some tools cut the thread to an expired parent."""
    return snapshot is not None and snapshot.parent_snapshot_id is None and (snapshot.sequence_number or 0) <= 1


def _too_long_ago(metadata: TableMetadata, kept: Sequence[int]) -> LakeError:
    oldest = dt.datetime.fromtimestamp(kept[0] / 1000, dt.UTC).isoformat() if kept else "no moment"
    return LakeError(
        "that moment is too long ago",
        f"the oldest snapshot that {_name(metadata)} keeps came into force at {oldest}",
        "the setting lake.snapshots_kept_s says how long they are kept; older states are in backups: "
        "`riverhouse restore --from FOLDER`",
    )


def look(live: Mapping[str, Table], streams: Sequence[Stream], at: dt.datetime, wanted: Cut) -> Past:
    """The newest state of the tables not after `at`, nor beyond the cut `wanted`, in which they fit together."""
    history = {name: in_force(table.metadata, at) for name, table in live.items()}
    newest = {name: snapshots[0] if snapshots else None for name, snapshots in history.items()}
    if not any(newest.values()):
        raise LakeError("that moment is too long ago", f"the lake was empty at {at.isoformat()}", "take a later one")
    fed = {name for name, key in stamps().items() if key == fences.FENCE}
    taken = {n: fences.at(live[n].metadata, s.snapshot_id) if s else {} for n, s in newest.items() if n in fed}
    cut = cuts.overlap(_cut(streams, taken), wanted)
    past = Past(newest, cut, cuts.limits(streams, cut))
    past.limit |= _figures(live[KPI_LOG.name], newest[KPI_LOG.name], streams, cut)
    # Rather an earlier snapshot than rows taken out: compaction may have folded the figures before them away.
    past.snapshots[KPI_LOG.name] = (
        cuts.newest(history[KPI_LOG.name], lambda s: fences.at(live[KPI_LOG.name].metadata, s.snapshot_id), past.limit)
        or (newest[KPI_LOG.name])
    )
    for name in (f"gold.{t.name}" for t in GOLD_TABLES if f"gold.{t.name}" in live):
        past.snapshots[name] = _computed_within(name, live, history[name], past.limit)
        past.limit[name] = _sequence(past.snapshots[name])
    return past


def _cut(streams: Sequence[Stream], taken: Mapping[str, Fence]) -> Cut:
    """How far the tables have come together, of each stream."""
    everything: Fence = functools.reduce(lambda one, other: one | other, taken.values(), {})
    done = {s: positions.committed(s) for s in streams}
    topics = {s: (s.clean, s.duplicates, s.rejected) for s in streams}
    asked = {(t.name, p): everything.get(f"{t.name}/{p}", -1) for s in streams for t in topics[s] for p in done[s]}
    found = log_search.search(asked)
    cut: Cut = {}
    for stream in streams:
        following: dict[int, list[int]] = {p: [] for p in done[stream]}
        for topic, p in ((t.name, p) for t in topics[stream] for p in done[stream]):
            if (at := found[topic, p].found) is not None:
                following[p].append(cuts.cause(stream, topic, at))
        cut |= cuts.choose(stream, taken[f"bronze.{stream.table}"], done[stream], following)
    return cut


def _figures(log: Table, snapshot: Snapshot | None, streams: Sequence[Stream], cut: Cut) -> Fence:
    """The last offset of each KPI partition before the first figure that is true for more than the cut."""
    if snapshot is None:
        return {}
    columns = ("kpi", "kpi_partition", "kpi_offset", "as_of")
    rows = log.scan(snapshot_id=snapshot.snapshot_id, selected_fields=columns).to_arrow()
    reached = [
        (kpi.topic, at.rsplit("/", 1)[1], offset)
        for s in streams for kpi in s.kpis for at, offset in cut.items() if at.startswith(f"{s.raw.name}/")
    ]  # fmt: skip
    names = ("kpi", "raw_partition", "raw_offset")
    known = pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in reached], CUT)
    with contextlib.closing(duckdb.connect()) as connection:
        connection.register("figures", rows)
        connection.register("cut", known)
        return {f"{topic}/{p}": offset for topic, p, offset in connection.execute(BEYOND).fetchall()}


def _computed_within(
    name: str, live: Mapping[str, Table], history: Sequence[Snapshot], limit: Fence
) -> Snapshot | None:
    """The newest snapshot of a gold table that was computed from nothing beyond the limit; None: from nothing at all."""

    def as_of(snapshot: Snapshot) -> Fence:
        found = fences.at(live[name].metadata, snapshot.snapshot_id, fences.AS_OF)
        read = {t: live[t].metadata.snapshot_by_id(at) for t, at in found.items() if t in live}
        return found | {t: _sequence(s) for t, s in read.items()}  # an expired one is older than all that are kept

    chosen = cuts.newest(history, as_of, limit)
    if chosen is None and history and not _is_first(history[-1]):
        raise LakeError(
            f"{name} is ahead of the other tables at that moment",
            "the snapshot that would fit them has expired",
            "take a moment some seconds later; the setting lake.snapshots_kept_s says how long snapshots are kept",
        )
    return chosen


def _sequence(snapshot: Snapshot | None) -> int:
    """A number that grows with the snapshots of a table; -1 where there is none."""
    return -1 if snapshot is None else snapshot.sequence_number or 0


def _name(metadata: TableMetadata) -> str:
    return ".".join(metadata.location.rstrip("/").rsplit("/", 2)[-2:])
