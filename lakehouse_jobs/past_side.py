"""A side made of the past: every table at its snapshot, without the rows beyond the cut.

Only what has to be rewritten is: a file with rows on both sides of the cut. All other files are those of the live lake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot

from lakehouse_jobs import cut as cuts
from lakehouse_jobs import fences, sides
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.past import Past
from lakehouse_jobs.sides import Side
from lakehouse_jobs.tables import KPI_LOG
from topics.catalogue import STREAMS
from topics.contract import ORDINALS, Revisable, Stream

OF_TOPIC: dict[str, Stream] = {t.name: s for s in STREAMS for t in s.topics}


def make(side: Side, live: Mapping[str, Table], past: Past, tell: Callable[[str], object]) -> None:
    """Make the side. Where this fails half way the side exists and holds rows beyond the cut: drop it."""
    tell("metadata")
    sides.make(side, {name: rewound(table.metadata, past.snapshots[name]) for name, table in live.items()})
    for name, table in sides.tables(side.catalogue).items():
        if not name.startswith("gold.") or name == KPI_LOG.name:
            tell(name)
            take_out(name, table, past.limit)


def rewound(metadata: TableMetadata, snapshot: Snapshot | None, *, ancestors: bool = True) -> TableMetadata:
    """A table's metadata with that snapshot as the newest: it and, unless told otherwise, its ancestors; nothing else."""
    kept: list[Snapshot] = []
    here = snapshot
    while here is not None:
        kept.append(here)
        parent = here.parent_snapshot_id if ancestors else None
        here = metadata.snapshot_by_id(parent) if parent is not None else None
    known = {s.snapshot_id for s in kept}
    main = (
        {MAIN_BRANCH: metadata.refs[MAIN_BRANCH].model_copy(update={"snapshot_id": snapshot.snapshot_id})}
        if snapshot
        else {}
    )
    return metadata.model_copy(update={
        "last_sequence_number": getattr(metadata, "last_sequence_number", 0) if snapshot else 0,
        "current_snapshot_id": snapshot.snapshot_id if snapshot else None,
        "snapshots": kept[::-1],
        "snapshot_log": [e for e in metadata.snapshot_log if e.snapshot_id in known],
        "refs": main,
        "statistics": [s for s in metadata.statistics if s.snapshot_id in known],
        "partition_statistics": [s for s in metadata.partition_statistics if s.snapshot_id in known],
    })  # fmt: skip


def take_out(name: str, table: Table, limit: Fence) -> None:
    """Remove the rows beyond the limit, in a commit that carries the fence of what is left."""
    fence = fences.read(table)
    beyond = cuts.beyond(fence, limit)
    if not beyond:
        return
    rows = " or ".join(_rows(name, log, at) for log, at in beyond.items())
    table.delete(rows, snapshot_properties={fences.FENCE: fences.dump(cuts.lowered(fence, limit))})


def _rows(name: str, log: str, at: int) -> str:
    """The rows of one log beyond a position, as Iceberg's filters are written."""
    topic, partition = log.rsplit("/", 1)
    if name == KPI_LOG.name:
        return f"(kpi = '{topic}' and kpi_partition = {partition} and kpi_offset > {at})"
    if name.startswith("bronze."):
        return f"(partition = {partition} and offset > {at})"
    stream = OF_TOPIC[topic]
    if topic != stream.clean.name:  # tables that all streams share
        return f"(stream = '{stream.prefix}' and raw_partition = {partition} and raw_offset > {at})"
    revisable = issubclass(stream.clean_event, Revisable)
    beyond = f"cause_offset > {at // ORDINALS}" if revisable else f"raw_offset > {at}"
    return f"(raw_partition = {partition} and {beyond})"
