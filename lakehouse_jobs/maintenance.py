"""Keeping the lake small: compaction of small files, folding of the KPI log, expiry of old snapshots.

It runs beside the sink, in its process, every `lake.maintenance_interval_s`, and whenever `riverhouse maintain` asks. Where no
sink runs, `riverhouse maintain` does the work itself, holding the writer's lock.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from psycopg2.extensions import connection
from pyspark.sql import SparkSession

from lakehouse_jobs import background, compaction, lake, shared_files, spark, writer_lock
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import TableSpec, all_tables
from lakehouse_jobs.writer import FencedTable
from riverhouse import addresses, clock
from riverhouse.logs import logger
from riverhouse.settings import load

log = logger(__name__)
ASK, ANSWER = "riverhouse_maintain", "riverhouse_maintained"  # PostgreSQL channels
REST_MAX_S = 3.0
SNAPSHOTS_MIN = 1  # kept however old they are


def start(
    application: SparkSession, session: connection, targets: Mapping[str, FencedTable], stopping: threading.Event
) -> threading.Thread:
    """Maintain now and then, and when asked, in a thread that also watches the writer's lock: it fails when that is lost."""

    def loop() -> None:
        application.sparkContext.setLocalProperty("spark.scheduler.pool", "maintenance")
        background.give_way(application)
        writer_lock.listen(session, ASK)
        due = clock.monotonic() + load().lake.maintenance_interval_s
        while not stopping.is_set():
            asked = writer_lock.heard(session, within_s=1.0)
            writer_lock.still_held(session)
            if asked is None and clock.monotonic() < due:
                continue
            done = maintain(application, targets, stopping.is_set, gently=asked is None)
            log.info("maintained", **done)
            if asked is not None:
                writer_lock.notify(session, ANSWER, json.dumps(done))
            due = clock.monotonic() + load().lake.maintenance_interval_s

    return background.start(loop, "maintenance", stopping)


def maintain(
    application: SparkSession,
    targets: Mapping[str, FencedTable],
    stop: Callable[[], bool] = lambda: False,
    *,
    gently: bool = False,
) -> dict[str, Any]:
    """Compact and expire every table; what was done, in numbers. `gently`: after each merge rest for as long as it took."""
    began, merged, expired = clock.monotonic(), compaction.Merged(), 0
    for spec in all_tables():
        if stop():
            break
        target = targets.get(spec.name)
        if target and spec.append_only:
            since = clock.monotonic()
            merged += compaction.compact(spec, target, stop)
            target.restamp()
            if gently:  # what is looked at should not wait for it
                clock.sleep(min(clock.monotonic() - since, REST_MAX_S))
    with lake.lock(lake.PINNED), shared_files.deletable() as may:
        for spec in all_tables():
            older_than = clock.now() - dt.timedelta(seconds=load().lake.snapshots_kept_s)
            expired += expire(application, spec, older_than, delete=may)
            if target := targets.get(spec.name):
                target.refresh()
        collected = shared_files.collect() if may and shared_files.left_behind() else 0
    took_s = round(clock.monotonic() - began, 2)
    return {
        "files_before": merged.files_before, "files_after": merged.files_after, "snapshots_expired": expired,
        "files_collected": collected,
        "rows_folded": merged.rows_before - merged.rows_after, "took_s": took_s,
    }  # fmt: skip


def expire(application: SparkSession, spec: TableSpec, older_than: dt.datetime, *, delete: bool = True) -> int:
    """Remove the snapshots older than that and, with `delete`, the files that only they need; how many snapshots went.

    Iceberg's own API, on the driver: the SQL procedure does the same with a distributed job, at ten times the cost.
    """
    with lake.lock(spec.name):
        before = len(lake.catalog().load_table(spec.name).snapshots())
        if before <= SNAPSHOTS_MIN:
            return 0
        name = f"{addresses.catalogue()}.{spec.name}"
        jvm: Any = application._jvm  # noqa: SLF001 - the only way to the Java table
        java_session = application._jsparkSession  # noqa: SLF001
        table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(java_session, name)
        expiry = table.expireSnapshots().expireOlderThan(int(older_than.timestamp() * 1000)).retainLast(SNAPSHOTS_MIN)
        expiry.cleanExpiredFiles(delete).commit()
        return before - len(lake.catalog().load_table(spec.name).snapshots())


def main(argv: list[str]) -> int:
    """`riverhouse maintain`: let the running sink do it, or do it here. Prints what was done; 1 where it did not finish."""
    parser = argparse.ArgumentParser(prog="riverhouse maintain", description=__doc__)
    parser.add_argument("--wait", type=float, default=600, help="seconds to wait for a running sink")
    wait_s: float = parser.parse_args(argv).wait
    session = writer_lock.connect()
    try:
        done = _here() if writer_lock.try_lock(session) else _ask(session, wait_s)
    except LakeError as e:
        print(e)
        return 1
    finally:
        session.close()
    print("\n".join(f"{k.replace('_', ' '):>18}  {v}" for k, v in done.items()))
    return 0


def _here() -> dict[str, Any]:
    print("no sink is running: maintaining here")
    application = spark.session("riverhouse-maintain")
    try:
        return maintain(application, {s.name: FencedTable(s.name) for s in all_tables() if s.append_only})
    finally:
        application.stop()


def _ask(session: connection, wait_s: float) -> dict[str, Any]:
    print("asking the running sink")
    writer_lock.listen(session, ANSWER)
    writer_lock.notify(session, ASK)
    answer = writer_lock.heard(session, wait_s)
    if answer is None:
        raise LakeError(
            "the sink has not finished maintenance",
            f"no answer within {wait_s:.0f} s",
            "see the sink's log; or give it longer: --wait",
        )
    answered: dict[str, Any] = json.loads(answer)
    return answered
