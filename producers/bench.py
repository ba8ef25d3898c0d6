"""How fast one process makes events, and sends them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from rich.console import Console
from rich.table import Table

from producers.broker import Outbox
from producers.faults import NONE, Event, Faults, Knobs
from producers.worlds import BLOCK, Source, World
from riverhouse import addresses
from topics.contract import Topic

START = 1_700_000_000.0  # any time will do: nothing here depends on it


def run(make: Callable[[int], World], count: int, broker: bool) -> list[dict[str, Any]]:
    """One row for each way: name, events, bytes an event, seconds of the clock and of this process's CPU."""
    began = time.perf_counter()
    world = make(7)
    rows = [
        {"way": "make the world", "events": 1, "bytes": 0, "s": time.perf_counter() - began, "cpu": time.process_time()}
    ]
    rows.append(_row("generate", Source(world, Faults(NONE, 7)), count, BLOCK, None))
    rows.append(_row("generate, default faults", Source(world, Faults(Knobs(), 7)), count, BLOCK, None))
    rows.append(_row("generate, 25 at a time", Source(world, Faults(Knobs(), 7)), count // 10, 25, None))
    if broker:
        rows.append(_to_broker(world, count))
    return rows


def _row(way: str, source: Source, count: int, size: int, outbox: Outbox | None) -> dict[str, Any]:
    wall, cpu, sent, weight = time.perf_counter(), time.process_time(), 0, 0
    for first in range(0, count, size):
        events: list[Event] = source.block(START + np.arange(first, min(first + size, count)) / 1000)
        if outbox is not None:
            outbox.send(events)
        sent += len(events)
        weight += len(events[0][1])
    while outbox is not None and outbox.flush(1.0):
        pass
    spent = {"s": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {"way": way, "events": sent, "bytes": weight // -(-count // size), **spent}


def _to_broker(world: World, count: int) -> dict[str, Any]:
    """Generate and produce into a topic of its own, acknowledged by the broker, with a header as live events have."""
    topic = Topic("bench.producer", world.topic.value, world.topic.key)
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap()})
    admin.create_topics([NewTopic(topic.name, num_partitions=3, replication_factor=1)])[topic.name].result()
    try:
        outbox = Outbox(topic, headers=[("schema_id", b"1")])
        return _row("generate and send, acknowledged", Source(world, Faults(Knobs(), 7)), count, BLOCK, outbox)
    finally:
        admin.delete_topics([topic.name])[topic.name].result()


def show(rows: list[dict[str, Any]]) -> None:
    table = Table("way", *(("events", "bytes", "seconds", "events/s", "events/CPU-s")))
    for r in rows:
        rate = [f"{r['events'] / r[k]:,.0f}" if r["events"] > 1 else "" for k in ("s", "cpu")]
        table.add_row(r["way"], f"{r['events']:,}", str(r["bytes"]), f"{r['s']:.2f}", *rate)
    Console().print(table)
