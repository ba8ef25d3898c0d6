"""A long past for the tweets, straight to Parquet: `python -m benchmarks.history --help`, into a lake that has none yet.

A hundred million tweets through broker, worker and sink take hours; here a day is made as columns and written as compaction
writes it (partition, order within a file, file size, zstd), and what gold and the KPI log would hold of it with it. Each table gets
one commit at the end, so that a run that is broken off leaves the lake as it was (and files that nobody knows of).

The past lies before the log: its positions are negative, silver gets no fence, and gold is as of the log's beginning. A stack
that is started on it afterwards reads its topics from their beginning and refreshes what is new.
"""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import click
import numpy as np
import pyarrow as pa
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.past_figures import Figures
from benchmarks.past_tweets import DAY_S, Past
from lakehouse_jobs import fences, lake, tables
from lakehouse_jobs.tweets import GOLD_TABLES
from producers.places import Floats, history
from riverhouse import clock
from riverhouse.settings import load
from topics.tweets import TWEETS

SAMPLE = 60_000  # of a day's tweets go through world and processor; the others say what one of these says
ROWS_A_FILE = 1_000_000  # of silver: 59 MB, about what a merge makes (compaction.BIN_BYTES)
DAY_MAX = 8_000_000  # a day is in memory, at 380 bytes a tweet
SILVER = tables.silver(TWEETS)
FILLED = (SILVER.name, tables.KPI_LOG.name, *(f"gold.{t.name}" for t in GOLD_TABLES))


def add(table: Table, files: Iterable[DataFile], stamps: Mapping[str, str]) -> None:
    """Make data files part of a table, in one commit with these properties."""
    with (
        table.transaction() as transaction,
        transaction.update_snapshot(snapshot_properties=dict(stamps)).fast_append() as snapshot,
    ):
        for file in files:
            snapshot.append_data_file(file)


class Files:
    """Data files of the tables that are filled, written as they come; `commit` makes them part of the tables."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {name: lake.catalog().load_table(name) for name in FILLED}
        self._orders = {spec.name: spec.order for spec in tables.all_tables()}
        self._written: dict[str, list[DataFile]] = collections.defaultdict(list)

    def write(self, name: str, rows: pa.Table) -> None:
        """Files of some rows of a table, one for each of its partitions."""
        ordered = rows if name == SILVER.name else rows.sort_by([(c, "ascending") for c in self._orders[name]])
        table = self.tables[name]
        self._written[name] += _dataframe_to_data_files(table.metadata, ordered, table.io)

    def commit(self, stamps: Mapping[str, Mapping[str, str]]) -> None:
        """One commit for each table, with its properties."""
        for name, files in self._written.items():
            add(self.tables[name], files, stamps.get(name, {}))

    def sizes(self) -> dict[str, tuple[int, int, int]]:
        """Of each table: rows, files, bytes."""
        return {
            name: (sum(f.record_count for f in files), len(files), sum(f.file_size_in_bytes for f in files))
            for name, files in self._written.items()
        }


def days(start: float, end: float, count: int, seed: int) -> Iterator[Floats]:
    """The times of `count` tweets, a UTC day at a time, denser where more of the world is awake."""
    edges = [start, *(float(d) for d in range((int(start) // DAY_S + 1) * DAY_S, int(np.ceil(end)), DAY_S)), end]
    shares = np.rint(np.diff(edges) / (end - start) * count).astype(int)
    shares[-1] += count - shares.sum()
    for begin, until, n in zip(edges[:-1], edges[1:], shares.tolist(), strict=True):
        yield history(begin, until, n, seed)


def fill(count: int, start: float, end: float, seed: int, bar: Progress) -> Files:
    """Write `count` tweets between two moments, and what is made of them. ClickException where the lake has tweets."""
    files, figures = Files(), Figures()
    if files.tables[SILVER.name].current_snapshot():
        raise click.ClickException("This lake has tweets already. Their past can only be made before they are.")
    partitions = load().kafka.partitions
    past, task = Past(seed, count, partitions, SAMPLE), bar.add_task("tweets", total=count)

    def keep(day: pa.Table) -> None:
        for first in range(0, len(day), ROWS_A_FILE):
            files.write(SILVER.name, day.slice(first, ROWS_A_FILE))
        for name, rows in figures.of(day):
            files.write(name, rows)
        bar.advance(task, len(day))

    with ThreadPoolExecutor(1) as writer:  # one day is written while the next is made
        waiting: Future[None] | None = None
        for at in days(start, end, count, seed):
            made = past.day(at)
            if waiting:
                waiting.result()
            waiting = writer.submit(keep, made)
        if waiting:
            waiting.result()
    beginning = fences.dump({f"{TWEETS.clean.name}/{p}": -1 for p in range(partitions)})
    files.commit({f"gold.{t.name}": {fences.AS_OF: beginning} for t in GOLD_TABLES})
    return files


def make(count: int, span_days: float, until: dt.datetime, seed: int) -> Files:
    """Fill the lake, with a bar that shows how far it is, and say what there is in the end."""
    if count / span_days > DAY_MAX:
        raise click.ClickException(f"A day is made in memory: no more than {DAY_MAX:,} tweets. Take more --days.")
    began, end = clock.monotonic(), until.timestamp()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        files = fill(count, end - span_days * DAY_S, end, seed, bar)
    for name, (rows, number, size) in files.sizes().items():
        print(f"{name:38} {rows:>13,} rows {number:>6,} files {size / 1e6:>10,.1f} MB")
    took = clock.monotonic() - began
    print(
        f"{count:,} tweets over {span_days:g} days until {until:%Y-%m-%d %H:%M} UTC, in {took:,.0f} s: {count / took:,.0f} a second"
    )
    return files


@click.command()
@click.option("--tweets", default=100_000_000, show_default=True)
@click.option(
    "--days", "span", default=30.0, show_default=True, help="over which they are spread, until now and `--ahead`"
)
@click.option("--ahead", default=0.0, show_default=True, help="hours beyond now, so that the last minutes stay filled")
@click.option("--seed", default=7, show_default=True)
def main(tweets: int, span: float, ahead: float, seed: int) -> None:
    """Give the running stack's lake a past."""
    make(tweets, span, clock.now() + dt.timedelta(hours=ahead), seed)


if __name__ == "__main__":
    main()
