"""The lake at other moments on real servers: sides, the exchange and the way back, what expiry may delete, backups.

The tests share one lake and follow one another.
"""

from __future__ import annotations

import datetime as dt
import os
import pathlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import psycopg2
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks import drill
from lakehouse_jobs import (
    backup,
    databases,
    fences,
    lake,
    maintenance,
    restore,
    row_hash,
    shared_files,
    sides,
    tweets,
    writer_lock,
)
from lakehouse_jobs.backup_store import Manifest, Store
from lakehouse_jobs.problem import LakeError
from riverhouse import addresses, clock
from tests.integration.kafka import KafkaLogs, wait_for
from tests.integration.lakehouse_jobs import lakehouse
from tests.integration.lakehouse_jobs.lakehouse import PARTITIONS, SinkProcess, World
from topics.tweets import TWEETS, VOLUME_BY_REGION

SETTINGS = {
    "RIVERHOUSE_LAKE__TRIGGER_S": "0.3",
    "RIVERHOUSE_LAKE__ARCHIVE_TRIGGER_S": "0.3",
    "RIVERHOUSE_LAKE__GOLD_INTERVAL_S": "1",
    "RIVERHOUSE_LAKE__MAINTENANCE_INTERVAL_S": "3600",  # the tests ask for it
    "RIVERHOUSE_LAKE__SPARK_HEAP_MB": "640",
}
APPENDED = ("bronze.tweets", "silver.tweets", "silver.duplicates", "silver.quarantine")


@dataclass
class State:
    """What the live lake held at a quiet moment."""

    at: dt.datetime
    hashes: dict[str, str]
    last: dict[str, int]
    figures: set[bytes] = field(default_factory=set)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with lakehouse.servers(tmp_path_factory.mktemp("past"), SETTINGS):
        yield World()


@pytest.fixture(scope="module")
def sink(world: World) -> Iterator[SinkProcess]:
    with lakehouse.sink_process() as process:
        yield process


@pytest.fixture(scope="module")
def early(world: World, sink: SinkProcess) -> State:
    """A quiet moment, before much else came."""
    world.send(150)
    for revision in (1, 2):
        world.send_kpi("USA", tweets=60 * revision, revision=revision)
    state = quiet(world, sink)
    state.figures = {r.value for r in KafkaLogs([VOLUME_BY_REGION.topic]).read(VOLUME_BY_REGION.topic)[-1:]}
    return state


@pytest.fixture(scope="module")
def late(world: World, sink: SinkProcess, early: State) -> State:
    """A later quiet moment: all that the tests before sent is in."""
    return quiet(world, sink)


def quiet(world: World, sink: SinkProcess) -> State:
    """Wait until all that was sent is in gold."""
    world.commit_as_the_workers_would()
    sink.wait_for(world)
    kpis = len(KafkaLogs([VOLUME_BY_REGION.topic]).read(VOLUME_BY_REGION.topic))
    taken = lambda: sum(v + 1 for v in lakehouse.fence("gold.kpi_log").values())  # noqa: E731
    wait_for("the figures are in", lambda: taken() == kpis)
    wait_for(
        "gold has caught up", lambda: all(as_of(t.name) == lakehouse.fence("silver.tweets") for t in tweets.GOLD_TABLES)
    )
    last = {f"{TWEETS.raw.name}/{p}": n - 1 for p, n in enumerate(world.next)}
    return State(clock.now(), hashes("lake"), last)


def as_of(table: str) -> fences.Fence:
    return lakehouse.fence(f"gold.{table}", fences.AS_OF)


def hashes(catalogue: str) -> dict[str, str]:
    return {name: str(row_hash.of_table(table)) for name, table in sides.tables(catalogue).items()}


def places(catalogue: str, table: str) -> list[tuple[int, int]]:
    names = ("partition", "offset") if table.startswith("bronze") else ("raw_partition", "raw_offset")
    found = sides.tables(catalogue)[table].scan(selected_fields=names).to_arrow()
    return sorted(zip(*(found[n].to_pylist() for n in names), strict=True))


