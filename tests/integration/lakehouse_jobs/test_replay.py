"""Replays beside a running lake: the same rows from Kafka, from bronze, on other partitions and workers; a changed processor is found.

Both businesses' worlds of the simulation, small, go through live workers and the sink; the tests share that lake and follow one
another.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from lakehouse_jobs import lake, replay, sides
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.replay import programs
from riverhouse import addresses
from riverhouse.local.testing import start_stack
from tests.integration.kafka import end_offsets, send, wait_for
from tests.integration.lakehouse_jobs import lakehouse
from tests.sim import animeverse_world, world
from topics.catalogue import STREAMS
from topics.tweets import TWEETS

SETTINGS = {
    "RIVERHOUSE_LAKE__TRIGGER_S": "0.5",
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
        yield folder
    lake.catalog.cache_clear()


def settle() -> None:
    """Wait until the live workers have nothing left to do."""
    consumer = Consumer({"bootstrap.servers": addresses.bootstrap(), "group.id": "tests"})
    programs.drain(consumer, STREAMS, "", lambda: None, lambda _: None)
    consumer.close()


def replayed(*arguments: str) -> int:
    return replay.main([*arguments])


def test_a_verbatim_replay_of_everything_is_equal(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main(["all", "--from", "beginning", "--as", "first", "--workers", "2"]) == 0, capsys.readouterr().out
    told = capsys.readouterr().out
    assert "no difference" in told
    assert "not compared" not in told
    assert sides.names() == []
    assert not [t for t in topics() if t.startswith("first.")]
    assert not list((addresses.home() / "data" / "sides").glob("*"))


@pytest.mark.parametrize(("partitions", "workers", "gold"), [(1, 1, False), (2, 2, True), (8, 2, False)])
def test_other_partitions_and_workers_give_the_same_rows(
    home: pathlib.Path, capsys: pytest.CaptureFixture[str], partitions: int, workers: int, gold: bool
) -> None:
    how = ["--partitions", str(partitions), "--workers", str(workers), "--gold" if gold else "--no-gold"]
    assert replay.main(["all", "--from", "beginning", *how]) == 0, capsys.readouterr().out
    silver = {
        "silver.tweets",
        "silver.animeverse_pos",
        "silver.animeverse_stock",
        "silver.duplicates",
        "silver.quarantine",
    }
    assert equal(capsys.readouterr().out) >= silver | (
        {"gold.fact_sales", "gold.active_users_by_day"} if gold else set()
    )


def test_a_changed_processor_is_found(
    home: pathlib.Path, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "changed_processors.py").write_text(CHANGED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    changed = ["tweets", "--from", "beginning", "--processors", "changed_processors"]
    assert replay.main(changed) == 1
    told = capsys.readouterr().out
    assert re.search(r"^silver.tweets \d \d+: language \"\w+\" → \"\w+ or so\"$", told, re.MULTILINE)
    assert equal(told) >= {"bronze.tweets", "silver.duplicates", "silver.quarantine", "gold.tweet_volume_by_region"}
    assert "tables differ: silver.tweets, gold.kpi_log, gold.tweet_metrics_by_language" in told
    assert replay.main([*changed, "--accept"]) == 0


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


def test_a_replay_that_begins_late_says_what_it_can(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main(["tweets", "--from", "0:100,1:50", "--to", "0:400", "--workers", "2"]) == 0, (
        capsys.readouterr().out
    )
    told = capsys.readouterr().out
    assert equal(told) == {"bronze.tweets", "silver.tweets", "silver.quarantine"}
    assert "not compared: gold.kpi_log" in told


def test_what_kafka_has_dropped_is_replayed_from_bronze(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap()})
    for deleted in admin.delete_records([TopicPartition(TWEETS.raw.name, 0, 120)]).values():
        deleted.result(30)
    with pytest.raises(LakeError, match="--source bronze"):
        replay.main(["tweets", "--from", "beginning"])
    assert replay.main(["tweets", "--from", "beginning", "--source", "bronze"]) == 0, capsys.readouterr().out
    assert "not compared" not in capsys.readouterr().out


def test_a_replayed_lake_takes_the_live_ones_place(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sides.locations(addresses.CATALOG)
    assert replay.main(["all", "--from", "beginning", "--source", "bronze", "--swap", "--as", "then"]) == 0, (
        capsys.readouterr().out
    )
    after = sides.locations(addresses.CATALOG)
    assert {t for t in before if before[t].split("/metadata/")[0] == after[t].split("/metadata/")[0]} == {
        "gold.kpi_log",
        "gold.reconciliation_runs",
    }
    assert sides.names() == ["side_then"]
    send(TWEETS.raw.name, world.raw_partitions(6, PARTITIONS, events=300))
    settle()
    ends = {f"{TWEETS.raw.name}/{p}": end - 1 for p, end in enumerate(end_offsets(TWEETS.raw.name))}
    wait_for("bronze has the new records", lambda: lakehouse.fence("bronze.tweets") == ends)
    capsys.readouterr()
    assert replay.main(["tweets", "--from", "beginning", "--source", "bronze"]) == 0, capsys.readouterr().out
    assert "not compared" not in capsys.readouterr().out


def equal(told: str) -> set[str]:
    """The tables that were found equal."""
    return set(re.findall(r"^│ (\S+) .* equal", told, re.MULTILINE))


def topics() -> list[str]:
    return list(AdminClient({"bootstrap.servers": addresses.bootstrap()}).list_topics(timeout=10).topics)
