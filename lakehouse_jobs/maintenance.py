"""Keeping the lake small: compaction of small files, folding of the KPI log, expiry of old snapshots and of files that no table has.

It runs beside the sink (background.py), every `lake.maintenance_interval_s`, and whenever `riverhouse maintain` asks. Where no
sink runs, `riverhouse maintain` does the work itself, holding the writer's lock.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import Any

from psycopg2.extensions import connection
from pyspark.sql import SparkSession

from lakehouse_jobs import compaction, lake, shared_files, spark, writer_lock
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import TableSpec, all_tables
from lakehouse_jobs.writer import FencedTable
from riverhouse import addresses, clock
from riverhouse.logs import logger
from riverhouse.settings import load

log = logger(__name__)
ASK, ANSWER = "riverhouse_maintain", "riverhouse_maintained"  # PostgreSQL channels
ASK_EVERY_S = 5.0
SNAPSHOTS_MIN = 1  # kept however old they are


def keep(
    application: SparkSession,
    session: connection,
    table: Callable[[str], FencedTable],
    stopping: threading.Event,
    since: dt.datetime,
) -> None:
    """Maintain now and then, and once for each request that `session`, which listens, hears of; until told to stop.

    `table` gives a table of that name, to which merged files are committed. `since`: as of `maintain`.
    """
    application.sparkContext.setLocalProperty("spark.scheduler.pool", "maintenance")
    due = clock.monotonic() + load().lake.maintenance_interval_s
    answered = None
    while not stopping.is_set():
        asked = writer_lock.heard(session, within_s=1.0)
        writer_lock.still_open(session)
        again, idle = asked is not None and asked == answered, asked is None and clock.monotonic() < due
        if again or idle:
            continue
        done = maintain(application, since, table, stopping.is_set)
        log.info("maintained", **done)
        if asked is not None:
            writer_lock.notify(session, ANSWER, json.dumps({"asked": asked, "done": done}))
            answered = asked
        due = clock.monotonic() + load().lake.maintenance_interval_s


def maintain(
    application: SparkSession,
    since: dt.datetime,
    table: Callable[[str], FencedTable] = FencedTable,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Compact and expire every table, delete what belongs to none; what was done, in numbers.

    `since` when the one who writes does so: of what is younger a file may still be committed, however long the machine has slept.
    """
    began, merged, expired = clock.monotonic(), compaction.Merged(), 0
    for spec in all_tables():
        if stop():
            break
        if spec.append_only:
            target = table(spec.name)
            merged += compaction.compact(spec, target, stop)
            target.restamp()
    with lake.lock(lake.PINNED), shared_files.deletable() as may:
        for spec in all_tables():
            older_than = clock.now() - dt.timedelta(seconds=load().lake.snapshots_kept_s)
            expired += expire(application, spec, older_than, delete=may)
        collected = (
            shared_files.collect(min(since, clock.now() - shared_files.GRACE))
            if may and shared_files.collectable()
            else 0
        )
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
    since, application = clock.now(), spark.session("riverhouse-maintain")
    try:
        return maintain(application, since)
    finally:
        application.stop()


def _ask(session: connection, wait_s: float) -> dict[str, Any]:
    print("asking the running sink")
    writer_lock.listen(session, ANSWER)
    number, deadline = f"{session.info.backend_pid} at {clock.now()}", clock.monotonic() + wait_s
    while (left := deadline - clock.monotonic()) > 0:
        writer_lock.notify(session, ASK, number)  # again and again: who starts just now did not hear the first
        answer = json.loads(writer_lock.heard(session, min(left, ASK_EVERY_S)) or "{}")
        if answer.get("asked") == number:
            done: dict[str, Any] = answer["done"]
            return done
    raise LakeError(
        "the sink has not finished maintenance",
        f"no answer within {wait_s:.0f} s",
        "see the sink's log; or give it longer: --wait",
    )