def test_a_quiet_moment_is_as_it_was(world: World, sink: SinkProcess, early: State) -> None:
    world.send(100)
    world.send_kpi("USA", tweets=200, revision=3)
    quiet(world, sink)
    assert maintenance.main([]) == 0  # other files; expiry has nothing old enough
    assert restore.main(["--as-of", early.at.isoformat(), "--as", "early"]) == 0
    assert sides.find("early").cut.items() >= early.last.items()
    assert hashes("side_early") == early.hashes
    published = KafkaLogs([f"early.{VOLUME_BY_REGION.topic}"]).read(f"early.{VOLUME_BY_REGION.topic}")
    assert {msgspec.json.encode(dict(sorted(msgspec.json.decode(r.value).items()))) for r in published} == {
        msgspec.json.encode(dict(sorted(msgspec.json.decode(v).items()))) for v in early.figures
    }


def test_moments_in_the_stream_fit_together(world: World, sink: SinkProcess) -> None:
    for number in range(3):
        world.send(40)
        world.send_kpi("DEU", tweets=world.next[0] + 30, revision=number + 1)  # true for more than there is
        world.commit_as_the_workers_would()
        wait_for(
            "something new is in",
            lambda n=number: sum(lakehouse.fence("bronze.tweets").values()) > sum(world.next) - 60,
        )
        moment = clock.now()
        world.send(40)
        restore.as_of(f"moment_{number}", moment, None, {})
        check_fits(f"moment_{number}")


def check_fits(name: str) -> None:
    """Each raw record within the cut is in bronze once and has one fate; none beyond it is there; gold is within it."""
    cut = {p: sides.find(name).cut[f"{TWEETS.raw.name}/{p}"] for p in range(PARTITIONS)}
    within = [(p, o) for p, last in cut.items() for o in range(last + 1)]
    assert places(f"side_{name}", "bronze.tweets") == within
    assert sorted(p for t in APPENDED[1:] for p in places(f"side_{name}", t)) == within
    side = sides.tables(f"side_{name}")
    for table in tweets.GOLD_TABLES:
        reached = fences.read(side[f"gold.{table.name}"], fences.AS_OF)
        assert all(at <= cut[int(log.rsplit("/", 1)[1])] for log, at in reached.items())
    as_ofs = [at for row in side["gold.kpi_log"].scan().to_arrow()["as_of"].to_pylist() for at in row]
    assert all(offset <= cut[int(p)] for p, offset in as_ofs)


