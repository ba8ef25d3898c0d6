"""`sink-once BUSINESS…`: take what the topics of some businesses hold now, bring their gold up to it, and end.

The sink's own queries, routes and fences, without its threads: what a replay fills its side with (docs/replay.md).
"""

from __future__ import annotations

import argparse
import logging
import threading
from collections.abc import Collection

from pyspark.sql import SparkSession

from lakehouse_jobs import gold, spark, tables, writer_lock
from lakehouse_jobs.routes import all_routes
from lakehouse_jobs.sink import require_no_failure, require_topics, sinks, start
from lakehouse_jobs.tables import GOLD_TABLES
from riverhouse import addresses, clock
from riverhouse.logs import configure, logger
from riverhouse.settings import load
from topics.catalogue import STREAMS
from topics.sides import physical

log = logger(__name__)


def run(businesses: Collection[str], *, with_gold: bool = True) -> None:
    """Sink what is there now. LakeError where another writer runs, topics are missing, or a batch fails."""
    routes = all_routes([s for s in STREAMS if s.domain in businesses])
    with writer_lock.only_writer():
        require_topics([physical(t) for t in routes])
        application = spark.session("riverhouse-sink-once")
        try:
            both = sinks(routes, threading.Event())
            queries = [start(application, sink, once=True) for sink in both]
            for sink, query in zip(both, queries, strict=True):
                while not query.awaitTermination(1) and query.isActive:
                    pass
                require_no_failure(sink, query)
            if with_gold:
                refresh(application, businesses)
        finally:
            application.stop()


def refresh(application: SparkSession, businesses: Collection[str]) -> None:
    """Bring the businesses' gold up to silver, telling of each table as it is done."""
    wanted = set().union(*map(tables.of_business, businesses))
    began = clock.monotonic()
    chosen = [t for t in GOLD_TABLES if f"gold.{t.name}" in wanted]
    done = gold.refresh_all(application, chosen)
    log.info("gold", tables=len(done), took_s=round(clock.monotonic() - began, 2))


def main(argv: list[str]) -> int:
    """`sink-once`: 0 when all is in."""
    parser = argparse.ArgumentParser("sink-once", description=__doc__)
    parser.add_argument("businesses", nargs="+", choices=sorted({s.domain for s in STREAMS}))
    parser.add_argument("--no-gold", action="store_true", help="bronze, silver and the KPI log alone")
    a = parser.parse_args(argv)
    configure("sink-once" if not load().side else f"sink-{load().side}")
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # as in sink.py
    log.info("started", businesses=a.businesses, catalogue=addresses.catalogue())
    run(a.businesses, with_gold=not a.no_gold)
    log.info("stopped")
    return 0
