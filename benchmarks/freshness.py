"""How long an event takes to be visible in Trino: `python -m benchmarks.freshness tweets|animeverse`, beside a running stack.

Two parts, added up: from an event to the commit that brings it, and how long an answer takes to a question asked right then. The
first is read from the tables' snapshots when the time is over. The second is asked every few seconds only: Trino takes up to half a CPU second
for an answer, and to ask for the newest row once a second took a third of the machine that it was to measure. Every answer
is held to what had been committed when it was asked.

An event of time t has come with the first commit whose newest event is not before t. Every 20 ms of event time is one sample, so a
slow commit weighs as much as the events that waited for it. In the end it shows what the tables are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.manifest import ManifestEntryStatus
from pyiceberg.table.snapshots import Operation
from rich.console import Console
from rich.table import Table

from benchmarks.latency import quantiles
from lakehouse_jobs import lake, shape
from riverhouse import businesses
from riverhouse.clock import sleep, unix
from riverhouse.local.trino_server import query

SAMPLE_S = 0.02
STAMPED_S = 0.5  # at most so much passes between the time in a snapshot and its commit
LOOKED_BACK_S = 20  # what a question covers


class Watched(NamedTuple):
    """A table, the column of its events' times, and the question for the newest of them. `kpi`: only this one's rows."""

    table: str
    column: str
    question: str
    kpi: str = ""


class Commit(NamedTuple):
    """When a snapshot was made, and the newest event in it; unix seconds."""

    at: float
    newest: float


class Answer(NamedTuple):
    """When it was asked for (unix seconds), how long it took, the newest event in it."""

    asked: float
    took: float
    newest: float | None


def watched(business: str) -> list[Watched]:
    """Silver and the live KPI log; questions about little, so that file statistics prune."""
    silver = f"silver.{businesses.facts(business).table}"
    kpi = businesses.figure(business).topic
    return [
        Watched(
            silver,
            "event_at",
            f"select to_unixtime(max(event_at)) from {silver} "
            f"where event_at > current_timestamp - interval '{LOOKED_BACK_S}' second and event_at < current_timestamp",
        ),
        Watched(
            "gold.kpi_log",
            "published_at",
            f"select to_unixtime(max(published_at)) from gold.kpi_log where kpi = '{kpi}' "
            "and window_start_at > current_timestamp - interval '2' minute",
            kpi,
        ),
    ]


def ask(what: Watched) -> Answer:
    """The newest row, by Trino."""
    began = unix()
    ((newest,),) = query(what.question)
    return Answer(began, unix() - began, newest)


def commits(what: Watched, since: float) -> list[Commit]:
    """The appends to a table since a time, the oldest first. Events whose clock runs ahead of the commit are left out."""
    table = lake.catalog().load_table(what.table)
    found = []
    for snapshot in table.snapshots():
        at = snapshot.timestamp_ms / 1000
        if at < since or snapshot.summary is None or snapshot.summary.operation != Operation.APPEND:
            continue
        files = [
            entry.data_file.file_path
            for manifest in snapshot.manifests(table.io)
            if manifest.added_snapshot_id == snapshot.snapshot_id
            for entry in manifest.fetch_manifest_entry(table.io)
            if entry.status == ManifestEntryStatus.ADDED
        ]
        columns = [what.column, *(["kpi"] if what.kpi else [])]
        rows = pa.concat_tables(pq.read_table(table.io.new_input(f).open(), columns=columns) for f in files)
        if what.kpi:
            rows = rows.filter(pc.field("kpi") == what.kpi)
        times = rows[what.column].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
        if (times <= at).any():
            found.append(Commit(at, float(times[times <= at].max())))
    return sorted(found)


def waits(of: Sequence[Commit]) -> Iterator[tuple[float, float]]:
    """For each sample of event time: when it was committed, and how long after the event."""
    newest = of[0].newest if of else 0.0
    for commit in of[1:]:
        for i in range(1, int((commit.newest - newest) / SAMPLE_S) + 1):
            yield commit.at, commit.at - newest - i * SAMPLE_S
        newest = max(newest, commit.newest)


def visible(of: Sequence[Commit], answers: Sequence[Answer]) -> list[float]:
    """For each sample the time from the event to the end of an answer that was asked for when it was committed, as the next one took."""
    return [wait + next((a.took for a in answers if a.asked >= at), answers[-1].took) for at, wait in waits(of)]


def unseen(of: Sequence[Commit], answers: Sequence[Answer]) -> list[str]:
    """Answers that lack what had been committed when they were asked for, a line each; there should be none."""
    lines = []
    for a in answers:
        due = [c.newest for c in of if c.at < a.asked - STAMPED_S and c.newest > a.asked - LOOKED_BACK_S / 2]
        if due and (a.newest is None or a.newest < max(due)):
            lines.append(f"asked at {a.asked:.3f}, answered {a.newest}, committed were {max(due):.3f}")
    return lines


@click.command()
@click.argument("business", type=click.Choice(businesses.DOMAINS))
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--every", default=5.0, show_default=True, help="seconds from one question to the next")
def main(business: str, seconds: float, every: float) -> None:
    """Print the distribution of the time from event to visible in Trino."""
    began, both = unix(), watched(business)
    answers: dict[str, list[Answer]] = {what.table: [] for what in both}
    while unix() < began + seconds:
        for what in both:
            asked = ask(what)
            answers[what.table].append(asked)
            sleep(max(0.0, every - asked.took))
    title = "event → committed, a question, event → visible in an answer; seconds"
    head = ("committed p50", "p95", "question p50", "p95", "visible p50", "p95", "max")
    table = Table("table", "samples", *head, title=title)
    for what in both:
        name, its = what.table, commits(what, began)
        ages = sorted(visible(its, answers[what.table]))
        if not ages:
            raise click.ClickException(f"Nothing new came to {name}. The stack must run: `make up`.")
        if lines := unseen(its, answers[name]):
            raise click.ClickException(f"Trino does not show what {name} has:\n" + "\n".join(lines))
        committed = sorted(wait for _, wait in waits(its))
        took = sorted(a.took for a in answers[name])
        figures = (*quantiles(committed, 0.5, 0.95), *quantiles(took, 0.5, 0.95), *quantiles(ages, 0.5, 0.95, 1.0))
        table.add_row(f"{name} {what.kpi}", f"{len(ages):,}", *(f"{f:.1f}" for f in figures))
    Console(width=160).print(table)
    Console(width=120).print(shape.show(what.table for what in both))


if __name__ == "__main__":
    main()
