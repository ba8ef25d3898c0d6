"""Kafka to silver, our sink beside Spark's own append: `python -m benchmarks.sink`. Starts servers of its own, and stops them again.

Our worker makes the clean topic of so many tweets. Then each contestant, a process of its own, takes the topic once to warm up and
once more into a new table, which is measured, in turn with the others. In the end all tables must hold the same rows.

- Ours: the sink's query with the one route, so rows are decoded by the contract and dropped behind the fence.
- Spark's append: `from_json` with the table's columns, and Iceberg's streaming append; nothing drops a repeat.
- Spark, repeats dropped: the same behind `dropDuplicatesWithinWatermark` over the positions in the raw topic.

Spark has both of Java's compilers and a thread for each processor; memory, one partition for shuffles and the other settings are the sink's.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any

import click
import psutil
from pyiceberg.exceptions import NoSuchTableError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console

from benchmarks.engines.catalogue import CLEAN, ours
from benchmarks.throughput import runs
from benchmarks.throughput.broker import Broker
from benchmarks.throughput.report import Sheet, figures
from benchmarks.throughput.running import cpu_s, memory_mb
from benchmarks.throughput.runs import Run
from benchmarks.throughput.truth import fill
from lakehouse_jobs import lake, resume, row_hash, spark, tables
from lakehouse_jobs.routes import all_routes
from lakehouse_jobs.schema import arrow
from lakehouse_jobs.sink import sinks, start
from riverhouse import addresses
from riverhouse.clock import monotonic
from riverhouse.local import shared_classes
from riverhouse.local.testing import start_stack
from riverhouse.settings import load
from topics.tweets import TWEETS

SILVER = tables.silver(TWEETS)
SERVICES = ("kafka", "registry", "postgres", "topics")
AS_IT_COMES = {
    "spark.master": "local[*]",
    "spark.driver.extraJavaOptions": shlex.join([*shared_classes.flags(), "-Xss4m"]),
    "spark.sql.streaming.disabledV2MicroBatchReaders": "",
}
say = Console(stderr=True, highlight=False).print


def our_sink(application: SparkSession) -> str:
    """Fill silver; the table's name."""
    _drop(SILVER.name)
    tables.create(lake.catalog(), SILVER)
    resume.forget(resume.checkpoints())
    (sink,) = sinks({CLEAN: all_routes()[CLEAN]}, threading.Event())
    _finish(start(application, sink, once=True))
    return SILVER.name


def plain_append(application: SparkSession) -> str:
    return _spark(application, "silver.appended", lambda rows: rows)


def append_without_repeats(application: SparkSession) -> str:
    lateness = f"{TWEETS.allowed_lateness.total_seconds():.0f} seconds"
    key = ["raw_partition", "raw_offset"]
    return _spark(
        application,
        "silver.deduplicated",
        lambda rows: rows.withWatermark("event_at", lateness).dropDuplicatesWithinWatermark(key),
    )


def _spark(application: SparkSession, name: str, change: Callable[[DataFrame], DataFrame]) -> str:
    """Fill a table like silver by Spark's own means; its name."""
    _drop(name)
    schema, table = from_arrow_schema(arrow(SILVER.schema)), f"{addresses.catalogue()}.{name}"
    empty = application.createDataFrame([], schema).writeTo(table).partitionedBy(F.days("event_at"))
    empty.tableProperty("write.parquet.compression-codec", "zstd").create()
    options = {
        "kafka.bootstrap.servers": addresses.bootstrap(),
        "subscribe": CLEAN,
        "startingOffsets": "earliest",
        "maxOffsetsPerTrigger": str(load().lake.batch_records),
    }
    records = application.readStream.format("kafka").options(**options).load()
    rows = records.select(F.from_json(F.col("value").cast("string"), schema).alias("row")).select("row.*")
    with tempfile.TemporaryDirectory(dir=addresses.data()) as checkpoint:
        writer = change(rows).writeStream.format("iceberg").outputMode("append").trigger(availableNow=True)
        _finish(writer.options(checkpointLocation=checkpoint, **{"fanout-enabled": "true"}).toTable(table))
    return name


def _drop(name: str) -> None:
    with contextlib.suppress(NoSuchTableError):
        lake.catalog().purge_table(name)


def _finish(query: StreamingQuery) -> None:
    query.awaitTermination()
    if error := query.exception():
        raise click.ClickException(f"{error}"[:2000])


CONTESTANTS: Mapping[str, tuple[Callable[[SparkSession], str], Mapping[str, str]]] = {
    "our sink": (our_sink, {}),
    "Spark's append": (plain_append, AS_IT_COMES),
    "Spark, repeats dropped": (append_without_repeats, AS_IT_COMES),
}


def measure(name: str) -> dict[str, Any]:
    """What a contestant takes for the topic, once it is warm, and which rows its table has then."""
    fill_table, settings = CONTESTANTS[name]
    for namespace in lake.NAMESPACES:
        lake.catalog().create_namespace_if_not_exists(namespace)
    application, here = spark.session("sink-benchmark", more=settings), psutil.Process()
    try:
        fill_table(application)
        began, before = monotonic(), cpu_s(here)
        table = lake.catalog().load_table(fill_table(application))
        took = {"clock_s": monotonic() - began, "cpu_s": cpu_s(here) - before, "memory_mb": memory_mb(here)}
    finally:
        application.stop()
    rows = row_hash.of_table(table)
    return {"digest": rows.digest, "rows": rows.rows, "took": {"events": rows.rows, **took}}


def child(name: str) -> dict[str, Any]:
    """`measure` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sink", "--one", name], capture_output=True, text=True, check=False, env=os.environ
    )  # fmt: skip
    if done.returncode:
        raise click.ClickException(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(tweets: int, repeats: int) -> tuple[int, dict[str, list[Run]]]:
    """The records of the topic, and the runs of each contestant. ClickException where their rows are not the same."""
    measured: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder, start_stack(pathlib.Path(folder), only=SERVICES) as home:
        broker = Broker()
        wanted = fill(broker, tweets).clean
        runs.run(ours(), broker, home / "worker.log")
        for _ in range(repeats):
            found = {name: child(name) for name in CONTESTANTS}
            for name, one in found.items():
                measured[name].append(Run(**one["took"]))
                say(f"{name}: {measured[name][-1]}")
            if {(one["rows"], one["digest"]) for one in found.values()} != {(wanted, found["our sink"]["digest"])}:
                raise click.ClickException(f"{wanted:,} rows were due, the same ones in each table: {found}")
    return wanted, measured


@click.command()
@click.option("--tweets", default=400_000, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--one", type=click.Choice(list(CONTESTANTS)), hidden=True)
def main(tweets: int, repeats: int, one: str | None) -> None:
    """Print the table."""
    if one:
        print(json.dumps(measure(one)))
        return
    records, measured = compare(tweets, repeats)
    title = f"{records:,} clean tweets from Kafka to Iceberg, {load().lake.batch_records:,} at most in a commit: median (least to most)"
    rows = [[name, *figures(found)] for name, found in measured.items()]
    Console(width=140).print(Sheet(title, ("", "rows/s", "rows/CPU-s", "memory, MB"), rows).text())


if __name__ == "__main__":
    main()
