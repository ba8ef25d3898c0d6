"""What `riverhouse reconcile` computes from the raw logs is what the workers publish, cell by cell, whatever crashes; and it can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest

from lakehouse_jobs.reconcile import animeverse, database, gauges, live, rankings, tweets
from lakehouse_jobs.reconcile.recomputed import Recomputed
from processors.animeverse import FLOWS
from processors.records import Record
from processors.tweets import FLOW
from tests.sim import animeverse_checks, animeverse_world, checks, reconciling, world
from tests.sim.broker import Broker
from tests.sim.machine import Chances, run
from topics.contract import Latest
from topics.tweets import TWEETS, VOLUME_BY_REGION


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with database.opened() as opened:
        yield opened


def of_tweets(seed: int) -> Broker:
    logs = {FLOW.stream.raw.name: world.raw_partitions(seed, partitions=1 + seed % 3, events=150)}
    return run((FLOW,), logs, seed, Chances(crash_every=400)).broker


def of_animeverse(seed: int, events: int = 150) -> Broker:
    logs = animeverse_world.raw_logs(seed, 1 + seed % 3, events)
    return run(FLOWS, logs, seed, Chances(crash_every=2000, feed=5)).broker


def of_versions_told_again(seed: int) -> Broker:
    """After a crash an older version of one moment is told once more, behind its correction."""
    return of_animeverse(seed, 400)


RUNS = [(tweets.RECOMPUTED, of_tweets, seed) for seed in range(4)]
RUNS += [(animeverse.RECOMPUTED, of_animeverse, seed) for seed in range(4)]
RUNS += [(animeverse.RECOMPUTED, of_versions_told_again, 127)]


@pytest.mark.parametrize(
    ("what", "of", "seed"), RUNS, ids=lambda v: getattr(v, "business", None) or getattr(v, "__name__", str(v))
)
def test_live_is_the_recomputation_at_every_offset_that_it_names(db, what: Recomputed, of, seed: int) -> None:
    broker = of(seed)
    reconciling.read(db, what, broker)
    for results in (reconciling.newest(db, what, broker), reconciling.any_revision(db, what, broker, seed)):
        for result in results:
            assert not result.different, (result.subject, [str(d) for d in result.first])
            assert result.compared or result.subject.endswith(("by_day", "screenings_by_hour"))
    for facts in what.facts:
        topic, bounds = facts.stream.clean.name, reconciling.done(broker, facts.stream.raw.name)
        accepted = set(db.execute(f"select p, o from ({live.in_force(facts.stream, bounds)})").fetchall())
        clean = {
            (v["raw_partition"], v["raw_offset"])
            for v in animeverse_checks.fenced(broker, topic)
            if not v.get("revision")
        }
        assert accepted == clean, topic


def test_a_wrong_a_missing_and_a_strange_record_are_named(db) -> None:
    broker, topic = of_tweets(3), VOLUME_BY_REGION.topic
    reconciling.read(db, tweets.RECOMPUTED, broker)
    cells = sorted(checks.newest(broker, topic).items())
    (wrong, was), (missing, _), (strange, odd) = cells[0], cells[1], cells[2]
    for p in range(broker.partitions):
        log = [r for r in broker.logs[topic, p] if r.key != missing]
        broker.logs[topic, p][:] = [changed(r, wrong, tweets=was["tweets"] + 1) if r.key == wrong else r for r in log]
        broker.logs[topic, p] += [changed(r, strange, region="XXX") for r in log if r.key == strange]
    result = next(iter(reconciling.newest(db, tweets.RECOMPUTED, broker)))
    assert (result.different, result.missing, result.surplus) == (3, 1, 1)
    told = [str(d) for d in result.first]
    assert any(f"tweets expected {was['tweets']}, found {was['tweets'] + 1}" in line for line in told)
    assert any(line.endswith("found no row") for line in told)
    assert any("'XXX': expected no row" in line for line in told)
    assert odd["region"] != "XXX"


def test_a_ranking_in_another_order_is_named(db) -> None:
    broker, ranking = of_tweets(3), TWEETS.rankings[0]
    reconciling.read(db, tweets.RECOMPUTED, broker)
    records = [r for p in range(broker.partitions) for r in broker.logs[ranking.topic, p]]
    last = max(records, key=lambda r: (len(json.loads(r.value or b"")["entries"]), r.offset))
    entries = json.loads(last.value or b"")["entries"]
    first, second = ({**e, "rank": 3 - e["rank"]} for e in entries[:2])
    reconciling.rank(db, ranking, [(0, changed(last, last.key or b"", entries=[first, second, *entries[2:]]))])
    found = rankings.check(db, ranking, TWEETS, {}, reconciling.ALL)
    told = [str(d) for d in found.first]
    assert any(f"rank 1: hashtag expected '{first['hashtag']}', found '{second['hashtag']}'" in line for line in told)


@pytest.mark.parametrize(
    ("gauge", "figure"),
    [(g, f) for g, _ in reconciling.of_gauges(animeverse.RECOMPUTED) for f in ("event_at", *g.values)],
    ids=lambda v: getattr(v, "name", v),
)
def test_a_gauge_that_shows_something_else_is_named(of_one_world, gauge: Latest, figure: str) -> None:
    """Every figure of every gauge; and a key that nothing was heard of, and one that is missing."""
    db, broker = of_one_world
    stream = next(s for g, s in reconciling.of_gauges(animeverse.RECOMPUTED) if g is gauge)
    records = {r.key: (p, r) for p, r in reconciling.all_of(broker, gauge.topic)}
    (wrong, (p, record)), _, *rest = records.items()  # the second one is missing
    was = json.loads(record.value or b"")[figure]
    other = "2020-01-01T00:00:00Z" if figure.endswith("_at") else f"{was}?" if isinstance(was, str) else was + 1
    planted = [(p, changed(record, wrong, **{figure: other})), (0, changed(record, wrong, **{gauge.by[0]: "nobody"}))]
    reconciling.show(db, gauge, stream, [*planted, *(known for _, known in rest)])
    bounds = reconciling.done(broker, stream.raw.name)
    result = gauges.check(db, gauge, stream, bounds, animeverse.RECOMPUTED.gauges[gauge.name])
    assert (result.different, result.missing, result.surplus) == (3, 1, 1), [str(d) for d in result.first]


@pytest.mark.parametrize("gauge", [g for g, _ in reconciling.of_gauges(animeverse.RECOMPUTED)], ids=lambda g: g.name)
def test_a_view_of_a_gauge_that_shows_something_else_is_named(of_one_world, gauge: Latest) -> None:
    db, broker = of_one_world
    stream = next(s for g, s in reconciling.of_gauges(animeverse.RECOMPUTED) if g is gauge)
    clean = list(animeverse_checks.fenced(broker, stream.clean.name))
    newest = max((v for v in clean if not gauge.when or v[gauge.when]), key=lambda v: v["raw_offset"])
    (figure, *_) = (n for n in gauge.values if isinstance(newest[n], int | float))
    planted = [v | {figure: v[figure] + 1} if v["raw_offset"] == newest["raw_offset"] else v for v in clean]
    bounds, query = reconciling.done(broker, stream.raw.name), animeverse.RECOMPUTED.gauges[gauge.name]
    for rows, different in ((clean, 0), (planted, 1)):
        reconciling.keep(db, gauge, stream, rows)
        found = gauges.check_view(db, gauge, stream, bounds, query)
        assert (found.different, found.missing, found.surplus) == (different, 0, 0), [str(d) for d in found.first]


@pytest.fixture(scope="module")
def of_one_world() -> Iterator[tuple[duckdb.DuckDBPyConnection, Broker]]:
    broker = of_animeverse(1)
    with database.opened() as opened:
        reconciling.read(opened, animeverse.RECOMPUTED, broker)
        yield opened, broker


def changed(record: Record, key: bytes, **values: object) -> Record:
    assert record.key == key
    return record._replace(value=json.dumps({**json.loads(record.value or b""), **values}).encode())


def test_a_figure_that_claims_more_than_it_holds_is_named(db) -> None:
    """An older revision under the newest one's as_of."""
    broker, topic = of_tweets(0), VOLUME_BY_REGION.topic
    reconciling.read(db, tweets.RECOMPUTED, broker)
    revisions = [r for p in range(broker.partitions) for r in broker.logs[topic, p]]
    last = max(revisions, key=lambda r: json.loads(r.value or b"")["tweets"])
    reconciling.take(db, VOLUME_BY_REGION, [(0, changed(last, last.key or b"", tweets=1))])
    result = live.check(db, VOLUME_BY_REGION, FLOW.stream, {}, reconciling.ALL)
    assert result.different == 1
    assert "found 1" in str(result.first[0])
