"""A longer past for AnimeVerse: `python -m benchmarks.longer --times 20 --density 10`, on a lake that is thrown away afterwards.

What the lake holds of its time is repeated before it, `--times` times, each copy the whole span earlier: clean events, the tables by the
minute, hour and day, and the live KPIs' log. `--density` copies stand at the same time, of events, of receipts' lines and of tickets; the
tables by time, and what has a row for each item or customer and day, do not grow with sales. Written straight to Parquet, sorted as
compaction sorts. The dimensions, and the tables that are made as a whole, stay as they are: a copy's keys are theirs. So the rows are no
other history, but as many as one would have, in as many partitions and files.

The sink should not run: it would refresh gold from it all. Then: `python -m benchmarks.queries --only "cinema|cross|customers|executive|inventory|reviews"`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import click
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from rich.console import Console
from rich.progress import track

from benchmarks import history
from lakehouse_jobs import lake, tables
from lakehouse_jobs.animeverse import GOLD_TABLES
from riverhouse import clock
from topics.catalogue import STREAMS
from topics.contract import DAY, Reference

BUSINESS = "animeverse"


@dataclass(frozen=True)
class Repeated:
    """A table that is made longer: the column that says when its rows are, their order in a file, and whether sales make them more."""

    name: str
    time: str
    order: tuple[str, ...]
    grows: bool


def repeated() -> Iterator[Repeated]:
    """What is repeated, in the order in which data reaches it."""
    for stream in STREAMS:
        if stream.domain == BUSINESS and not isinstance(stream, Reference):
            spec = tables.silver(stream)
            yield Repeated(spec.name, "event_at", spec.order, grows=True)
    yield Repeated(tables.KPI_LOG.name, "window_start_at", tables.KPI_LOG.order, grows=False)
    for table in GOLD_TABLES:
        if table.window is not None:
            grows = table.name.startswith("fact_") and table.window < DAY
            yield Repeated(f"gold.{table.name}", table.time, (table.time,), grows)


def earlier(rows: pa.Table, by: dt.timedelta) -> pa.Table:
    """The rows with every moment and day of theirs moved back."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(i, field, pc.subtract(rows[i], pa.scalar(by, pa.duration("us"))).cast(field.type))
        elif pa.types.is_date(field.type):
            rows = rows.set_column(i, field, pc.subtract(rows[i].cast(pa.timestamp("us")), pa.scalar(by, pa.duration("us"))).cast(field.type))  # fmt: skip
    return rows


def of_business(name: str) -> pa.Table:
    """The table's rows of AnimeVerse."""
    table = lake.catalog().load_table(name)
    scan = table.scan(f"kpi like '{BUSINESS}.%'") if name == tables.KPI_LOG.name else table.scan()
    return scan.to_arrow()


def span_of(rows: pa.Table, time: str) -> dt.timedelta:
    """How far a copy must be moved to stand before its original: whole days, so that hours and days stay what they are."""
    bounds = pc.min_max(rows[time]).as_py()
    whole_days: int = (bounds["max"] - bounds["min"]) // DAY + 1
    return whole_days * DAY


def lengthen(what: Repeated, rows: pa.Table, span: dt.timedelta, times: int, density: int) -> tuple[int, int, float]:
    """Add the copies of one table's rows; rows, files and bytes that it has gained."""
    table = lake.catalog().load_table(what.name)
    ordered = pa.concat_tables([rows] * (density if what.grows else 1)).sort_by([(c, "ascending") for c in what.order])
    files: list[DataFile] = []
    for back in range(1, times + 1):
        files += _dataframe_to_data_files(table.metadata, earlier(ordered, back * span), table.io)
    history.add(table, files, {})
    return sum(f.record_count for f in files), len(files), sum(f.file_size_in_bytes for f in files)


@click.command()
@click.option("--times", default=20, show_default=True, help="copies, one before the other")
@click.option("--density", default=10, show_default=True, help="of each event and fact, at the same time")
def main(times: int, density: int) -> None:
    """Give the running stack's lake a longer past of AnimeVerse."""
    began = clock.monotonic()
    found = {what: of_business(what.name) for what in repeated()}
    empty = [what.name for what, rows in found.items() if not rows.num_rows]
    if empty:
        raise click.ClickException(f"These are empty: {', '.join(empty)}. Let the stack run until gold is filled.")
    span = max(span_of(rows, what.time) for what, rows in found.items() if what.name.startswith("gold.sales"))
    for what, rows in track(found.items(), "repeating", console=Console(stderr=True), transient=True):
        gained, files, size = lengthen(what, rows, span, times, density)
        print(f"{what.name:38} {gained:>13,} rows {files:>6,} files {size / 1e6:>10,.1f} MB")
    print(f"{times} times {span.days} days before what there was, in {clock.monotonic() - began:,.0f} s")


if __name__ == "__main__":
    main()
