"""How long the dashboards' queries take: `python -m benchmarks.queries` beside a running stack, or `--own` in one of its own.

A browser opens each dashboard once, and Superset says the SQL of all that the page asks for (`benchmarks/dashboards.py`). Then
each query runs `--times` times in Trino, in turn with all others, over a connection of its own, as Superset asks; timed is from
sending it to its last row. Nothing is cached for it. A second table has whole dashboards, six queries at a time, as a browser asks.

`--own` starts PostgreSQL, Trino and Superset on free ports in a temporary folder and gives them a past (`benchmarks.history`).
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import pathlib
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import click
import trino
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import history, refresh
from benchmarks.dashboards import Asked, Pages, opened
from benchmarks.latency import quantiles
from lakehouse_jobs import lake
from riverhouse import addresses, clock
from riverhouse.local.testing import start_stack
from riverhouse.settings import ROOT

AT_ONCE = 6  # requests that a browser makes of one server at a time
SERVICES = ("postgres", "trino", "tables", "views", "superset-assets", "superset")
PRESENT_FOR = dt.timedelta(
    hours=6
)  # the past of a stack of its own goes on into the future, so that the last minutes stay filled


class Run(NamedTuple):
    """What one query took: seconds by the clock and of Trino's processor time, and the rows and bytes that it read."""

    seconds: float
    cpu_s: float
    rows: int
    read_bytes: int


@dataclass
class Question:
    """What a page asks for: one query, seldom two. `runs` has one entry for each time that it was asked."""

    asked: Asked
    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        return sorted(r.seconds for r in self.runs)


def run(sql: str) -> Run:
    """Ask Trino as Superset does."""
    host, port = addresses.trino()
    began = clock.monotonic()
    connection = trino.dbapi.connect(host=host, port=port, user="superset", catalog=addresses.CATALOG, schema="gold")
    with contextlib.closing(connection):
        cursor = connection.cursor()
        cursor.execute(sql)
        cursor.fetchall()
        took, stats = clock.monotonic() - began, cursor.stats
    return Run(took, stats["cpuTimeMillis"] / 1000, int(stats["processedRows"]), int(stats["physicalInputBytes"]))


def together(runs: Sequence[Run]) -> Run:
    """Queries one after the other."""
    return Run(*(sum(figures) for figures in zip(*runs, strict=True)))


def measure(pages: Pages, questions: list[Question], times: int) -> dict[str, list[float]]:
    """Ask all of them in turn, then each dashboard's at once, `times` times; the seconds of whole dashboards."""
    boards: dict[str, list[float]] = collections.defaultdict(list)
    of_board: dict[str, list[Question]] = collections.defaultdict(list)
    for question in questions:
        of_board[question.asked.board].append(question)
    for again in track(range(times + 1), "asking", console=Console(stderr=True), transient=True):
        for question in questions:
            found = together([run(sql) for sql in pages.sql(question.asked)])
            question.runs += [found] if again else []  # the first round warms Java up
        for board, own in of_board.items():
            took = at_once(pages, own)
            boards[board] += [took] if again else []
    return boards


def at_once(pages: Pages, questions: list[Question]) -> float:
    """Ask what a page asks, several at a time; how long until the last answer."""
    asked = [pages.sql(q.asked) for q in questions]  # the browser's session belongs to this thread
    with ThreadPoolExecutor(AT_ONCE) as pool:
        began = clock.monotonic()
        list(pool.map(lambda queries: [run(sql) for sql in queries], asked))
        return clock.monotonic() - began


def show(questions: list[Question], boards: dict[str, list[float]], limit_s: float) -> None:
    """Print a table of the queries, one of the dashboards, and which queries are beyond the limit."""
    table = Table("dashboard", "chart", "p50, s", "p95, s", "max, s", "CPU, s", "rows read", "MB read")
    for q in questions:
        p50, p95, most = quantiles(q.seconds, 0.5, 0.95, 1.0)
        cpu_s, rows, size = (statistics.median(figures) for figures in list(zip(*q.runs, strict=True))[1:])
        times = (f"{s:.2f}" for s in (p50, p95, most, cpu_s))
        table.add_row(
            q.asked.board,
            q.asked.name,
            *times,
            f"{rows:,.0f}",
            f"{size / 1e6:,.1f}",
            style="red" if p95 > limit_s else "",
        )
    whole = Table("dashboard, all charts at once", "p50, s", "p95, s", "max, s")
    for board, seconds in boards.items():
        whole.add_row(board, *(f"{s:.2f}" for s in quantiles(sorted(seconds), 0.5, 0.95, 1.0)))
    console = Console(width=140)
    console.print(table)
    console.print(whole)
    beyond = [f"{q.asked.board}: {q.asked.name}" for q in questions if quantiles(q.seconds, 0.95)[0] > limit_s]
    print(f"{len(questions)} queries, p95 beyond {limit_s:g} s: {', '.join(beyond) or 'none'}")


@contextlib.contextmanager
def own_stack(tweets: int, span_days: float, rounds: int, seed: int) -> Iterator[None]:
    """A stack of its own with a past."""
    with (
        tempfile.TemporaryDirectory(prefix="riverhouse-queries-") as folder,
        start_stack(pathlib.Path(folder), SERVICES),
    ):
        lake.catalog.cache_clear()
        history.make(tweets, span_days, clock.now() + PRESENT_FOR, seed)
        yield
        if rounds:
            refresh.show(rounds, seed)
    lake.catalog.cache_clear()


def boards_of_tweets() -> str:
    """The addresses of the dashboards that a past fills."""
    declared = yaml.safe_load((ROOT / "superset" / "assets" / "tweets.yaml").read_text())
    return "|".join(declared["dashboards"])


@click.command()
@click.option(
    "--times", default=20, show_default=True, help="how often each query is asked, after a round that is not counted"
)
@click.option("--only", default="", help="dashboards whose address matches: 'tweet|engagement|real-time'")
@click.option("--last", "span", default="", help="another time range than a day: '7 days'")
@click.option("--limit", default=1.0, show_default=True, help="seconds that the 95th percentile may take")
@click.option("--own", is_flag=True, help="in a stack of its own, with a past of --tweets over --days")
@click.option("--tweets", default=100_000_000, show_default=True)
@click.option("--days", default=30.0, show_default=True)
@click.option("--refreshes", default=0, show_default=True, help="with --own: rounds of gold to time in the end")
@click.option("--seed", default=7, show_default=True)
def main(
    times: int, only: str, span: str, limit: float, own: bool, tweets: int, days: float, refreshes: int, seed: int
) -> None:
    """Print the tables."""
    stack = own_stack(tweets, days, refreshes, seed) if own else contextlib.nullcontext()
    with stack, opened(only or (boards_of_tweets() if own else "")) as pages:
        asked = [a.over(f"Last {span}") if span else a for a in pages.asked]
        questions = [Question(a) for a in asked]
        show(questions, measure(pages, questions, times), limit)


if __name__ == "__main__":
    main()
