"""The whole flow in memory, with crashes at random step boundaries: what comes out never depends on them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest

from processors.records import Record
from processors.tweets import FLOW
from tests.sim import machine, oracle, world

STREAM = FLOW.stream
SEEDS = range(60)


def fenced(broker: machine.Broker, topic: str) -> Iterator[tuple[int, dict]]:
    """The records of a topic as any reader must take them: what does not advance its partition's fence is dropped."""
    for p in range(broker.partitions):
        fence = -1
        for r in broker.logs[topic, p]:
            value = json.loads(r.value)
            if value["raw_offset"] > fence:
                fence = value["raw_offset"]
                yield p, value


def newest(broker: machine.Broker, topic: str) -> dict[bytes, dict]:
    """The value of the greatest revision of each key."""
    best: dict[bytes, dict] = {}
    for r in broker.read(topic):
        value = json.loads(r.value)
        if r.key not in best or value["revision"] >= best[r.key]["revision"]:
            best[r.key] = value
    return best


def epoch(at: str) -> int:
    return int(dt.datetime.fromisoformat(at).timestamp())


@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_survives_crashes(seed: int) -> None:
    logs = world.raw_partitions(seed, partitions=1 + seed % 3, events=250)
    broker = machine.run(FLOW, logs, seed, crash=0.04)
    db = oracle.connect(logs)
    check_ledger(broker, logs, db)
    check_kpis(broker, db)
    check_enrichment(broker)


def check_ledger(broker: machine.Broker, logs: list[list[Record]], db: oracle.duckdb.DuckDBPyConnection) -> None:
    """Each raw offset ends in exactly one of clean, duplicates, rejected; and the right one."""
    ends = {n: {(p, v["raw_offset"]) for p, v in fenced(broker, f"tweets.{n}")} for n in ("clean", "duplicates", "rejected")}
    assert ends["clean"] == set(db.execute("select p, o from accepted").fetchall())
    assert sum(map(len, ends.values())) == sum(map(len, logs))
    assert set.union(*ends.values()) == {(p, r.offset) for p, log in enumerate(logs) for r in log}


def check_kpis(broker: machine.Broker, db: oracle.duckdb.DuckDBPyConnection) -> None:
    volume = {
        (epoch(v["window_start_at"]), v["region"], v["tweets"], v["engagement"], v["users"])
        for v in newest(broker, "tweets.kpi.tweet_volume_by_region").values()
    }
    assert volume == oracle.kpi(db, "region", 60, "count(*), sum(engagement)::bigint, count(distinct user_id)")
    tags = {
        (epoch(v["window_start_at"]), v["hashtag"], v["tweets"])
        for v in newest(broker, "tweets.kpi.popular_hashtags_by_hour").values()
    }
    assert tags == oracle.kpi(db, "tag", 3600, "count(*)")
    day = {
        (epoch(v["window_start_at"]), v["users"], v["tweets"])
        for v in newest(broker, "tweets.kpi.active_users_by_day").values()
    }
    assert day == oracle.kpi(db, "", 86400, "count(distinct user_id), count(*)")
    for ranking in newest(broker, "tweets.kpi.top_hashtags_by_hour").values():
        start = epoch(ranking["window_start_at"])
        want = sorted((-n, tag) for w, tag, n in tags if w == start)
        assert [(-e["tweets"], e["hashtag"]) for e in ranking["entries"]] == want


def check_enrichment(broker: machine.Broker) -> None:
    """A user's tweets of a day are numbered 1, 2, 3 … in log order, whatever crashed in between."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for _, v in fenced(broker, "tweets.clean"):
        numbers.setdefault((v["user_id"], v["event_at"][:10]), []).append(v["user_tweets_today"])
    assert all(n == list(range(1, len(n) + 1)) for n in numbers.values())


def test_replay_gives_the_same_rows_whatever_the_batches() -> None:
    logs = world.raw_partitions(1, partitions=2, events=400)
    runs = [machine.run(FLOW, logs, seed, crash=c) for seed, c in ((1, 0.0), (2, 0.0), (3, 0.1))]
    rows = [[v for _, v in fenced(b, "tweets.clean")] for b in runs]
    assert rows[0] == rows[1] == rows[2]


def test_the_oracle_can_fail() -> None:
    logs = world.raw_partitions(5, partitions=1, events=100)
    broker = machine.run(FLOW, logs, 5, crash=0.0)
    logs[0][0] = logs[0][0]._replace(value=b"{}")
    with pytest.raises(AssertionError):
        check_ledger(broker, logs, oracle.connect(logs))
