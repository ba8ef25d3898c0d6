"""The lake at other moments on real servers: sides, the exchange and the way back, what expiry may delete, backups.

The tests share one lake and follow one another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import psycopg2
import pytest

from lakehouse_jobs import fences, lake, maintenance, restore, row_hash, sides, tables, tweets, writer_lock
from lakehouse_jobs.problem import LakeError
from riverhouse import clock
from tests.integration.kafka import KafkaLogs, wait_for
from tests.integration.lakehouse_jobs import lakehouse
from tests.integration.lakehouse_jobs.lakehouse import PARTITIONS, SinkProcess, World
from topics.tweets import TWEETS, VOLUME_BY_REGION

SETTINGS = {
    "RIVERHOUSE_LAKE__TRIGGER_S": "0.3",
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
    world.send_kpi("USA", tweets=500, revision=3)
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


def test_an_interrupted_exchange_changes_nothing(early: State, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {c: {n: t.metadata_location for n, t in sides.tables(c).items()} for c in ("lake", "side_early")}
    with writer_lock.only_writer(wait_s=5) as session, monkeypatch.context() as m:
        m.setattr(sides, "TAKE_OVER", "select pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(psycopg2.Error, match="terminat"):
            sides.swap("early", session)
    assert {c: {n: t.metadata_location for n, t in sides.tables(c).items()} for c in before} == before


def test_after_the_exchange_the_sink_ends_where_it_would_have_been(
    world: World, sink: SinkProcess, early: State
) -> None:
    with pytest.raises(LakeError, match="writer already"), writer_lock.only_writer(wait_s=0.1):
        pass
    late = quiet(world, sink)
    assert sink.stop() == 0
    assert restore.main(["--side", "early", "--swap", "--hold"]) == 0
    assert hashes("lake") == early.hashes
    assert hashes("side_early") == late.hashes
    sink.start()
    wait_for("the sink says that it is held", lambda: '"held"' in sink.log.read_text())
    assert hashes("lake") == early.hashes
    assert restore.main(["--release"]) == 0
    assert quiet(world, sink).hashes == late.hashes


def test_expiry_spares_what_a_side_needs(world: World, sink: SinkProcess, early: State) -> None:
    kept = hashes("side_early")
    for spec in tables.all_tables():
        if spec.append_only:
            assert lake.catalog().table_exists(spec.name)
    assert kept
