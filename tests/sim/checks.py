"""What must hold of the topics after any run, simulated or real: ledger, KPIs and enrichment against the oracle."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Protocol

import duckdb

from processors.records import Record
from tests.sim import oracle


class Logs(Protocol):
    """A broker's logs, simulated or read from a real one."""

    partitions: int
    logs: Mapping[tuple[str, int], list[Record]]

    def read(self, topic: str) -> list[Record]: ...


def fenced(broker: Logs, topic: str) -> Iterator[tuple[int, dict]]:
    """The records of a topic as any reader must take them: what does not advance its partition's fence is dropped."""
    for p in range(broker.partitions):
        fence = -1
        for r in broker.logs[topic, p]:
            value = json.loads(r.value)
            if value["raw_offset"] > fence:
                fence = value["raw_offset"]
                yield p, value


def newest(broker: Logs, topic: str) -> dict[bytes, dict]:
    """The value of the greatest revision of each key."""
    best: dict[bytes, dict] = {}
    for r in broker.read(topic):
        value = json.loads(r.value)
        if r.key not in best or value["revision"] >= best[r.key]["revision"]:
            best[r.key] = value
    return best


def epoch(at: str) -> int:
    return int(dt.datetime.fromisoformat(at).timestamp())


def check_ledger(broker: Logs, logs: list[list[Record]], db: duckdb.DuckDBPyConnection) -> None:
    """Each raw offset ends in exactly one of clean, duplicates, rejected; and the right one."""
    ends = {
        n: {(p, v["raw_offset"]) for p, v in fenced(broker, f"tweets.{n}")} for n in ("clean", "duplicates", "rejected")
    }
    assert ends["clean"] == set(db.execute("select p, o from accepted").fetchall())
    assert sum(map(len, ends.values())) == sum(map(len, logs))
    assert set.union(*ends.values()) == {(p, r.offset) for p, log in enumerate(logs) for r in log}


def check_kpis(broker: Logs, db: duckdb.DuckDBPyConnection) -> None:
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


def check_enrichment(broker: Logs) -> None:
    """A user's tweets of a day are numbered 1, 2, 3 … in log order, whatever crashed in between."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for _, v in fenced(broker, "tweets.clean"):
        numbers.setdefault((v["user_id"], v["event_at"][:10]), []).append(v["user_tweets_today"])
    assert all(n == list(range(1, len(n) + 1)) for n in numbers.values())
