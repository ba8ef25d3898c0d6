"""What must hold after any chaos. Each check says what it compared, or raises AssertionError with what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb

from lakehouse_jobs import trino_client
from tests.chaos import oracle
from tests.integration.kafka import KafkaLogs
from tests.sim import checks as sim
from tests.sim import oracle as windows
from topics.tweets import TWEETS

TOP = 50


@dataclass(frozen=True)
class Checked:
    """One check: what it found, and whether that is right."""

    name: str
    found: str
    right: bool


def command(*arguments: str, within_s: float = 400) -> str:
    """What `riverhouse …` prints. AssertionError, with all of it, where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "riverhouse", *arguments], capture_output=True, text=True, timeout=within_s, env=os.environ
    )  # fmt: skip
    assert done.returncode == 0, f"riverhouse {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def all_of(businesses: Iterable[str]) -> list[Checked]:
    """Every check of a drained stack."""
    found = [_run(f"ledger {b}", lambda b=b: ledger(b)) for b in businesses]
    found += [_run(f"reconcile {b}", lambda b=b: command("reconcile", b) and "clean") for b in businesses]
    logs = KafkaLogs([t.name for t in TWEETS.topics])
    raw = [logs.logs[TWEETS.raw.name, p] for p in range(logs.partitions)]
    db = oracle.connect(raw)
    return [
        *found,
        _run("fates in Kafka", lambda: fates(logs, raw, db)),
        _run("order per key", lambda: order(logs, raw)),
        _run("live figures", lambda: figures(logs, db)),
        _run("compacted topics", lambda: tails(logs)),
        _run("silver and gold", lambda: lake(db)),
    ]


def _run(name: str, check: Callable[[], str]) -> Checked:
    try:
        return Checked(name, check(), right=True)
    except Exception as wrong:  # noqa: BLE001 - whatever it raises, it does not hold
        return Checked(name, f"{type(wrong).__name__}: {wrong}"[:3000], right=False)


def ledger(business: str) -> str:
    printed = command("ledger", business)
    assert "OK" in printed
    assert "BROKEN" not in printed
    return f"{printed.count('OK')} partitions balance"


def fates(logs: KafkaLogs, raw: list[list], db: duckdb.DuckDBPyConnection) -> str:
    """Each raw offset has one fate, and the right one."""
    sim.check_ledger({0: logs}, db)
    sim.check_enrichment({0: logs})
    return f"{sum(map(len, raw)):,} raw, {db.execute('select count(*) from accepted').fetchone()[0]:,} accepted"


def order(logs: KafkaLogs, raw: list[list]) -> str:
    """Behind its fence the clean topic has each key's events in raw order, in the partition of the raw topic."""
    keys = {(p, r.offset): r.key for p, log in enumerate(raw) for r in log}
    last: dict[bytes, tuple[int, int]] = {}
    for p, value in sim.fenced(logs, TWEETS.clean.name):
        at = (value["raw_partition"], value["raw_offset"])
        assert at[0] == p, f"a record of raw partition {at[0]} is in clean partition {p}"
        assert keys[at].decode() == value["user_id"], f"{at} has another key than its raw record"
        assert last.get(keys[at], (p, -1)) < at, f"{at} came after {last[keys[at]]}"
        last[keys[at]] = at
    return f"{len(last):,} keys"


def figures(logs: KafkaLogs, db: duckdb.DuckDBPyConnection) -> str:
    """The newest revision of each live figure is what DuckDB folds from the raw records."""
    volume = cells(logs, "tweet_volume_by_region", "region", "tweets", "engagement", "users")
    same(volume, windows.kpi(db, "region", 60, "count(*), sum(engagement)::bigint, count(distinct user_id)"))
    by_hour = cells(logs, "popular_hashtags_by_hour", "hashtag", "tweets")
    same(by_hour, windows.kpi(db, "tag", 3600, "count(*)"))
    days = cells(logs, "active_users_by_day", "users", "tweets")
    same(days, windows.kpi(db, "", 86400, "count(distinct user_id), count(*)"))
    rankings = sim.newest(logs, "tweets.kpi.top_hashtags_by_hour").values()
    for ranking in rankings:
        start = sim.epoch(ranking["window_start_at"])
        want = sorted((-n, tag) for _, w, tag, n in by_hour if w == start)[:TOP]
        assert [(-e["tweets"], e["hashtag"]) for e in ranking["entries"]] == want, ranking["window_start_at"]
    return f"{len(volume) + len(by_hour) + len(days):,} cells, {len(rankings)} rankings"


def cells(logs: KafkaLogs, kpi: str, *fields: str) -> set[tuple]:
    """(run 0, window start in s, fields…) of each cell's newest revision."""
    return set(sim.rows({0: logs}, f"tweets.kpi.{kpi}", *fields))


def same(found: set[tuple], wanted: set[tuple]) -> None:
    missing, surplus = sorted(wanted - found)[:3], sorted(found - wanted)[:3]
    assert found, "there is nothing to compare"
    assert found == wanted, f"missing {len(wanted - found)}: {missing}; surplus {len(found - wanted)}: {surplus}"


def tails(logs: KafkaLogs) -> str:
    """In every compacted topic the last record of a key, which compaction leaves, is the newest one."""
    sim.check_last({0: logs}, [t.name for t in TWEETS.kpi_topics])
    newest: dict[tuple[int, bytes], int] = {}
    last: dict[tuple[int, bytes], int] = {}
    for p in range(logs.partitions):
        for r in logs.logs[TWEETS.partials.name, p]:
            last[p, r.key] = json.loads(r.value)["offset"]
            newest[p, r.key] = max(newest.get((p, r.key), -1), last[p, r.key])
    older = [f"{at}: {v} after {newest[at]}" for at, v in last.items() if v < newest[at]]
    assert not older, f"{len(older)} of {len(last):,} partials would be left with an older value: {older[:3]}"
    return f"{len(last):,} partials"


def lake(db: duckdb.DuckDBPyConnection) -> str:
    """Silver has the accepted tweets, each once; gold has their sums. Gold is waited for by the caller."""
    silver = trino_client.query("select raw_partition, raw_offset, count(*) from silver.tweets group by 1, 2")
    assert all(n == 1 for _, _, n in silver), f"repeated in silver: {[r for r in silver if r[2] > 1][:3]}"
    same({(p, o) for p, o, _ in silver}, set(db.execute("select p, o from accepted").fetchall()))
    gold = trino_client.query(
        "select region, cast(to_unixtime(window_start_at) as bigint), tweets, engagement, users from tweet_volume_by_region"
    )
    same({tuple(r) for r in gold}, oracle.volume(db))
    return f"{len(silver):,} rows of silver, {len(gold):,} of gold"
