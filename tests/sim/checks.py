"""What must hold of the tweets' topics after any run, simulated or real: ledger, KPIs and enrichment against the oracle.

Runs are checked many at a time: `runs` maps a run's number to its logs, and every row that is compared begins with it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import duckdb
import msgspec

from processors.records import Record
from tests.sim import oracle

load = msgspec.json.decode


class Logs(Protocol):
    """A broker's logs, simulated or read from a real one."""

    partitions: int
    logs: Mapping[tuple[str, int], Sequence[Record]]

    def read(self, topic: str) -> list[Record]: ...


Runs = Mapping[int, Logs]


class WrongError(AssertionError):
    """What came out is not what must come out. `runs` are the numbers of the runs in which."""

    def __init__(self, what: str, runs: list[int]) -> None:
        super().__init__(what, runs)  # so that it survives the way from another process
        self.what, self.runs = what, runs

    def __str__(self) -> str:
        return f"wrong in the runs {self.runs}: {self.what}"


def same(what: str, got: Iterable[tuple], want: Iterable[tuple]) -> None:
    """WrongError where the rows differ."""
    found, due = set(got), set(want)
    if found != due:
        missing, unexpected = sorted(due - found, key=repr), sorted(found - due, key=repr)
        runs = sorted({row[0] for row in (*missing, *unexpected)})
        raise WrongError(f"{what}: missing {missing[:4]}, not due {unexpected[:4]}", runs)


def fenced(broker: Logs, topic: str) -> Iterator[tuple[int, dict]]:
    """The records of a topic as any reader must take them: what does not advance its partition's fence is dropped."""
    for p in range(broker.partitions):
        fence = -1
        for r in broker.logs[topic, p]:
            value = load(r.value or b"")
            if value["raw_offset"] > fence:
                fence = value["raw_offset"]
                yield p, value


def newest(broker: Logs, topic: str) -> dict[bytes | None, dict]:
    """The value of the greatest revision of each key."""
    best: dict[bytes | None, dict] = {}
    for r in broker.read(topic):
        value = load(r.value or b"")
        if r.key not in best or value["revision"] >= best[r.key]["revision"]:
            best[r.key] = value
    return best


def last(broker: Logs, topic: str) -> dict[bytes | None, dict]:
    """The last value of each key: what compaction leaves in the end."""
    return {r.key: load(r.value or b"") for r in broker.read(topic)}


def epoch(at: str) -> int:
    return int(dt.datetime.fromisoformat(at).timestamp())


def rows(runs: Runs, topic: str, *names: str) -> Iterator[tuple]:
    """(run, window start in s, fields…) of each key's newest value."""
    for run, broker in runs.items():
        for v in newest(broker, topic).values():
            yield (run, epoch(v["window_start_at"]), *(v[n] for n in names))


def check_all(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    """Everything that must hold of the tweets after any run; `db` is the oracle's answer to the raw logs."""
    check_ledger(runs, db)
    check_kpis(runs, db)
    check_enrichment(runs)


def check_ledger(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    """Each raw offset ends in exactly one of clean, duplicates, rejected; and the right one."""
    fates: Counter[tuple[int, int, int]] = Counter()
    for name in ("clean", "duplicates", "rejected"):
        ends = {(run, p, v["raw_offset"]) for run, b in runs.items() for p, v in fenced(b, f"tweets.{name}")}
        fates.update(ends)
        if name == "clean":
            same("accepted events", ends, db.execute("select run, p, o from accepted").fetchall())
    raw = {
        (run, p, r.offset, 1) for run, b in runs.items() for p in range(b.partitions) for r in b.logs["tweets.raw", p]
    }
    same("fates", {(*at, n) for at, n in fates.items()}, raw)


def check_kpis(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    volume = rows(runs, "tweets.kpi.tweet_volume_by_region", "region", "tweets", "engagement", "users")
    measures = "count(*), sum(engagement)::bigint, count(distinct user_id)"
    same("tweet_volume_by_region", volume, oracle.kpi(db, "region", 60, measures))
    tags = set(rows(runs, "tweets.kpi.popular_hashtags_by_hour", "hashtag", "tweets"))
    same("popular_hashtags_by_hour", tags, oracle.kpi(db, "tag", 3600, "count(*)"))
    day = rows(runs, "tweets.kpi.active_users_by_day", "users", "tweets")
    same("active_users_by_day", day, oracle.kpi(db, "", 86400, "count(distinct user_id), count(*)"))
    ranked: dict[tuple, list] = {}
    for run, start, tag, n in sorted(tags, key=lambda t: (-t[3], t[2])):
        ranked.setdefault((run, start), []).append((tag, n))
    got = rows(runs, "tweets.kpi.top_hashtags_by_hour", "entries")
    tops = {(r, w, tuple((e["hashtag"], e["tweets"]) for e in entries)) for r, w, entries in got}
    same("top_hashtags_by_hour", tops, {(*window, tuple(tags)) for window, tags in ranked.items()})


def check_enrichment(runs: Runs) -> None:
    """A user's tweets of a day are numbered 1, 2, 3 … in log order, whatever crashed in between."""
    numbers: dict[tuple, list[int]] = {}
    for run, broker in runs.items():
        for _, v in fenced(broker, "tweets.clean"):
            numbers.setdefault((run, v["user_id"], v["event_at"][:10]), []).append(v["user_tweets_today"])
    same(
        "a user's tweets of a day",
        {(*k, *n) for k, n in numbers.items()},
        {(*k, *range(1, len(n) + 1)) for k, n in numbers.items()},
    )


def check_last(runs: Runs, topics: Sequence[str]) -> None:
    """The newest figures of each key are the last ones, too: compaction takes them from nobody."""
    older = set()
    for topic in topics:
        for run, broker in runs.items():
            best = newest(broker, topic)
            for key, value in last(broker, topic).items():
                if any(value[n] != best[key][n] for n in value.keys() - {"as_of", "revision", "final"}):
                    older.add((run, topic, key, value["revision"], best[key]["revision"]))
    same("values that compaction would leave", older, ())


def check_as_of(runs: Mapping[int, Any], db: duckdb.DuckDBPyConnection) -> None:
    """Every value that a KPI topic ever held is the fold of exactly the prefixes that its `as_of` names."""
    topic, found = "tweets.kpi.tweet_volume_by_region", []
    for run, broker in runs.items():
        for p in range(broker.partitions):
            for r in broker.logs[topic, p].ever:
                v = load(r.value)
                ends = [v["as_of"].get(str(q), -1) for q in range(broker.partitions)]
                found.append(
                    (run, len(found), epoch(v["window_start_at"]), v["region"], v["tweets"], v["engagement"], ends)
                )
    db.register("published", oracle.table(found, "run n start region tweets engagement ends"))
    same("values that are not what their as_of says", db.execute(oracle.AS_OF).fetchall(), ())
