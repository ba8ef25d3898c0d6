"""The sink: Kafka → silver, the KPI log and bronze, by two streaming queries in one Spark application.

    tweets.clean ───────┬─▶ live: micro-batch of   ──split by──┬─▶ silver.tweets
    tweets.kpi.* ───────┘   `lake.trigger_s`         topic     └─▶ gold.kpi_log
    tweets.raw ─────────┐                                      ┌─▶ bronze.tweets         one commit for each table touched,
    tweets.duplicates ──┼─▶ archive: of `lake.   ──split by────┼─▶ silver.duplicates     its fence in the snapshot
    tweets.rejected ────┘   archive_trigger_s`       topic     └─▶ silver.quarantine

Nobody waits for the archive, which has half of all commits: at its own pace these are few, and its files larger, so what is
looked at can come more often. Spark plans the offsets, reads all partitions at once and keeps the checkpoints; a batch comes to the
driver as Arrow and PyIceberg commits it, in a quarter of the CPU time of Spark's own writer at this batch size. The checkpoint only
saves work: what it hands out twice, the fences drop. Gold and maintenance are a process of their own (background.py).
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg2
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from psycopg2.extensions import connection
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse_jobs import background, lake, resume, spark, tables, writer_lock
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
    """One query's part: what its micro-batches are handed to. `stopping` is set once, by a signal or by a thread that failed.

    `trigger_s`: the interval of the micro-batches.
    """

    def __init__(self, name: str, routes: Mapping[str, Route], trigger_s: float, stopping: threading.Event) -> None:
        self.name = name
        self.routes = routes
        self.trigger_s = trigger_s
        self.stopping = stopping
        self.tables = {name: FencedTable(name) for name in {r.table for r in routes.values()}}
        self.failure: Exception | None = None
        self.moved = threading.Event()  # a batch is committed
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
        self.moved.set()
        total_s = clock.monotonic() - began
        log.info(
            "batch",
            query=self.name,
            id=batch_id,
            records=records.num_rows,
            kept=kept,
            read_s=round(read_s, 3),
            total_s=round(total_s, 3),
        )


def sinks(routes: Mapping[str, Route], stopping: threading.Event) -> list[Sink]:
    """The sink's queries over some routes: of what is looked at, and of the archive."""
    live = {topic: r for topic, r in routes.items() if not r.archive}
    archive = {topic: r for topic, r in routes.items() if r.archive}
    paced = ("live", live, load().lake.trigger_s), ("archive", archive, load().lake.archive_trigger_s)
    return [Sink(name, own, trigger_s, stopping) for name, own, trigger_s in paced if own]


def run() -> None:
    """Sink until a signal asks to stop. LakeError where another writer runs, topics are missing, or a batch fails."""
    stopping = threading.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stopping.set())
    resume.wait_until_released(stopping)
    if stopping.is_set():
        return
    with writer_lock.only_writer() as session, ThreadPoolExecutor(1, thread_name_prefix="spark") as java:
        # Beside looking at all tables, which takes as long.
        starting = java.submit(spark.session, "riverhouse-sink", load().lake.sink_heap_mb)
        for line in tables.create_all(lake.catalog()):
            log.info("table", did=line)
        routes = all_routes()
        require_topics(list(routes))
        both = sinks(routes, stopping)
        application = starting.result()
        queries = [start(application, sink) for sink in both]
        targets = {name: table for sink in both for name, table in sink.tables.items()}
        log.info("started", topics=sorted(routes), tables=sorted(targets))
        try:
            wait_for_first_batches(both, queries)
            with background.beside(targets) as other:
                supervise(both, queries, other, session)
        finally:
            stopping.set()
            application.stop()
    log.info("stopped")


def start(application: SparkSession, sink: Sink, *, once: bool = False) -> StreamingQuery:
    """Start a sink's query over its topics, where there is no checkpoint from the fences.

    A topic added later is read from its beginning. `once`: the query ends when it has taken what is there now.
    """
    settings = load()
    options = {
        "kafka.bootstrap.servers": addresses.bootstrap(),
        **brokers.java("kafka."),
        "subscribe": ",".join(sorted(map(physical, sink.routes))),
        "startingOffsets": "earliest" if resume.continues(sink.name) else resume.starting_offsets(sink.routes),
        "failOnDataLoss": "true",
        "maxOffsetsPerTrigger": str(settings.lake.batch_records),
        "includeHeaders": "true",
        "kafka.fetch.max.wait.ms": "20",
    }
    records = application.readStream.format("kafka").options(**options).load()
    if settings.side:
        records = records.withColumn("topic", F.expr(f"substring(topic, {len(physical('')) + 1})"))
    writer = (
        records.withColumn("headers", F.map_from_entries("headers")).select(*RECORD).writeStream.queryName(sink.name)
    )
    every = f"{round(sink.trigger_s * 1000)} milliseconds"
    application.sparkContext.setLocalProperty(
        "spark.scheduler.pool", sink.name
    )  # the query's thread has it from this one
    return (
        (writer.trigger(availableNow=True) if once else writer.trigger(processingTime=every))
        .option("checkpointLocation", resume.checkpoint(sink.name).as_uri())
        .foreachBatch(sink.take)
        .start()
    )


def wait_for_first_batches(sinks: Sequence[Sink], queries: Sequence[StreamingQuery], within_s: float = 60) -> None:
    """Return when each query has committed a batch, has nothing to read, or has ended; or when the sink is to stop.

    What is looked at comes first: a second Java that starts would stand in the way of queries that are cold.
    """
    deadline = clock.monotonic() + within_s
    for sink, query in zip(sinks, queries, strict=True):
        while not sink.moved.wait(0.2) and query.isActive and not sink.stopping.is_set():
            if query.status["message"].startswith("Waiting") or clock.monotonic() > deadline:
                break


def supervise(
    sinks: Sequence[Sink], queries: Sequence[StreamingQuery], other: background.Process, session: connection
) -> None:
    """Wait until the wish to stop, then stop the queries between two batches (stopping one inside overflows Spark's stack).

    LakeError where a query, the `other` process, or `session`, which holds the writer's lock, has ended.
    """
    stopping = sinks[0].stopping
    while not stopping.wait(0.5) and all(q.isActive for q in queries):
        require_lock(session)
        if (code := other.poll()) is not None:
            detail = f"exit code {code}; its error is in the log above"
            raise LakeError("gold and maintenance have ended", detail, "the sink is started again by `riverhouse up`")
    stopping.set()
    other.terminate()
    for query in queries:
        while query.isActive and query.status["isTriggerActive"]:  # the running batch ends; the next raises Stopping
            clock.sleep(0.02)
        query.stop()
    for sink, query in zip(sinks, queries, strict=True):
        require_no_failure(sink, query)


def require_lock(session: connection) -> None:
    """LakeError where the writer's lock is lost."""
    try:
        writer_lock.still_open(session)
    except psycopg2.Error as e:
        raise LakeError("the writer's lock is lost", str(e), "is PostgreSQL up? see `riverhouse status`") from e


def require_no_failure(sink: Sink, query: StreamingQuery) -> None:
    """LakeError where a query has ended by one."""
    if isinstance(sink.failure, LakeError):
        raise sink.failure
    if (error := query.exception()) and not isinstance(sink.failure, Stopping):
        hint = "see the log above; what was read is safe, a restart continues"
        raise LakeError(
            f"the sink's query {sink.name!r} has ended", f"{sink.failure or error}"[:2000], hint
        ) from sink.failure


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
