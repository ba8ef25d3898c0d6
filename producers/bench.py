"""How fast one process makes events, and sends them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from rich.console import Console
from rich.table import Table

from producers.broker import Outbox
from producers.faults import Faults, Knobs, none
from producers.options import KINDS
from producers.worlds import BLOCK, Source, make, topics
from riverhouse import brokers
from topics.contract import Topic

START = 1_700_000_000.0  # any time will do: nothing here depends on it
PREFIX = "bench."  # of the topics that are made for it


def run(stream: str, count: int, broker: bool) -> list[dict[str, Any]]:
    """One row for each way: name, events, bytes an event, seconds of the clock and of this process's CPU."""
    knobs, began = KINDS[stream](), time.perf_counter()
    make(stream, 7, knobs)
    rows = [
        {"way": "make the world", "events": 1, "bytes": 0, "s": time.perf_counter() - began, "cpu": time.process_time()}
    ]
    rows.append(_row("generate", _source(stream, none(KINDS[stream])), count, BLOCK, None))
    rows.append(_row("generate, default faults", _source(stream, knobs), count, BLOCK, None))
    rows.append(_row("generate, 25 at a time", _source(stream, knobs), count // 10, 25, None))
    if broker:
        rows.append(_to_broker(stream, knobs, count))
    return rows


def _source(stream: str, knobs: Knobs) -> Source:
    """A source at its beginning; reference data is no part of what is measured."""
    source = Source(make(stream, 7, knobs), Faults(knobs, 7))
    for _ in source.begin(START):
        pass
    return source


def _row(way: str, source: Source, count: int, size: int, outbox: Outbox | None) -> dict[str, Any]:
    wall, cpu, sent, weight = time.perf_counter(), time.process_time(), 0, 0
    for first in range(0, count, size):
        for events, _ in source.sendings(START + np.arange(first, min(first + size, count)) / 1000):
            if outbox is not None:
                outbox.send((PREFIX + topic, key, value) for topic, key, value in events)
            sent += len(events)
            weight += sum(len(value) for _, _, value in events[:10]) * len(events) // max(1, len(events[:10]))
    while outbox is not None and outbox.flush(1.0):
        pass
    spent = {"s": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {"way": way, "events": sent, "bytes": weight // sent, **spent}


def _to_broker(stream: str, knobs: Knobs, count: int) -> dict[str, Any]:
    """Generate and produce into topics of its own, acknowledged by the broker, with a header as live events have."""
    source = _source(stream, knobs)
    own = [Topic(PREFIX + t.name, t.value, t.key) for t in topics(source.world)]
    admin = AdminClient(brokers.librdkafka())
    for made in admin.create_topics([NewTopic(t.name, num_partitions=3, replication_factor=1) for t in own]).values():
        made.result()
    try:
        outbox = Outbox(own, headers=[("schema_id", b"1")])
        return _row("generate and send, acknowledged", source, count, BLOCK, outbox)
    finally:
        for gone in admin.delete_topics([t.name for t in own]).values():
            gone.result()


def show(rows: list[dict[str, Any]]) -> None:
    table = Table("way", *(("events", "bytes", "seconds", "events/s", "events/CPU-s")))
    for r in rows:
        rate = [f"{r['events'] / r[k]:,.0f}" if r["events"] > 1 else "" for k in ("s", "cpu")]
        table.add_row(r["way"], f"{r['events']:,}", str(r["bytes"]), f"{r['s']:.2f}", *rate)
    Console().print(table)
