"""A side's live figures as topics: `<side>.<KPI topic>`, compacted, with the keys and values of the KPI topic itself.

They are made from the side's KPI log, so a program that follows a KPI topic can be pointed at the figures as they were. Rankings and
gauges have none: a ranking is the order of its KPI's figures, a gauge the newest events in silver.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import duckdb
import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pyiceberg.table import Table

from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.row_hash import NEWEST
from riverhouse import brokers
from riverhouse.settings import load
from topics.apply import desired_config
from topics.catalogue import KPIS, STREAMS
from topics.contract import Kpi, Topic, is_fraction

TIMEOUT_S = 60.0
TOPICS: dict[str, Topic] = {t.name: t for s in STREAMS for t in s.kpi_topics}
ALL = {t.name for s in STREAMS for t in s.topics}


def publish(side: str, log: Table) -> dict[str, int]:
    """Publish the newest revision of each figure in a side's KPI log; how many, by topic. LakeError where Kafka refuses."""
    figures = list(_newest(log))
    known = {k.topic: k for k in KPIS}
    wanted = sorted({f["kpi"] for f in figures} & known.keys())
    _create(side, wanted)
    published = dict.fromkeys((f"{side}.{t}" for t in wanted), 0)
    refused: list[str] = []
    producer = Producer(brokers.librdkafka({"enable.idempotence": True, "linger.ms": 20}))
    for figure in figures:
        topic = f"{side}.{figure['kpi']}"
        if topic in published:
            key, value = record(known[figure["kpi"]], figure)
            producer.produce(topic, value, key, on_delivery=lambda e, _: refused.append(str(e)) if e else None)
            producer.poll(0)
            published[topic] += 1
    if producer.flush(TIMEOUT_S) or refused:
        raise LakeError(
            "the side's topics are not complete", "; ".join(refused[:3]) or "Kafka is slow", "publish again"
        )
    return published


def record(kpi: Kpi, figure: dict[str, Any]) -> tuple[bytes, bytes]:
    """A figure of the KPI log as the record that the workers published: key and value."""
    dimensions, measures = figure["dimensions"], figure["measures"]
    start, end = (f"{figure[c]:%Y-%m-%dT%H:%M:%SZ}" for c in ("window_start_at", "window_end_at"))
    values = {m.name: measures[m.name] if is_fraction(m) else int(measures[m.name]) for m in kpi.measures}
    state = {"as_of": figure["as_of"], "revision": figure["revision"], "final": figure["final"]}
    named = {d: dimensions[d] for d in kpi.dimensions}
    value = {**named, **values, "window_start_at": start, "window_end_at": end, **state}
    return msgspec.json.encode((start, *named.values())), msgspec.json.encode(value)


def drop(side: str) -> list[str]:
    """Delete the side's topics; which those were."""
    admin = AdminClient(brokers.librdkafka({"log_level": 0}))
    try:
        there = [t for t in admin.list_topics(timeout=10).topics if t.removeprefix(f"{side}.") in ALL]
        doomed = sorted(t for t in there if t.startswith(f"{side}."))
        for deleted in admin.delete_topics(doomed).values() if doomed else ():
            deleted.result(TIMEOUT_S)
    except KafkaException as e:
        raise LakeError(
            "the side's topics are still there", str(e.args[0]), "is Kafka up? see `riverhouse status`"
        ) from e
    return doomed


def _newest(log: Table) -> Iterator[dict[str, Any]]:
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("rows", log.scan().to_arrow_batch_reader())
        batches: Any = connection.sql(NEWEST).to_arrow_reader(10_000)
        for batch in batches:
            for row in batch.to_pylist():
                yield row | {c: dict(row[c]) for c in ("dimensions", "measures", "as_of")}


def _create(side: str, topics: list[str]) -> None:
    admin = AdminClient(brokers.librdkafka({"log_level": 0}))
    kafka = load().kafka
    new = [
        NewTopic(f"{side}.{t}", TOPICS[t].partitions or kafka.partitions, kafka.replication, config=desired_config(TOPICS[t]))
        for t in topics
    ]  # fmt: skip
    for created in admin.create_topics(new).values() if new else ():
        try:
            created.result(TIMEOUT_S)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise LakeError("a side's topic cannot be made", str(e.args[0]), "see `riverhouse status`") from e
