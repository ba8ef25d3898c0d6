"""What `riverhouse reconcile` computes from the raw logs is what the workers publish, cell by cell, whatever crashes; and it can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest

from lakehouse_jobs.reconcile import animeverse, database, live, rankings, tweets
from lakehouse_jobs.reconcile.recomputed import Recomputed
from processors.animeverse import FLOWS
from processors.records import Record
from processors.tweets import FLOW
from tests.sim import animeverse_checks, animeverse_world, checks, reconciling, world
from tests.sim.broker import Broker
from tests.sim.machine import Chances, run
from topics.tweets import TWEETS, VOLUME_BY_REGION


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with database.opened() as opened:
        yield opened


def of_tweets(seed: int) -> Broker:
    logs = {FLOW.stream.raw.name: world.raw_partitions(seed, partitions=1 + seed % 3, events=150)}
    return run((FLOW,), logs, seed, Chances(crash_every=400)).broker


def of_animeverse(seed: int) -> Broker:
    logs = animeverse_world.raw_logs(seed, 1 + seed % 3, 150)
    return run(FLOWS, logs, seed, Chances(crash_every=2000, feed=5)).broker


RUNS = [(tweets.RECOMPUTED, of_tweets, seed) for seed in range(4)]
RUNS += [(animeverse.RECOMPUTED, of_animeverse, seed) for seed in range(4)]


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
