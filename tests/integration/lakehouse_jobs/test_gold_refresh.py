"""AnimeVerse's gold tables on a real catalogue, refreshed after each of many batches with late versions, revisions, repeats.

What the refreshes have made of it in the end is what DuckDB makes of all events at once.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFile
from pyspark.sql import SparkSession

from lakehouse_jobs import animeverse, fences, gold, lake, routes, spark, tables
from lakehouse_jobs.animeverse import (
    fact_customer_engagement,
    fact_inventory_snapshot,
    fact_sales,
    gold_screenings_by_hour,
)
from lakehouse_jobs.gold_table import GoldTable
from lakehouse_jobs.writer import FencedTable
from riverhouse.local.testing import start_stack
from tests.integration.lakehouse_jobs import lakehouse
from tests.unit.lakehouse_jobs.animeverse import test_customer_engagement, test_inventory_snapshot, test_mirrors
from tests.unit.lakehouse_jobs.animeverse.samples import START, Samples, first_versions
from tests.unit.lakehouse_jobs.frames import answer, table
from topics.animeverse import STREAMS
from topics.animeverse.journeys import JOURNEYS, CleanStep
from topics.animeverse.pos import POS
from topics.animeverse.stock import STOCK, CleanMove
from topics.contract import Stream

BATCHES = 4
WINDOWED = (*animeverse.MIRRORS, fact_sales.TABLE, fact_inventory_snapshot.TABLE, fact_customer_engagement.TABLE)


class Lake:
    """The clean topics as far as they were published, and what of them the lake was offered."""

    def __init__(self) -> None:
        self.samples = Samples(21, days=4)
        self.taken = dict.fromkeys((s.prefix for s in STREAMS), 0)
        self.tables = {s.prefix: FencedTable(f"silver.{s.table}") for s in STREAMS}

    def offer(self) -> int:
        """Append what is new, and the last records before it a second time; how many rows were kept."""
        return sum(self._offer(s) for s in STREAMS if self.samples.published[s.prefix])

    def _offer(self, stream: Stream) -> int:
        events = self.samples.published[stream.prefix][max(0, self.taken[stream.prefix] - 5) :]
        self.taken[stream.prefix] = len(self.samples.published[stream.prefix])
        (rows,) = routes.split(_records(stream, events), routes.all_routes(), START).values()
        return self.tables[stream.prefix].append(rows)


def _records(stream: Stream, events: list[Any]) -> pa.Table:
    return pa.table({
        "topic": [stream.clean.name] * len(events),
        "partition": pa.array([e.raw_partition for e in events], pa.int32()),
        "offset": pa.array(range(len(events)), pa.int64()),
        "timestamp": pa.array([START] * len(events), pa.timestamp("us", tz="UTC")),
        "key": pa.array([b"k"] * len(events), pa.binary()),
        "value": pa.array([msgspec.json.encode(e) for e in events], pa.binary()),
        "headers": pa.array([None] * len(events), pa.map_(pa.string(), pa.binary())),
    })  # fmt: skip


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with start_stack(tmp_path_factory.mktemp("gold"), only=("postgres",)):
        lake.catalog.cache_clear()
        tables.create_all(lake.catalog())
        session = spark.session("gold-test", heap_mb=768)
        yield session
        session.stop()
    lake.catalog.cache_clear()


@pytest.fixture(scope="module")
def filled(application: SparkSession) -> Lake:
    world = Lake()
    first_versions(world.samples)
    for _ in range(BATCHES):
        world.samples.some(60)
        kept = world.offer()
        assert kept <= sum(len(p) for p in world.samples.published.values())
        gold.refresh_all(application, animeverse.GOLD_TABLES)
    return world


def rows(name: str) -> pa.Table:
    return lakehouse.rows(f"gold.{name}")


def test_repeats_are_dropped_and_revisions_kept(filled: Lake) -> None:
    for stream in STREAMS:
        assert lakehouse.rows(f"silver.{stream.table}").num_rows == len(filled.samples.published[stream.prefix])


@pytest.mark.parametrize("mirror", animeverse.MIRRORS, ids=lambda m: m.name)
def test_kpi_mirrors(filled: Lake, mirror: GoldTable) -> None:
    stream = mirror.sources[0].reads
    assert isinstance(stream, Stream)
    events = table(stream.clean_event, filled.samples.in_force(stream))
    shown = ", ".join(c for c in mirror.schema.column_names if c != "window_end_at")
    expected = answer(f"from ({test_mirrors.ORACLES[mirror.name]}) order by all", events=events)
    assert answer(f"select {shown} from rows order by all", rows=rows(mirror.name)) == expected


def test_sales(filled: Lake) -> None:
    receipts = table(POS.clean_event, filled.samples.in_force(POS))
    expected = """select event_id, l.line_no, revision, l.category, l.net_cents, l.margin_cents
                  from (select event_id, revision, unnest(lines) as l from receipts) order by 1, 2"""
    found = "select receipt_id, line_no, revision, category, net_cents, margin_cents from rows order by 1, 2"
    assert answer(found, rows=rows("fact_sales")) == answer(expected, receipts=receipts)


def test_stock(filled: Lake) -> None:
    moves = table(CleanMove, filled.samples.in_force(STOCK))
    found = answer(test_inventory_snapshot.FOUND, rows=rows("fact_inventory_snapshot"))
    assert found == answer(test_inventory_snapshot.ORACLE, moves=moves)


def test_engagement(filled: Lake) -> None:
    steps = table(CleanStep, filled.samples.published[JOURNEYS.prefix])
    found = answer(test_customer_engagement.FOUND, rows=rows("fact_customer_engagement"))
    assert found == answer(test_customer_engagement.ORACLE, steps=steps)


def test_every_fact_is_on_a_version_that_held(filled: Lake) -> None:
    for entity in ("product", "title", "customer", "store"):
        apart = f"""select count(*) from facts f left join dim d on d.{entity}_key <> 0 and d.{entity}_id = f.{entity}_id
                    and f.sold_at >= d.valid_from and f.sold_at < d.valid_to
                    where coalesce(d.{entity}_key, 0) <> f.{entity}_key"""
        assert answer(apart, facts=rows("fact_sales"), dim=rows(f"dim_{entity}")) == [(0,)]


def test_every_key_is_there_once(filled: Lake) -> None:
    for gold_table in animeverse.GOLD_TABLES:
        keys = ", ".join(gold_table.key)
        found = answer(f"select count(*), count(distinct ({keys})) from rows", rows=rows(gold_table.name))
        assert found[0][0] == found[0][1], gold_table.name
        assert found[0][0] > 0 or gold_table in animeverse.PERIODIC, gold_table.name


def test_nothing_is_written_where_nothing_changed(filled: Lake, application: SparkSession) -> None:
    assert gold.refresh_all(application, animeverse.GOLD_TABLES) == {}


def test_computed_anew_it_is_the_same(filled: Lake, application: SparkSession) -> None:
    names = [t.name for t in WINDOWED]
    before = {n: answer("from rows order by all", rows=rows(n)) for n in names}
    assert set(gold.refresh_all(application, WINDOWED, anew=True)) == set(names)
    for name in names:
        assert answer("from rows order by all", rows=rows(name)) == before[name], name


def test_a_late_receipt_rewrites_only_its_hour(filled: Lake, application: SparkSession) -> None:
    before = files("gold.fact_sales")
    receipt = filled.samples.receipt()
    filled.offer()
    assert "fact_sales" in gold.refresh_all(application, animeverse.GOLD_TABLES)
    after = files("gold.fact_sales")
    hours = {after[p].partition[0] for p in after.keys() - before.keys()}
    assert hours == {int((receipt.event_at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(hours=1))}
    assert lakehouse.fence("gold.fact_sales", fences.AS_OF).items() >= lakehouse.fence("silver.animeverse_pos").items()


def test_a_table_that_lay_by_the_hour_is_refreshed_by_the_day(filled: Lake, application: SparkSession) -> None:
    """A lake from before its partitions were changed: old files lie in hours, until their day is written again."""
    mirror = gold_screenings_by_hour.TABLE
    by_day = tables.gold(mirror)
    hourly = dataclasses.replace(by_day, partition=(mirror.time, tables.HOUR))
    assert tables.create(lake.catalog(), hourly) == [f"{by_day.name}: new files lie by hour(window_start_at)"]
    gold.refresh_all(application, [mirror], anew=True)
    before = files(by_day.name)
    assert len({f.partition[0] for f in before.values()}) == len(before) > 1
    assert tables.create(lake.catalog(), by_day) == [f"{by_day.name}: new files lie by day(window_start_at)"]
    assert tables.create(lake.catalog(), by_day) == []
    filled.samples.some(10)
    filled.offer()
    assert mirror.name in gold.refresh_all(application, animeverse.GOLD_TABLES)
    after, now = files(by_day.name), lake.catalog().load_table(by_day.name).spec().spec_id
    assert {after[path].spec_id for path in after.keys() - before.keys()} == {now}
    assert now not in {f.spec_id for f in before.values()}
    test_kpi_mirrors(filled, mirror)


def files(name: str) -> dict[str, DataFile]:
    tasks = lake.catalog().load_table(name).scan().plan_files()
    return {t.file.file_path: t.file for t in tasks}
