"""How long an event takes to be visible in Trino: `python -m benchmarks.freshness tweets|animeverse`, beside a running stack.

It asks for the newest event time in silver (and in the live KPI log) again and again. An event of time t counts as visible
when the first answer whose newest event is not before t has come, the query's own time included. Every 20 ms of event
time is one sample, so a slow answer weighs as much as the events that waited for it. In the end it shows what the tables are made of.
"""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from benchmarks.latency import quantiles
from lakehouse_jobs import shape
from riverhouse import businesses
from riverhouse.clock import sleep, unix
from riverhouse.local.trino_server import query

SAMPLE_S = 0.02


def queries(business: str) -> dict[str, str]:
    """Table → a query of the newest time in it; of the last twenty seconds, so that file statistics prune."""
    silver = f"silver.{businesses.facts(business).table}"
    kpi = businesses.figure(business).topic
    return {
        silver: f"select to_unixtime(max(event_at)) from {silver} "
        "where event_at > current_timestamp - interval '20' second and event_at < current_timestamp",
        f"gold.kpi_log ({kpi})": f"select to_unixtime(max(published_at)) from gold.kpi_log where kpi = '{kpi}' "
        "and window_start_at > current_timestamp - interval '2' minute",
    }


def watch(sql: str, seconds: float) -> tuple[list[float], list[float]]:
    """Ages of events when they were first seen, and how long the queries took; both sorted, seconds."""
    ages: list[float] = []
    took: list[float] = []
    newest: float | None = None
    end = unix() + seconds
    while unix() < end:
        began = unix()
        ((seen,),) = query(sql)
        now = unix()
        took.append(now - began)
        if seen is not None:
            if newest is not None:
                ages += [now - newest - i * SAMPLE_S for i in range(1, int((seen - newest) / SAMPLE_S) + 1)]
            newest = max(seen, newest or seen)
        sleep(max(0.0, 1.0 - (now - began)))
    return sorted(ages), sorted(took)


@click.command()
@click.argument("business", type=click.Choice(businesses.DOMAINS))
@click.option("--seconds", default=60.0, show_default=True, help="for each table")
def main(business: str, seconds: float) -> None:
    """Print the distribution of the time from event to visible in Trino."""
    table = Table("table", "samples", "p50 s", "p95 s", "max s", "query p50 s", title="event → visible in Trino")
    for name, sql in queries(business).items():
        ages, took = watch(sql, seconds)
        if not ages:
            raise click.ClickException(f"Nothing new came to {name}. The stack must run: `make up`.")
        figures = (*quantiles(ages, 0.5, 0.95, 1.0), *quantiles(took, 0.5))
        table.add_row(name, f"{len(ages):,}", *(f"{f:.1f}" for f in figures))
    Console(width=120).print(table)
    Console(width=120).print(shape.show(name.split()[0] for name in queries(business)))


if __name__ == "__main__":
    main()
