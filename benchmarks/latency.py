"""How long an event takes to the live KPIs: `python -m benchmarks.latency tweets|animeverse`, beside a running stack.

For every raw record that arrives while it looks, the time from the broker's timestamp of the record to the moment this
process holds a KPI record whose `as_of` includes it. Every event counts, also one that waits, or that turns out to be a
repeat (no coordinated omission); versions of reference data, which the workers put between the events, do not.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from typing import Any

import click
import msgspec
from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from rich.console import Console
from rich.table import Table

from processors.state import REFERENCE
from riverhouse import addresses, businesses
from riverhouse.clock import unix
from topics.catalogue import STREAMS
from topics.contract import Kpi, Stream

Marks = dict[int, list[tuple[int, float]]]  # raw partition → (raw offset, seconds since the epoch), in order


class AsOf(msgspec.Struct):
    as_of: dict[str, int]


def stream_of(kpi: Kpi) -> Stream:
    """The stream whose events a KPI folds."""
    return next(s for s in STREAMS if kpi in s.kpis)


def consumer_of(*topics: str, start: int = OFFSET_END) -> Consumer:
    """A consumer that has asked for the end (or the beginning) of each partition."""
    consumer = Consumer({"bootstrap.servers": addresses.bootstrap(), "group.id": "benchmark", "fetch.wait.max.ms": 10})
    known = consumer.list_topics(timeout=10).topics
    consumer.assign([TopicPartition(t, p, start) for t in topics for p in known[t].partitions])
    return consumer


def is_event(message: Any) -> bool:
    return all(name != REFERENCE for name, _ in message.headers() or ())


def follow(kpi: Kpi, seconds: float) -> tuple[Marks, Marks]:
    """Of each raw partition: events (offset, appended at) and KPI records (as_of offset, held at)."""
    raw_topic = stream_of(kpi).raw.name
    consumer = consumer_of(raw_topic, kpi.topic)
    decode = msgspec.json.Decoder(AsOf).decode
    raw: Marks = defaultdict(list)
    held: Marks = defaultdict(list)
    end = unix() + seconds
    while unix() < end:
        for m in consumer.consume(1000, 0.01):
            if m.error():
                continue
            if m.topic() != raw_topic:
                advance(held, decode(m.value()).as_of, unix())
            elif is_event(m):
                raw[m.partition()].append((m.offset(), m.timestamp()[1] / 1000))
    consumer.close()
    return raw, held


def advance(held: Marks, as_of: dict[str, int], now: float) -> None:
    """Note how far each raw partition is in the KPI, where that is further than before."""
    for p, offset in as_of.items():
        marks = held[int(p)]
        if not marks or offset > marks[-1][0]:
            marks.append((offset, now))


def latencies(raw: Marks, held: Marks) -> list[float]:
    """Milliseconds, sorted, of the events that a KPI record has covered."""
    out = []
    for p, events in raw.items():
        offsets = [o for o, _ in held.get(p, ())]
        for offset, appended_at in events:
            i = bisect.bisect_left(offsets, offset)
            if i < len(offsets):
                out.append((held[p][i][1] - appended_at) * 1000)
    return sorted(out)


def quantiles(values: list[float], *wanted: float) -> list[float]:
    """Quantiles of sorted values by the nearest rank: the least value seen that so many of all do not exceed."""
    return [values[math.ceil(round(len(values) * q, 9)) - 1] for q in wanted]


def kpi_called(topic: str, business: str) -> Kpi:
    """The KPI with this topic, the business's best known one where none is named. BadParameter for an unknown one."""
    known = {k.topic: k for k in businesses.kpis(business)}
    if topic and topic not in known:
        raise click.BadParameter(f"{business} has no such KPI topic; known: {', '.join(known)}", param_hint="--topic")
    return known[topic] if topic else businesses.figure(business)


@click.command()
@click.argument("business", type=click.Choice(businesses.DOMAINS))
@click.option("--topic", default="", help="a KPI topic of the business [its best known figure]")
@click.option("--seconds", default=30.0, show_default=True)
def main(business: str, topic: str, seconds: float) -> None:
    """Print the distribution of the latency from raw topic to KPI topic."""
    kpi = kpi_called(topic, business)
    ms = latencies(*follow(kpi, seconds))
    if not ms:
        raise click.ClickException("Nothing was measured. The stack must run: `make up`.")
    table = Table("events", "a second", "p50 ms", "p95 ms", "p99 ms", "max ms")
    table.title = f"{stream_of(kpi).raw.name} → {kpi.topic}"
    figures = quantiles(ms, 0.5, 0.95, 0.99, 1.0)
    table.add_row(f"{len(ms):,}", f"{len(ms) / seconds:,.0f}", *(f"{f:.0f}" for f in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
