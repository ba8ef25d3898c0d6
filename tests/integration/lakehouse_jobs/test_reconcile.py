"""`riverhouse reconcile` over real workers and a real sink: clean first; then with one wrong thing in each place, each named.

The tests share one lake and follow one another.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from lakehouse_jobs import fences, lake
from lakehouse_jobs.reconcile import animeverse, command, schedule, tweets
from lakehouse_jobs.reconcile.recomputed import Recomputed
from lakehouse_jobs.tables import GOLD_TABLES
from riverhouse import addresses
from riverhouse.local.testing import start_stack
from tests.integration.kafka import KafkaLogs, committed, end_offsets, send, wait_for
from tests.integration.lakehouse_jobs import lakehouse
from tests.integration.lakehouse_jobs.lakehouse import SinkProcess
from tests.sim import animeverse_world, checks, world
from topics.catalogue import STREAMS
from topics.tweets import TWEETS, VOLUME_BY_REGION

SETTINGS = {
    "RIVERHOUSE_LAKE__TRIGGER_S": "1", "RIVERHOUSE_LAKE__ARCHIVE_TRIGGER_S": "1", "RIVERHOUSE_LAKE__GOLD_INTERVAL_S": "1", "RIVERHOUSE_LAKE__SPARK_HEAP_MB": "768",
    "RIVERHOUSE_LAKE__MAINTENANCE_INTERVAL_S": "3600", "RIVERHOUSE_LAKE__SNAPSHOTS_KEPT_S": "3600",
}  # fmt: skip
FIRST_FIGURE = {"tweets": "gold.tweet_volume_by_region", "animeverse": "gold.sales_by_minute"}
SERVERS = ("kafka", "registry", "topics", "postgres", "tables")


@contextlib.contextmanager
def worker(business: str) -> Iterator[None]:
    with (addresses.home() / f"worker-{business}.log").open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "processors", "worker", business], stdout=out, stderr=out)
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lake with all that workers and sink made of two small worlds; neither runs any more."""
    with start_stack(tmp_path_factory.mktemp("reconcile"), only=SERVERS, settings_env=SETTINGS):
        lake.catalog.cache_clear()
        send(TWEETS.raw.name, world.raw_partitions(3, partitions=3, events=900))
        for topic, logs in animeverse_world.raw_logs(4, 3, 300).items():
            send(topic, logs)
        with lakehouse.sink_process() as sink, worker("tweets"), worker("animeverse"):
            wait_for("the workers are done", workers_are_done, 240)
            wait_for("gold has begun", lambda: gold_is_filled(sink), 240)
            for business in ("tweets", "animeverse"):
                assert command.main([business]) == 0
            assert sink.stop() == 0
        yield
    lake.catalog.cache_clear()


def workers_are_done() -> bool:
    topics = [(s.group, t.name) for s in STREAMS for t in (s.raw, *((s.partials,) if s.kpis else ()))]
    return all(
        max(0, have) == end for g, t in topics for have, end in zip(committed(g, t), end_offsets(t), strict=True)
    )


def gold_is_filled(sink: SinkProcess) -> bool:
    assert sink.process is not None
    assert sink.process.poll() is None, sink.log.read_text()[-3000:]
    return all(lakehouse.fence(f"gold.{t}", fences.AS_OF) for t in compared(tweets.RECOMPUTED, animeverse.RECOMPUTED))


def compared(*businesses: Recomputed) -> set[str]:
    mirrors = {k.name for b in businesses for k, _ in b.kpis} & {t.name for t in GOLD_TABLES}
    return mirrors | {s.table for b in businesses for s in b.summaries}


Printed = Callable[..., str]


@pytest.fixture
def reconcile(settled: None, capsys: pytest.CaptureFixture[str]) -> Printed:
    def run(*arguments: str, code: int) -> str:
        capsys.readouterr()
        got, printed = command.main([*arguments, "--wait", "60"]), capsys.readouterr().out
        assert got == code, printed
        return printed

    return run


def runs(business: str) -> list[dict[str, Any]]:
    """The checks of the last run, as the lake keeps them."""
    kept = [r for r in lakehouse.rows("gold.reconciliation_runs").to_pylist() if r["business"] == business]
    last = max(r["ran_at"] for r in kept)
    return [r for r in kept if r["ran_at"] == last]


