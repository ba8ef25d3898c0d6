"""The sink: Kafka → bronze, silver and the KPI log, by one streaming query in one Spark application.

    tweets.raw ─────────┐                            ┌─▶ bronze.tweets
    tweets.clean ───────┤  micro-batch   split by    ├─▶ silver.tweets
    tweets.duplicates ──┼─▶ of `lake.  ──topic──────▶┼─▶ silver.duplicates      one commit for each table touched,
    tweets.rejected ────┤  trigger_s`                ├─▶ silver.quarantine      its fence in the snapshot
    tweets.kpi.* ───────┘                            └─▶ gold.kpi_log

Spark plans the offsets, reads all partitions at once and keeps the checkpoint; a batch comes to the driver as Arrow and
PyIceberg commits it, in a quarter of the CPU time of Spark's own writer at this batch size. The checkpoint only saves
work: what it hands out twice, the fences drop. Beside the query two threads refresh gold and maintain the tables.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse_jobs import gold, lake, maintenance, resume, spark, tables, writer_lock
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.routes import Route, all_routes, split
from lakehouse_jobs.writer import FencedTable
from riverhouse import addresses, brokers, clock
from riverhouse.logs import configure, logger
from riverhouse.settings import load
from topics.sides import physical

log = logger(__name__)
RECORD = ("topic", "partition", "offset", "timestamp", "key", "value", "headers")


class Stopping(Exception):  # noqa: N818 - not an error: a batch that must not begin
    """Raised by a batch that arrives after the wish to stop; it will be read again after the restart."""


class Sink:
    """What a micro-batch is handed to. `stopping` is set once, by a signal or by a thread that failed."""

    def __init__(self, stopping: threading.Event, routes: Mapping[str, Route] | None = None) -> None:
        self.stopping = stopping
        self.routes = routes or all_routes()
        self.tables = {name: FencedTable(name) for name in {r.table for r in self.routes.values()}}
        self.failure: Exception | None = None
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="commit")

    def take(self, batch: DataFrame, batch_id: int) -> None:
        """Commit one micro-batch. What fails is kept in `failure`: Spark would only keep its text."""
        try:
            if self.stopping.is_set():
                raise Stopping  # noqa: TRY301
            self.commit(batch, batch_id)
        except Exception as e:
            self.failure = e
            raise

    def commit(self, batch: DataFrame, batch_id: int) -> None:
        """Make a commit for each table that the batch touches."""
        began = clock.monotonic()
        records = batch.coalesce(8).toArrow()
        if not records.num_rows:
            return
        read_s = clock.monotonic() - began
        by_table = split(records, self.routes, clock.now())
        kept = dict(zip(by_table, self._pool.map(lambda t: self.tables[t].append(by_table[t]), by_table), strict=True))
        total_s = clock.monotonic() - began
        log.info(
            "batch",
            id=batch_id,
            records=records.num_rows,
            kept=kept,
            read_s=round(read_s, 3),
            total_s=round(total_s, 3),
        )


def run() -> None:
    """Sink until a signal asks to stop. LakeError where another writer runs, topics are missing, or a batch fails."""
    stopping = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stopping.set())
    resume.wait_until_released(stopping)
    if stopping.is_set():
        return
    with writer_lock.only_writer() as session, ThreadPoolExecutor(1, thread_name_prefix="spark") as java:
        starting = java.submit(spark.session, "riverhouse-sink")  # takes as long as looking at all tables does
        for line in tables.create_all(lake.catalog()):
            log.info("table", did=line)
        require_topics(list(all_routes()))
        sink = Sink(stopping)
        application = starting.result()
        query = start(application, sink)
        threads = [gold.start(application, stopping), maintenance.start(application, session, sink.tables, stopping)]
        log.info("started", topics=sorted(sink.routes), tables=sorted(sink.tables))
        try:
            supervise(query, sink, threads)
            stopping.set()
            for t in threads:  # after an error nobody waits: what is half done the next sink does again
                t.join(timeout=30)
        finally:
            stopping.set()
            application.stop()
    log.info("stopped")


def start(application: SparkSession, sink: Sink, *, once: bool = False) -> StreamingQuery:
    """Start the query over all routed topics, where there is no checkpoint from the fences.

    A topic added later is read from its beginning. `once`: the query ends when it has taken what is there now.
    """
    settings = load()
    options = {
        "kafka.bootstrap.servers": addresses.bootstrap(),
        **brokers.java("kafka."),
        "subscribe": ",".join(sorted(map(physical, sink.routes))),
        "startingOffsets": "earliest" if resume.continues() else resume.starting_offsets(sink.routes),
        "failOnDataLoss": "true",
        "maxOffsetsPerTrigger": str(settings.lake.batch_records),
        "includeHeaders": "true",
        "kafka.fetch.max.wait.ms": "20",
    }
    records = application.readStream.format("kafka").options(**options).load()
    if settings.side:
        records = records.withColumn("topic", F.expr(f"substring(topic, {len(physical('')) + 1})"))
    writer = records.withColumn("headers", F.map_from_entries("headers")).select(*RECORD).writeStream.queryName("sink")
    every = f"{round(settings.lake.trigger_s * 1000)} milliseconds"
    return (
        (writer.trigger(availableNow=True) if once else writer.trigger(processingTime=every))
        .option("checkpointLocation", resume.checkpoint().as_uri())
        .foreachBatch(sink.take)
        .start()
    )


def supervise(query: StreamingQuery, sink: Sink, threads: list[threading.Thread]) -> None:
    """Wait until the wish to stop, then stop the query between two batches (stopping one inside overflows Spark's stack)."""
    while not sink.stopping.wait(0.5) and query.isActive:
        if dead := [t.name for t in threads if not t.is_alive()]:
            raise LakeError(
                f"the thread {dead[0]} has ended",
                "its error is in the log above",
                "the sink is started again by `riverhouse up`",
            )
    while query.isActive and query.status["isTriggerActive"]:  # the running batch ends; the next raises Stopping
        clock.sleep(0.02)
    query.stop()
    if isinstance(sink.failure, LakeError):
        raise sink.failure
    if (error := query.exception()) and not isinstance(sink.failure, Stopping):
        hint = "see the log above; what was read is safe, a restart continues"
        raise LakeError("the sink's query has ended", f"{sink.failure or error}"[:2000], hint) from sink.failure


def require_topics(names: list[str], wait_s: float = 30) -> None:
    """LakeError where topics are still missing after `wait_s`, or Kafka does not answer."""
    admin = AdminClient(brokers.librdkafka())
    deadline = clock.monotonic() + wait_s
    while True:
        error = LakeError("Kafka does not answer", addresses.bootstrap(), "is it up? see `riverhouse status`")
        with contextlib.suppress(KafkaException):  # a broker that is starting again
            if not (missing := sorted(set(names) - set(admin.list_topics(timeout=10).topics))):
                return
            error = LakeError("topics are missing", ", ".join(missing), "run `riverhouse topics apply`")
        if clock.monotonic() > deadline:
            raise error
        clock.sleep(1)


def main(argv: list[str]) -> int:
    """`sink`: until a signal stops it."""
    _ = argv
    configure("sink")
    logging.getLogger("py4j").setLevel(
        logging.CRITICAL
    )  # it tells of every connection, and repeats what we log ourselves
    run()
    return 0
