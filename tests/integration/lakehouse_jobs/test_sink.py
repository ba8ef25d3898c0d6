"""The lake on real servers: rows arrive once, whatever happens; gold is what SQL says; maintenance changes nothing but files.

The tests share one lake and follow one another, as days do.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from lakehouse_jobs import (
    background,
    fences,
    lake,
    ledger,
    maintenance,
    tables,
    trino_client,
    tweets,
    views,
    writer_lock,
)
from lakehouse_jobs.compaction import FILES_MIN
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.shape import Shape
from riverhouse import addresses
from riverhouse.local import shared_classes
from riverhouse.rejected.letters import STATES
from tests.integration.certificates import tls
from tests.integration.kafka import wait_for
from tests.integration.lakehouse_jobs import lakehouse, letters
from tests.integration.lakehouse_jobs.lakehouse import PARTITIONS, START, SinkProcess, World
from topics.tweets import VOLUME_BY_REGION

SETTINGS = {
    "RIVERHOUSE_LAKE__TRIGGER_S": "1",
    "RIVERHOUSE_LAKE__ARCHIVE_TRIGGER_S": "1",
    "RIVERHOUSE_LAKE__GOLD_INTERVAL_S": "1",
    "RIVERHOUSE_LAKE__MAINTENANCE_INTERVAL_S": "3600",  # the tests ask for it
    "RIVERHOUSE_LAKE__SNAPSHOTS_KEPT_S": "1",
    "RIVERHOUSE_LAKE__SPARK_HEAP_MB": "640",
}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
VOLUME = "select region, date_trunc('minute', event_at), count(*), sum(engagement)::bigint, count(distinct user_id) from tweets group by 1, 2"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("lake")
    with lakehouse.servers(home, {**SETTINGS, **tls(home)}):
        views.create_all()
        yield World()


@pytest.fixture(scope="module")
def sink(world: World) -> Iterator[SinkProcess]:
    with lakehouse.sink_process() as process:
        yield process


def everything(world: World) -> list[tuple[int, int]]:
    return [(p, o) for p in range(PARTITIONS) for o in range(world.next[p])]


def caused() -> list[tuple[int, int]]:
    return sorted(p for t in ("tweets", "duplicates", "quarantine") for p in lakehouse.positions(f"silver.{t}"))


def test_every_record_arrives_once(world: World, sink: SinkProcess) -> None:
    world.send(700)
    sink.wait_for(world)
    assert lakehouse.positions("bronze.tweets") == everything(world)
    assert caused() == everything(world)
    assert len(lakehouse.positions("silver.tweets")) == world.clean


def test_a_second_sink_is_refused(sink: SinkProcess) -> None:
    with pytest.raises(LakeError, match="writer already"), writer_lock.only_writer(wait_s=0.1):
        pass


def test_a_lost_checkpoint_repeats_nothing(world: World, sink: SinkProcess) -> None:
    assert sink.stop() == 0
    shutil.rmtree(addresses.home() / "data" / "checkpoints" / "sink")
    world.send(50)
    sink.start()
    sink.wait_for(world)
    assert lakehouse.positions("bronze.tweets") == everything(world)
    assert caused() == everything(world)


def test_a_checkpoint_without_a_batch_repeats_nothing(world: World, sink: SinkProcess) -> None:
    """What a sink leaves that is killed while it plans its first batch."""
    assert sink.stop() == 0
    checkpoint = addresses.home() / "data" / "checkpoints" / "sink"
    for path in checkpoint.glob("*/commits/*"):
        path.unlink()
    for path in checkpoint.glob("*/offsets/*"):
        path.replace(path.with_name(".0.left.tmp"))
    world.send(50)
    sink.start()
    sink.wait_for(world)
    assert lakehouse.positions("bronze.tweets") == everything(world)
    assert caused() == everything(world)


def test_a_kill_repeats_nothing(world: World, sink: SinkProcess) -> None:
    world.send(200)
    its = children(sink)
    assert sink.stop(signal.SIGKILL) == -signal.SIGKILL
    assert psutil.wait_procs(its, 30)[1] == []  # no gold and no maintenance without a sink
    sink.start()
    world.send(200)
    sink.wait_for(world)
    assert lakehouse.positions("bronze.tweets") == everything(world)
    assert caused() == everything(world)


def test_its_java_starts_from_the_archive(sink: SinkProcess) -> None:
    archive = str(shared_classes.archive())
    maps = alive(sink, lambda p: p.memory_maps())
    assert any(m.path == archive for _, its in maps for m in its), "see `make setup`"


def children(sink: SinkProcess) -> list[psutil.Process]:
    assert sink.process
    return psutil.Process(sink.process.pid).children(recursive=True)


def alive(sink: SinkProcess, ask: Callable[[psutil.Process], Any]) -> list[tuple[psutil.Process, Any]]:
    """What the sink's processes answer; some of them live for a moment only."""
    found = []
    for process in children(sink):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append((process, ask(process)))
    return found