def test_an_interrupted_exchange_changes_nothing(
    world: World, sink: SinkProcess, early: State, late: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sink.stop() == 0
    before = {c: sides.locations(c) for c in ("lake", "side_early")}
    with writer_lock.only_writer(wait_s=5) as session, monkeypatch.context() as m:
        m.setattr(sides, "TAKE_OVER", "select pg_terminate_backend(pg_backend_pid())")  # after the first statement
        with pytest.raises(psycopg2.Error, match="terminat"):
            sides.swap("early", session)
    assert {c: sides.locations(c) for c in before} == before


def test_after_the_exchange_the_sink_ends_where_it_would_have_been(
    world: World, sink: SinkProcess, early: State, late: State
) -> None:
    assert restore.main(["--side", "early", "--swap", "--hold"]) == 0
    assert hashes("lake") == early.hashes
    assert hashes("side_early") == late.hashes
    sink.start()
    wait_for("the sink says that it is held", lambda: '"held"' in sink.log.read_text())
    assert hashes("lake") == early.hashes
    assert restore.main(["--release"]) == 0
    assert quiet(world, sink).hashes == late.hashes
    assert sink.stop() == 0
    assert restore.main(["--side", "early", "--swap"]) == 0  # and the way back
    assert hashes("lake") == late.hashes


def test_expiry_spares_what_a_side_needs(world: World, sink: SinkProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERHOUSE_LAKE__SNAPSHOTS_KEPT_S", "1")
    restore.as_of("pinned", clock.now(), None, {})
    pinned = hashes("side_pinned")
    sink.start()
    for _ in range(5):  # small files, for compaction to replace
        world.send(5)
        sink.wait_for(world)
    live = quiet(world, sink)
    assert maintenance.main([]) == 0
    wait_for("the snapshots before have expired", lambda: expired() and maintenance.main([]) == 0)
    assert hashes("side_pinned") == pinned
    assert shared_files.left_behind()
    for name in sides.names(prefix=""):
        restore.drop(name)
    assert hashes("lake") == live.hashes
    with shared_files.alone():
        shared_files.collect(clock.now())
    assert hashes("lake") == live.hashes
    assert not shared_files.left_behind()
    assert on_disk("silver/tweets") == {
        shared_files.path_of(f) for f in shared_files.referred(lake.catalog().load_table("silver.tweets"))
    }


def test_what_a_killed_writer_left_is_collected(world: World, sink: SinkProcess) -> None:
    live = quiet(world, sink)
    assert sink.stop(signal.SIGKILL) == -signal.SIGKILL
    data = pathlib.Path(shared_files.path_of(lake.catalog().load_table("silver.tweets").location())) / "data"
    left, being_written, noted = (
        data / "left.parquet",
        data / "being-written.parquet",
        addresses.home() / "data" / "files-left-behind",
    )
    for file in (left, being_written):
        file.touch()
    long_ago = (clock.now() - 2 * shared_files.GRACE).timestamp()
    os.utime(left, (long_ago, long_ago))
    sink.start()
    wait_for("the next sink notes that there may be such files", shared_files.left_behind)
    assert maintenance.main([]) == 0
    assert left.exists()  # an hour must pass
    os.utime(noted, (long_ago, long_ago))
    assert maintenance.main([]) == 0
    assert not left.exists()
    assert being_written.exists()
    being_written.unlink()
    assert quiet(world, sink).hashes == live.hashes


def expired() -> bool:
    maintenance.main([])
    return len(lake.catalog().load_table("silver.tweets").snapshots()) <= 2


def on_disk(part: str) -> set[str]:
    root = pathlib.Path(shared_files.path_of(addresses.warehouse()))
    return {str(p) for p in root.rglob("*") if p.is_file() and part in str(p)}


def test_a_backup_is_whole_or_is_none(
    world: World, sink: SinkProcess, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, live = ["--to", str(tmp_path)], quiet(world, sink).hashes
    with monkeypatch.context() as m:
        m.setattr(databases, "dump", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backup.main(to)
    assert Store(tmp_path).manifests() == []
    first = backup.make(Store(tmp_path))
    assert first.copied_files == 0  # the interrupted one had copied them
    assert {t: f"{c.rows:,} rows {c.digest}" for t, c in first.tables.items() if c.rows} == {
        t: h for t, h in live.items() if h[0] != "0"
    }
    world.send(5)
    quiet(world, sink)
    assert 0 < drill_of(tmp_path).copied_files < len(list(first.files))
    assert backup.main([*to, "--verify"]) == 0
    victim = max((tmp_path / "files" / "silver.tweets").rglob("*.parquet"), key=lambda p: p.stat().st_mtime)
    victim.write_bytes(victim.read_bytes()[:-9] + b"123456789")
    assert backup.main([*to, "--verify"]) == 1
    with pytest.raises(LakeError, match="has changed"):
        restore.main(["--from", str(tmp_path), "--as", "broken"])
    restore.drop("broken")


def interrupted(_folder: pathlib.Path) -> None:
    raise KeyboardInterrupt


def drill_of(folder: pathlib.Path) -> Manifest:
    """Backup, restore into an empty home, compare."""
    manifest, different, _ = drill.drill(folder)
    assert different == []
    assert sum(t.rows for t in manifest.tables.values()) > 1000
    return manifest


def test_a_gap_between_fence_and_kafka_is_told(world: World, sink: SinkProcess) -> None:
    restore.as_of("old", clock.now(), None, {})
    world.send(10)
    quiet(world, sink)
    assert sink.stop() == 0
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap()})
    kept_from = TopicPartition(TWEETS.raw.name, 0, world.next[0] - 2)
    assert admin.delete_records([kept_from])[kept_from].result().low_watermark == kept_from.offset
    assert restore.main(["--side", "old", "--swap"]) == 0
    sink.start()
    assert sink.process
    assert sink.process.wait(120) == 1
    assert f"tweets.raw/0 begins at offset {kept_from.offset}, the lake has it up to" in sink.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--as-of", "2020-01-01"], "too long ago"),
        (["--as-of", "2999-01-01"], "has not come yet"),
        (["--as-of", "yesterday"], "is not a moment"),
        (["--as-of", "2026-01-01", "--as", "Not-a-name"], "cannot be the name"),
        (["--as-of", "2026-01-01", "--business", "tweets", "--swap"], "cannot be put in place alone"),
        (["--to-offsets", "tweets.raw=1"], "is not the offset"),
        (["--side", "nowhere", "--swap"], "no side called"),
        (["--from", "/nowhere"], "no whole backup"),
    ],
)
def test_what_cannot_be_done_is_said(world: World, arguments: list[str], told: str) -> None:
    with pytest.raises(LakeError, match=told) as refused:
        restore.main(arguments)
    assert refused.value.hint
