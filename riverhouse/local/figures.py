"""The figures behind `riverhouse status`: memory of each service, rate and lag of each topic, freshness of the lake."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import psutil
import trino
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from riverhouse import addresses
from riverhouse.clock import monotonic, now, sleep
from riverhouse.local import trino_server
from topics.catalogue import STREAMS
from topics.contract import Topic


def memory_mb(pid: int) -> float:
    """Resident memory of a process and all of its children, MB."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += each.memory_info().rss
    return total / 1e6


@dataclass(frozen=True)
class TopicFigures:
    """`rate` in records a second; `lag` of the workers, in records, where they read this topic."""

    topic: str
    records: int
    rate: float
    lag: int | None


def _ends(consumer: Consumer, topics: Iterable[str]) -> dict[str, dict[int, int]]:
    known = consumer.list_topics(timeout=5).topics
    return {
        t: {p: consumer.get_watermark_offsets(TopicPartition(t, p), timeout=5)[1] for p in known[t].partitions}
        for t in topics if t in known
    }  # fmt: skip


def committed(group: str) -> dict[tuple[str, int], int]:
    """What a consumer group has committed, by topic and partition."""
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0})
    asked = [ConsumerGroupTopicPartitions(group)]
    found = admin.list_consumer_group_offsets(asked, request_timeout=5)[group].result().topic_partitions
    return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}


def topics(over_s: float = 2.0) -> list[TopicFigures]:
    """Rate (measured over `over_s`) and lag of every topic that exists."""
    every: dict[str, tuple[str, Topic]] = {t.name: (s.prefix, t) for s in STREAMS for t in s.topics}
    consumer = Consumer({"bootstrap.servers": addresses.bootstrap(), "group.id": "riverhouse-status", "log_level": 0})
    try:
        before, begin = _ends(consumer, every), monotonic()
        sleep(over_s)
        after, seconds = _ends(consumer, every), monotonic() - begin
    finally:
        consumer.close()
    done = {s.prefix: committed(s.group) for s in STREAMS}
    found = []
    for name, ends in after.items():
        read = done[every[name][0]]
        lags = [end - read[name, p] for p, end in ends.items() if (name, p) in read]
        rate = (sum(ends.values()) - sum(before[name].values())) / seconds
        found.append(TopicFigures(name, sum(ends.values()), rate, sum(lags) if lags else None))
    return found


def freshness() -> dict[str, str]:
    """How old the newest row of each layer is, by SQL; what went wrong where there is no answer."""
    asked = {
        **{f"silver.{s.table}": f"select max(ingested_at) from lake.silver.{s.table}" for s in STREAMS},
        "gold.kpi_log": "select max(published_at) from lake.gold.kpi_log",
        "gold.tweet_volume_by_region": "select max(window_start_at) from lake.gold.tweet_volume_by_region",
    }
    return {name: _age(sql) for name, sql in asked.items()}


def _age(sql: str) -> str:
    try:
        newest = trino_server.query(sql)[0][0]
    except trino.exceptions.TrinoUserError:
        return "no such table yet"
    except Exception as error:  # noqa: BLE001 - a status shows what is wrong, it does not fail
        return f"unknown ({type(error).__name__})"
    if not isinstance(newest, dt.datetime):
        return "no rows"
    aware = newest if newest.tzinfo else newest.replace(tzinfo=dt.UTC)
    return f"newest row {(now() - aware).total_seconds():.1f} s ago"
