"""How long a round of gold takes over a long past, once new tweets have come: `python -m benchmarks.queries --own --refreshes 3`.

Each round appends the tweets of the last 15 seconds to silver, behind a fence as the sink does, and refreshes all gold tables of
the tweets, in a Spark like the sink's that does nothing else. It writes into the lake, so it needs one that is thrown away.
"""

from __future__ import annotations

import numpy as np
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from benchmarks.past_tweets import Past
from lakehouse_jobs import gold, spark
from lakehouse_jobs.routes import Rows
from lakehouse_jobs.tables import silver
from lakehouse_jobs.tweets import GOLD_TABLES
from lakehouse_jobs.writer import FencedTable
from riverhouse import clock
from riverhouse.settings import load
from topics.tweets import TWEETS

SECONDS, RATE = 15.0, 1000.0


def show(rounds: int, seed: int) -> None:
    """Print what each table's refresh took, round by round; the first also warms Spark up."""
    past, target = Past(seed, 0, load().kafka.partitions, 2000), FencedTable(silver(TWEETS).name)
    application = spark.session("refresh-benchmark")
    try:
        taken = [_round(past, target, application) for _ in range(rounds)]
    finally:
        application.stop()
    title = f"a refresh of gold after {SECONDS:g} s of {RATE:,.0f} tweets, s"
    table = Table("table", *(f"round {i + 1}" for i in range(rounds)), title=title)
    for gold_table in GOLD_TABLES:
        table.add_row(gold_table.name, *(f"{done[gold_table.name]:.1f}" for done in taken))
    table.add_row("all", *(f"{sum(done.values()):.1f}" for done in taken))
    Console(width=100).print(table)


def _round(past: Past, target: FencedTable, application: SparkSession) -> gold.Done:
    now = clock.unix()
    rows = past.day(np.linspace(now - SECONDS, now, int(SECONDS * RATE)))
    logs = [f"{TWEETS.clean.name}/{p}" for p in rows["raw_partition"].to_pylist()]
    target.append(Rows(rows, logs, rows["raw_offset"].to_pylist()))
    return gold.refresh_all(application, GOLD_TABLES)
