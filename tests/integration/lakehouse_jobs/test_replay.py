"""Replays beside a running lake: the same rows from Kafka, from bronze, on other partitions and workers; a changed processor is found.

Both businesses' worlds of the simulation, small, go through live workers and the sink; the tests share that lake and follow one
another: the last one puts a side in its place.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from lakehouse_jobs import lake, replay, restore, sides
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.replay import programs
from riverhouse import addresses
from riverhouse.local.testing import start_stack
from tests.integration.kafka import end_offsets, send, wait_for
from tests.integration.lakehouse_jobs import lakehouse
from tests.sim import animeverse_world, world
from topics.animeverse.pos import POS
from topics.catalogue import STREAMS
from topics.contract import Stream
from topics.tweets import TWEETS

SETTINGS = {
    "RIVERHOUSE_LAKE__TRIGGER_S": "0.5",
    "RIVERHOUSE_LAKE__ARCHIVE_TRIGGER_S": "0.5",
    "RIVERHOUSE_LAKE__GOLD_INTERVAL_S": "1",
    "RIVERHOUSE_LAKE__MAINTENANCE_INTERVAL_S": "3600",
    "RIVERHOUSE_LAKE__SPARK_HEAP_MB": "640",
    "RIVERHOUSE_WORKERS__SESSION_TIMEOUT_S": "6",
}
SERVERS = ("kafka", "registry", "postgres", "topics", "tables", "workers", "sink")
PARTITIONS = 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """A lake that has taken both worlds in."""
    with start_stack(tmp_path_factory.mktemp("replay"), only=SERVERS, settings_env=SETTINGS) as folder:
        lake.catalog.cache_clear()
        send(TWEETS.raw.name, world.raw_partitions(5, PARTITIONS, events=1500))
        for topic, logs in animeverse_world.raw_logs(3, PARTITIONS, events=500).items():
            send(topic, logs)
        settle()
        wait_for("bronze has the tweets", lambda: lakehouse.fence("bronze.tweets") == last_offsets(TWEETS))
        wait_for("bronze has the receipts", lambda: lakehouse.fence("bronze.animeverse_pos") == last_offsets(POS))
        yield folder
    lake.catalog.cache_clear()


def last_offsets(stream: Stream) -> dict[str, int]:
    """What the fence of a stream's bronze says when all is there."""
    return {f"{stream.raw.name}/{p}": end - 1 for p, end in enumerate(end_offsets(stream.raw.name))}


def settle() -> None:
    """Wait until the live workers have nothing left to do."""
    consumer = Consumer({"bootstrap.servers": addresses.bootstrap(), "group.id": "tests"})
    programs.drain(consumer, STREAMS, "", lambda: None, lambda _: None)
    consumer.close()


def replayed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """What a replay returned, and what it printed."""
    code = replay.main([*arguments])
    told = capsys.readouterr().out
    print(told)  # what a failure shows
    return code, told


def test_a_verbatim_replay_is_equal_and_leaves_nothing(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = replayed(capsys, "tweets", "--from", "beginning", "--as", "first", "--workers", "2", "--no-gold")
    assert code == 0
    assert equal(told) == {"bronze.tweets", *log_of("tweets"), "gold.kpi_log"}
    assert "not compared" not in told
    assert sides.names() == []
    assert not [t for t in topics() if t.startswith("first.")]
    assert not list((addresses.home() / "data" / "sides").glob("*"))


@pytest.mark.parametrize(
    ("business", "partitions", "workers"), [("tweets", 1, 2), ("tweets", 2, 1), ("animeverse", 8, 2)]
)
def test_other_partitions_and_workers_give_the_same_rows(
    home: pathlib.Path, capsys: pytest.CaptureFixture[str], business: str, partitions: int, workers: int
) -> None:
    how = ["--partitions", str(partitions), "--workers", str(workers), "--no-gold"]
    code, told = replayed(capsys, business, "--from", "beginning", *how)
    assert code == 0
    assert equal(told) == log_of(business)
    assert not_compared(told) == {"gold.kpi_log"}


def test_a_replay_that_begins_late_says_what_it_can(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = replayed(capsys, "tweets", "--from", "0:100,1:50", "--to", "0:400", "--workers", "2", "--no-gold")
    assert code == 0
    assert equal(told) == {"bronze.tweets", "silver.tweets", "silver.quarantine"}
    assert not_compared(told) == {"silver.duplicates", "gold.kpi_log"}
    ends = end_offsets(TWEETS.raw.name)
    assert re.search(rf"bronze.tweets +│ {300 + ends[1] - 50 + ends[2]:,} ", told)


def test_a_changed_processor_is_found(home: pathlib.Path, capsys: pytest.CaptureFixture[str], changed: str) -> None:
    """Also: live rows that come from beyond the replay's end are left out."""
    code, told = replayed(capsys, "tweets", "--from", "beginning", "--to", "0:300,1:250", "--processors", changed)
    assert code == 1
    assert re.search(r"^silver.tweets \d \d+: language \"\w+\" → \"\w+ or so\"$", told, re.MULTILINE)
    assert equal(told) == {"bronze.tweets", "silver.duplicates", "silver.quarantine", "gold.tweet_volume_by_region"}
    assert re.search(r"gold.tweet_volume_by_region .* equal \(\d+ left out: changed since\)", told)
    assert "3 tables differ: silver.tweets, gold.kpi_log, gold.tweet_metrics_by_language" in told


def test_a_changed_processor_is_rolled_out_from_what_bronze_holds(
    home: pathlib.Path, capsys: pytest.CaptureFixture[str], changed: str
) -> None:
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap()})
    gone = [TopicPartition(TWEETS.raw.name, 0, 120), TopicPartition(POS.raw.name, 1, 30)]
    for deleted in admin.delete_records(gone).values():
        deleted.result(30)
    everything = ["all", "--from", "beginning", "--processors", changed]
    with pytest.raises(LakeError, match="--source bronze"):
        replay.main(everything)
    before = folders()
    code, told = replayed(capsys, *everything, "--source", "bronze", "--as", "then", "--swap", "--accept")
    assert code == 0
    assert "3 tables differ: silver.tweets, gold.kpi_log, gold.tweet_metrics_by_language" in told
    assert "not compared" not in told
    assert equal(told) >= {"bronze.tweets", "bronze.animeverse_pos", "silver.animeverse_pos", "gold.fact_sales"}
    after = folders()
    assert {table for table in before if before[table] == after[table]} == {"gold.kpi_log", "gold.reconciliation_runs"}
    assert sides.names() == ["side_then"]
    assert any(language.endswith(" or so") for language in lakehouse.rows("silver.tweets", "language")[0].to_pylist())


