"""`riverhouse tables`: what the lake's tables are made of: rows, data files, manifests and snapshots.

A reader plans over manifests and files, a writer copies the list of snapshots; maintenance bounds all three (docs/performance.md).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pyiceberg.table import Table
from rich import table as text
from rich.console import Console

from lakehouse_jobs import lake
from lakehouse_jobs.compaction import SMALL_BYTES
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import all_tables


@dataclass(frozen=True)
class Shape:
    """A table's newest snapshot in numbers. `small`: data files that compaction would merge. Sizes in bytes."""

    rows: int
    files: int
    small: int
    bytes: int
    median_bytes: float
    manifests: int
    snapshots: int

    @classmethod
    def of(cls, table: Table) -> Self:
        snapshot = table.current_snapshot()
        if snapshot is None:
            return cls(0, 0, 0, 0, 0, 0, 0)
        files = [task.file for task in table.scan().plan_files()]
        sizes = [f.file_size_in_bytes for f in files]
        return cls(
            rows=sum(f.record_count for f in files),
            files=len(files),
            small=sum(size < SMALL_BYTES for size in sizes),
            bytes=sum(sizes),
            median_bytes=statistics.median(sizes) if sizes else 0,
            manifests=len(snapshot.manifests(table.io)),
            snapshots=len(table.snapshots()),
        )


def show(names: Iterable[str]) -> text.Table:
    """The tables of these names, a row each."""
    head = ("table", "rows", "files", "small", "MB", "median, kB", "manifests", "snapshots")
    shown = text.Table(
        head[0], *(text.Column(h, justify="right") for h in head[1:]), title="lake", title_justify="left"
    )
    for name in names:
        s = Shape.of(lake.catalog().load_table(name))
        sizes = f"{s.bytes / 1e6:,.1f}", f"{s.median_bytes / 1e3:,.0f}"
        shown.add_row(name, f"{s.rows:,}", f"{s.files:,}", f"{s.small:,}", *sizes, str(s.manifests), str(s.snapshots))
    return shown


def main(argv: list[str]) -> int:
    """`riverhouse tables [START]`: those whose names begin so. LakeError where none does."""
    parser = argparse.ArgumentParser(prog="riverhouse tables", description=__doc__)
    parser.add_argument("start", nargs="?", default="", help="of the names: silver, gold.dim")
    start: str = parser.parse_args(argv).start
    names = [spec.name for spec in all_tables() if spec.name.startswith(start)]
    if not names:
        known = ", ".join(lake.NAMESPACES)
        raise LakeError(f"no table's name begins with {start!r}", f"they are in {known}", "leave it out for all")
    Console(width=120).print(show(names))
    return 0