def replaced(
    table: str,
    where: str,
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    which: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> dict[str, Any]:
    """Put something else in the place of the first row for which the conditions hold, behind the sink's back; what it was."""
    target = lake.catalog().load_table(table)
    found = target.scan(row_filter=where).to_arrow()
    rows = found.to_pylist()
    at = next(i for i, row in enumerate(rows) if which(row))
    kept = [r for r in (change(dict(rows[at])),) if r is not None]
    target.delete(where)
    target.append(pa.Table.from_pylist([*rows[:at], *kept, *rows[at + 1 :]], found.schema))
    return rows[at]


def test_a_clean_lake_is_clean_and_the_lake_says_so(settled: None) -> None:
    for business, recomputed in (("tweets", tweets.RECOMPUTED), ("animeverse", animeverse.RECOMPUTED)):
        found = runs(business)
        assert all(r["different"] == 0 and r["compared"] > 0 for r in found)
        subjects = {(r["check_name"], r["subject"]) for r in found}
        assert {("gold", f"gold.{t}") for t in compared(recomputed)} <= subjects
        assert {(c, k.topic) for k, _ in recomputed.kpis for c in ("live", "kpi log")} <= subjects
        assert {("live", r.topic) for f in recomputed.facts for r in f.stream.rankings} <= subjects


@pytest.mark.parametrize("business", ["tweets", "animeverse"])
def test_a_part_of_the_windows_is_clean_too(reconcile: Printed, business: str) -> None:
    whole = {(r["check_name"], r["subject"]): r["compared"] for r in runs(business)}
    starts = sorted(r["window_start_at"] for r in lakehouse.rows(FIRST_FIGURE[business], "window_start_at").to_pylist())
    reconcile(business, "--since", starts[len(starts) // 2].isoformat(), "--until", starts[-2].isoformat(), code=0)
    part = {(r["check_name"], r["subject"]): r["compared"] for r in runs(business)}
    name = FIRST_FIGURE[business]
    assert 0 < part["gold", name] < whole["gold", name]


def test_a_scheduled_run_is_a_process_of_its_own(settled: None) -> None:
    """It looks at the last hours, in which these old worlds have no windows."""
    before = len(lakehouse.rows("gold.reconciliation_runs"))
    assert schedule.run("animeverse", threading.Event()) == 0
    assert len(lakehouse.rows("gold.reconciliation_runs")) > before


def test_each_wrong_row_is_named_in_its_place(reconcile: Printed) -> None:
    newest = checks.newest(KafkaLogs([VOLUME_BY_REGION.topic]), VOLUME_BY_REGION.topic)
    (key, cell), (_, other) = sorted(newest.items())[:2]
    producer = Producer({"bootstrap.servers": addresses.bootstrap()})
    producer.produce(
        VOLUME_BY_REGION.topic, json.dumps({**cell, "tweets": 4321, "revision": cell["revision"] + 1}), key
    )
    ranking = TWEETS.rankings[0].topic
    place, top = min(checks.newest(KafkaLogs([ranking]), ranking).items())
    leader = {**top["entries"][0], "tweets": 4320}
    producer.produce(
        ranking, json.dumps({**top, "entries": [leader, *top["entries"][1:]], "revision": top["revision"] + 1}), place
    )
    assert producer.flush(30) == 0
    window = f"window_start_at = '{other['window_start_at'].replace('Z', '+00:00')}'"
    logged = replaced(
        "gold.kpi_log", f"kpi = '{VOLUME_BY_REGION.topic}' and {window} and revision = {other['revision']}",
        lambda r: {**r, "measures": [*((n, v) for n, v in r["measures"] if n != "users"), ("users", 4322.0)]},
        lambda r: dict(r["dimensions"])["region"] == other["region"],
    )  # fmt: skip
    silver = replaced("silver.tweets", "raw_partition = 1", lambda r: {**r, "likes": 4323})
    gold = replaced("gold.tweet_metrics_by_language", "tweets > 0", lambda r: {**r, "tweets": 4324})
    lake.catalog().load_table("gold.popular_hashtags_by_hour").delete("tweets > 0")
    printed = reconcile("tweets", code=1)
    assert (
        f"live, {VOLUME_BY_REGION.topic}: start {cell['window_start_at']}, region '{cell['region']}': tweets expected {cell['tweets']}, found 4321"
        in printed
    )
    assert (
        f"live, {ranking}: start {top['window_start_at']}, rank 1: tweets expected {top['entries'][0]['tweets']}, found 4320"
        in printed
    )
    assert f"region '{other['region']}': users expected {dict(logged['measures'])['users']:.0f}, found 4322" in printed
    assert (
        f"silver, silver.tweets: raw_partition 1, raw_offset {silver['raw_offset']}: likes expected {silver['likes']}, found 4323"
        in printed
    )
    assert f"language '{gold['language']}': tweets expected {gold['tweets']}, found 4324" in printed
    assert "gold, gold.popular_hashtags_by_hour: " in printed
    wrong = {(r["check_name"], r["subject"]): r["different"] for r in runs("tweets") if r["different"]}
    emptied = wrong.pop(("gold", "gold.popular_hashtags_by_hour"))
    assert emptied > 1
    assert wrong == {
        ("live", VOLUME_BY_REGION.topic): 1, ("live", ranking): 1, ("kpi log", VOLUME_BY_REGION.topic): 1, ("silver", "silver.tweets"): 1,
        ("gold", "gold.tweet_metrics_by_language"): 1,
    }  # fmt: skip


def test_a_missing_offset_of_bronze_is_named(reconcile: Printed) -> None:
    gone = replaced("bronze.animeverse_inventory", "partition = 0 and offset > 2", lambda _: None)
    printed = reconcile("animeverse", code=1)
    assert (
        f"bronze, bronze.animeverse_inventory: partition 0, offset {gone['offset']}: expected a record, found none"
        in printed
    )


def test_a_wrong_fact_is_named(reconcile: Printed) -> None:
    sale = replaced("gold.fact_sales", "net_cents > 0", lambda r: {**r, "margin_cents": 4325})
    printed = reconcile("animeverse", code=1)
    assert (
        f"receipt_id '{sale['receipt_id']}', line_no {sale['line_no']}: margin_cents expected {sale['margin_cents']}, found 4325"
        in printed
    )


def test_a_span_without_anything_says_so(reconcile: Printed) -> None:
    printed = reconcile("tweets", "--since", "2031-01-01", code=0)
    assert "nothing lies between --since and --until" in printed


def test_an_unknown_business_is_an_error(reconcile: Printed) -> None:
    assert "known: tweets, animeverse" in reconcile("bakery", code=1)