def test_the_lake_goes_on_after_the_exchange_and_after_going_back(home: pathlib.Path) -> None:
    replayed_in = folders()
    send(TWEETS.raw.name, world.raw_partitions(6, PARTITIONS, events=300))
    settle()
    each_tweet_has_one_fate()
    restore.swap("then", hold=False)
    back = folders()
    assert {table for table in back if back[table] == replayed_in[table]} == {
        "gold.kpi_log",
        "gold.reconciliation_runs",
    }
    assert not [x for x in lakehouse.rows("silver.tweets", "language")[0].to_pylist() if x.endswith(" or so")]
    each_tweet_has_one_fate()


def each_tweet_has_one_fate() -> None:
    """Wait until the sink has taken all tweets, then see that each is there once."""
    received = [(p, offset) for p, end in enumerate(end_offsets(TWEETS.raw.name)) for offset in range(end)]
    wait_for("the sink has all tweets", lambda: lakehouse.positions("bronze.tweets") == received == fates())


@pytest.fixture
def changed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a program like `processors`, with a change."""
    (tmp_path / "changed_processors.py").write_text(CHANGED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return "changed_processors"


CHANGED = """
import dataclasses, sys
import msgspec
import processors.__main__ as program
from topics.contract import CleanEvent

(flow,) = program.FLOWS["tweets"]

def accept(event, cause, figures):
    clean = flow.accept(event, cause, figures)
    changes = isinstance(clean, CleanEvent) and clean.raw_offset % 7 == 3
    return msgspec.structs.replace(clean, language=clean.language + " or so") if changes else clean

program.FLOWS["tweets"] = (dataclasses.replace(flow, accept=accept),)
sys.argv[0] = "changed_processors"
program.main()
"""


def fates() -> list[tuple[int, int]]:
    """The raw positions of all tweets that silver, duplicates and quarantine tell of."""
    found = lakehouse.positions("silver.tweets")
    for table in ("silver.duplicates", "silver.quarantine"):
        rows = lakehouse.rows(table, "stream", "raw_partition", "raw_offset").to_pylist()
        found += [(r["raw_partition"], r["raw_offset"]) for r in rows if r["stream"] == TWEETS.prefix]
    return sorted(found)


def log_of(business: str) -> set[str]:
    """The tables of what became of a business's events."""
    return {f"silver.{s.table}" for s in STREAMS if s.domain == business} | {"silver.duplicates", "silver.quarantine"}


def equal(told: str) -> set[str]:
    """The tables that were found equal."""
    return set(re.findall(r"^│ (\S+) .* equal", told, re.MULTILINE))


def folders() -> dict[str, str]:
    """Where each table of the live lake is."""
    return {table: at.split("/metadata/")[0] for table, at in sides.locations(addresses.CATALOG).items()}


def not_compared(told: str) -> set[str]:
    return set(re.findall(r"^not compared: (\S+): ", told, re.MULTILINE))


def topics() -> list[str]:
    return list(AdminClient({"bootstrap.servers": addresses.bootstrap()}).list_topics(timeout=10).topics)