def others(sink: SinkProcess) -> list[psutil.Process]:
    """Gold's process; its priority is the first thing that it sets. A fork of it that is about to become Java looks the same."""
    found = alive(sink, lambda p: p.ppid() if "background" in p.cmdline() and p.nice() else None)
    its = [(p, parent) for p, parent in found if parent]
    return [p for p, parent in its if parent not in {other.pid for other, _ in its}]


def test_a_sink_does_not_go_on_without_gold(sink: SinkProcess) -> None:
    wait_for("gold's process", lambda: others(sink))
    (other,) = others(sink)
    assert other.nice() == background.LOW
    other.kill()
    assert sink.process
    assert sink.process.wait(60) == 1
    assert "gold and maintenance have ended" in sink.log.read_text()
    sink.start()


def test_the_ledger_balances_and_notices(world: World, sink: SinkProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger.main(["tweets"]) == 1  # nothing committed yet
    world.commit_as_the_workers_would()
    assert ledger.main(["tweets"]) == 0, capsys.readouterr().out
    world.producer.produce("tweets.raw", b"without a fate", partition=0)
    world.next[0] += 1
    world.producer.flush(30)
    world.commit_as_the_workers_would()
    assert ledger.main(["tweets"]) == 1
    assert "BROKEN" in capsys.readouterr().out
    world.next[0] -= 1
    lost = {"raw_partition": 0, "raw_offset": world.next[0], "ingested_at": START, "event_id": "e", "first_offset": 0}
    world.producer.produce("tweets.duplicates", json.dumps(lost, default=lambda t: t.isoformat()).encode(), partition=0)
    world.next[0] += 1
    world.producer.flush(30)
    assert ledger.main(["tweets"]) == 0, capsys.readouterr().out


def gold_is_up_to_date() -> None:
    def reached() -> bool:
        now = lakehouse.fence("silver.tweets")
        return all(lakehouse.fence(f"gold.{t.name}", fences.AS_OF) == now for t in tweets.GOLD_TABLES)

    wait_for("gold has caught up with silver", reached, within_s=400)


def test_gold_is_what_sql_says(world: World, sink: SinkProcess) -> None:
    gold_is_up_to_date()
    assert lakehouse.gold(
        "tweet_volume_by_region", "region", "window_start_at", "tweets", "engagement", "users"
    ) == lakehouse.computed(VOLUME)
    assert lakehouse.gold(
        "tweet_metrics_by_language", "language", "window_start_at", "tweets", "mean_sentiment"
    ) == lakehouse.computed(
        "select language, date_trunc('minute', event_at), count(*), sum(round_even(sentiment_score * 10000, 0)::bigint)::double / (count(*) * 10000)"
        " from tweets group by 1, 2"
    )
    assert lakehouse.gold(
        "popular_hashtags_by_hour", "hashtag", "window_start_at", "tweets", "engagement"
    ) == lakehouse.computed(
        "select unnest(list_distinct(hashtags)) as h, date_trunc('hour', event_at), count(*), sum(engagement)::bigint from tweets group by 1, 2"
    )
    assert lakehouse.gold(
        "active_users_by_day", "window_start_at", "users", "tweets", "engagement"
    ) == lakehouse.computed(
        "select date_trunc('day', event_at), count(distinct user_id), count(*), sum(engagement)::bigint from tweets group by 1"
    )


def test_a_late_row_revises_gold_and_only_its_window(world: World, sink: SinkProcess) -> None:
    before = lakehouse.gold("tweet_volume_by_region", "region", "window_start_at", "tweets")
    late = START - dt.timedelta(hours=30)
    world.send(1, at=late, spread_s=10)
    world.send(1, at=START, spread_s=10)
    sink.wait_for(world)
    gold_is_up_to_date()
    assert lakehouse.gold(
        "tweet_volume_by_region", "region", "window_start_at", "tweets", "engagement", "users"
    ) == lakehouse.computed(VOLUME)
    changed = {
        row[1]
        for row in set(lakehouse.gold("tweet_volume_by_region", "region", "window_start_at", "tweets")) ^ set(before)
    }
    assert changed == {late, START}


def test_the_newest_revision_is_shown(world: World, sink: SinkProcess) -> None:
    shown = (
        f"select region, tweets, engagement, users, revision, final from live_{VOLUME_BY_REGION.name} order by region"
    )
    world.send_kpi("DEU", tweets=1, revision=1)
    for revision in range(1, 6):  # each in a commit of its own
        world.send_kpi("USA", tweets=10 * revision, revision=revision)
        expected = [["DEU", 1, 2, 1, 1, False], ["USA", 10 * revision, 20 * revision, 1, revision, False]]
        wait_for(f"revision {revision} is shown", lambda expected=expected: trino_client.query(shown) == expected)
    live = trino_client.query("select max(_partition_offset) >= 0, max(event_at) from live.tweets.clean")
    assert live[0][0] is True


def test_maintenance_changes_files_and_no_row(world: World, sink: SinkProcess) -> None:
    names = [s.name for s in tables.all_tables() if s.append_only and s.name != tables.KPI_LOG.name]
    before = {n: (lakehouse.positions(n), lakehouse.fence(n)) for n in names}
    assert maintenance.main([]) == 0
    for name in names:
        table = lake.catalog().load_table(name)
        assert (lakehouse.positions(name), lakehouse.fence(name)) == before[name]
        days = {f.file.partition for f in table.scan().plan_files()}
        assert len(list(table.scan().plan_files())) <= FILES_MIN * len(days), name
    revisions = lakehouse.rows("gold.kpi_log", "kpi", "revision").to_pylist()
    assert sorted(r["revision"] for r in revisions) == [1, 5]
    world.send(20)  # a newer snapshot, so that the one that replaced the files can expire and take them with it
    sink.wait_for(world)
    wait_for("expiry deletes the files that were replaced", maintained_to_the_last_file)
    for name in names:
        made_of = Shape.of(lake.catalog().load_table(name))
        assert made_of.rows == len(lakehouse.positions(name))
        assert made_of.snapshots <= 3
        assert made_of.manifests <= int(lake.PROPERTIES["commit.manifest.min-count-to-merge"]), name


def maintained_to_the_last_file() -> bool:
    """Whether, after one more maintenance, silver's files on disk are those of its newest snapshot."""
    assert maintenance.main([]) == 0
    folder = addresses.home() / "data" / "warehouse" / "silver" / "tweets" / "data"
    planned = lake.catalog().load_table("silver.tweets").scan().plan_files()
    return {str(p) for p in folder.rglob("*.parquet")} == {f.file.file_path.removeprefix("file://") for f in planned}


def test_the_fence_is_found_behind_another_tool_s_commit(world: World, sink: SinkProcess) -> None:
    assert sink.stop() == 0
    fence = lakehouse.fence("silver.tweets")
    table = lake.catalog().load_table("silver.tweets")
    table.append(table.scan().to_arrow().slice(0, 0))  # a snapshot without a fence
    assert lakehouse.fence("silver.tweets") == fence
    shutil.rmtree(addresses.home() / "data" / "checkpoints" / "sink")
    world.send(20)
    sink.start()
    sink.wait_for(world)
    assert caused() == everything(world)


def letter_states() -> dict[str, int]:
    (count,) = letters.rejected("list", "tweets")["counts"]
    return {name: n for name, n in count.items() if name in STATES and n}


def test_letters_are_sent_once_whoever_dies_on_the_way(world: World, sink: SinkProcess) -> None:
    """With the sink away all is read from Kafka: what was sent, by whom, and what became of it. Then from the lake."""
    assert sink.stop() == 0
    before = list(world.next)
    (count,) = letters.rejected("list", "tweets")["counts"]
    total = count["rejected"]
    assert (count["stream"], count["reason"], count["open"]) == ("tweets", "bad_json", total)
    assert total == len(lakehouse.positions("silver.quarantine")) > 2 * letters.KILLED_AFTER
    assert letters.killed_in_the_middle("retry", "tweets") == -signal.SIGKILL
    assert len(letters.retries(before)) == letters.KILLED_AFTER
    assert letters.rejected("retry", "tweets")["sent"] == total - letters.KILLED_AFTER
    sent = letters.retries(before)
    assert len(sent) == total
    assert len({of for *_, of, _ in sent}) == total
    assert all(letters.in_partition_of_its_letter(r) for r in sent)
    raw = {
        (p, o): v
        for p, o, v in zip(
            *(lakehouse.rows("bronze.tweets")[c].to_pylist() for c in ("partition", "offset", "value")), strict=True
        )
    }
    assert all(raw[int(of.split("/")[1]), int(of.split("/")[2])] == value for *_, of, value in sent)
    assert letters.rejected("retry", "tweets")["sent"] == 0
    assert letter_states() == {"on its way": total}
    states = letters.give_fates(world, sent)
    assert letter_states() == states
    sink.start()
    wait_for(
        "the retries are in bronze",
        lambda: sum(lakehouse.fence("bronze.tweets").values()) == sum(world.next) - PARTITIONS,
        within_s=180,
    )
    wait_for(
        "and their rejections in quarantine",
        lambda: len(lakehouse.positions("silver.quarantine")) == total + states["rejected again"],
    )
    wait_for("and what was accepted in silver", lambda: letter_states() == states)
    assert letters.rejected("retry", "tweets")["sent"] == 0
    view = "select sum(rejected), sum(mended), sum(on_their_way), sum(rejected_again), sum(untouched) from dead_letters"
    in_lake = [total, states["mended"], 1, states["rejected again"], 0]
    wait_for("the view says the same", lambda: trino_client.query(view) == [in_lake])
    shown = letters.rejected("show", f"tweets/{sent[2][0]}/{sent[2][1]}")  # by the position of a retry
    assert (shown["state"], [r["reason"] for r in shown["retries"]]) == ("rejected again", ["still_bad"])
    assert letters.rejected("retry", shown["position"], "--again")["sent"] == 1
