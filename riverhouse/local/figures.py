"""The figures behind `riverhouse status`: memory of each service, rate and lag of each topic, freshness of the lake."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psutil
import trino
from confluent_kafka import Consumer

from lakehouse_jobs import positions
from riverhouse import businesses
from riverhouse.clock import monotonic, now, sleep
from riverhouse.local import trino_server
from topics.catalogue import STREAMS
from topics.progress import committed


def memory_mb(pid: int) -> float:
    """Memory of a process and all of its children, MB; what several of them share is counted once (PSS)."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += each.memory_full_info().pss
    return total / 1e6


@dataclass(frozen=True)
class TopicFigures:
    """`rate` in records a second; `lag` of the workers, in records, where they read this topic."""

    topic: str
    records: int
    rate: float
    lag: int | None


def _ends(consumer: Consumer, topics: Iterable[str]) -> dict[str, dict[int, int]]:
    """The end offset of every partition of those topics that exist."""
    known = consumer.list_topics(timeout=positions.TIMEOUT_S).topics
    return {t: {p: positions.marks(consumer, t, p)[1] for p in known[t].partitions} for t in topics if t in known}


def topics(over_s: float = 2.0) -> list[TopicFigures]:
    """Rate (measured over `over_s`) and lag of every topic that exists. LakeError where Kafka does not answer."""
    groups = {t.name: s.group for s in STREAMS for t in s.topics}
    with positions.reader() as consumer:  # librdkafka's admin client aborts the process when the broker dies meanwhile
        before, begin = _ends(consumer, groups), monotonic()
        sleep(over_s)
        after, seconds = _ends(consumer, groups), monotonic() - begin
        done = {group: committed(group) for group in set(groups.values())}
    found = []
    for name in (n for n in groups if n in after and n in before):
        ends, read = after[name], done[groups[name]]
        lags = [end - read[name, p] for p, end in ends.items() if (name, p) in read]
        rate = (sum(ends.values()) - sum(before[name].values())) / seconds
        found.append(TopicFigures(name, sum(ends.values()), rate, sum(lags) if lags else None))
    return found


def freshness() -> dict[str, str]:
    """How old the newest row of each layer and business is, by one query; what went wrong where there is no answer."""
    asked = dict(_newest())
    query = " union all ".join(f"select '{name}', ({sql})" for name, sql in asked.items())
    try:
        found = {str(name): newest for name, newest in trino_server.query(query)}
        return {name: _age(found.get(name)) for name in asked}
    except trino.exceptions.TrinoUserError as error:
        return dict.fromkeys(asked, f"no answer yet: {error.message}")
    except Exception as error:  # noqa: BLE001 - a status shows what is wrong, it does not fail
        return dict.fromkeys(asked, f"unknown ({type(error).__name__})")


def reconciled() -> dict[str, str]:
    """What the last reconciliation of each business found, and when; what went wrong where there is no answer."""
    query = (
        "select business, max(ran_at), count(*), sum(compared), count_if(different > 0) from lake.gold.reconciliation_runs r "
        "where ran_at = (select max(ran_at) from lake.gold.reconciliation_runs where business = r.business) group by 1"
    )
    try:
        found = {str(row[0]): row[1:] for row in trino_server.query(query)}
    except Exception as error:  # noqa: BLE001 - a status shows what is wrong, it does not fail
        return dict.fromkeys(businesses.chosen(), f"unknown ({type(error).__name__})")
    return {b: _result(*found[b]) if b in found else "not yet" for b in businesses.chosen()}


def _result(ran_at: dt.datetime, checks: int, compared: int, wrong: int) -> str:
    said = f"{wrong} of {checks} checks DIFFER" if wrong else f"{checks} checks, {compared:,} rows, no difference"
    return f"{said}; {(now() - ran_at).total_seconds() / 60:,.0f} min ago"


def _newest() -> Iterator[tuple[str, str]]:
    """What is asked for its newest time: a name and a query of one value."""
    for business in businesses.chosen():
        streams = " union all ".join(
            f"select max(ingested_at) m from lake.silver.{s.table}" for s in businesses.streams(business)
        )
        yield f"silver, {business}", f"select max(m) from ({streams})"
        topics = ", ".join(f"'{k.topic}'" for k in businesses.kpis(business))
        yield f"gold.kpi_log, {business}", f"select max(published_at) from lake.gold.kpi_log where kpi in ({topics})"
        table = f"gold.{businesses.figure(business).name}"
        yield f"{table} (window)", f"select max(window_start_at) from lake.{table}"


def _age(newest: object) -> str:
    if not isinstance(newest, dt.datetime):
        return "no rows"
    aware = newest if newest.tzinfo else newest.replace(tzinfo=dt.UTC)
    return f"newest row {(now() - aware).total_seconds():.1f} s ago"
