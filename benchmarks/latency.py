"""How long a tweet takes to the live KPIs: `python -m benchmarks.latency [--seconds 30]`, beside a running stack.

For every raw record that arrives while it looks, the time from the broker's timestamp of the record to the moment this
process holds a KPI record whose `as_of` includes it. Every raw record counts, also those that wait (no coordinated omission).
"""

from __future__ import annotations

import bisect
from collections import defaultdict

import click
import msgspec
from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from rich.console import Console
from rich.table import Table

from riverhouse import addresses
from riverhouse.clock import unix
from topics.tweets import MOOD_BY_MINUTE, TWEETS


class AsOf(msgspec.Struct):
    as_of: dict[str, int]


def follow(seconds: float) -> tuple[dict[int, list[tuple[int, float]]], dict[int, list[tuple[int, float]]]]:
    """Raw (offset, appended at) and KPI (as_of offset, held at) of each raw partition, seconds since the epoch."""
    consumer = Consumer({"bootstrap.servers": addresses.bootstrap(), "group.id": "benchmark", "fetch.wait.max.ms": 10})
    topics = consumer.list_topics(timeout=10).topics
    names = (TWEETS.raw.name, MOOD_BY_MINUTE.topic)
    consumer.assign([TopicPartition(t, p, OFFSET_END) for t in names for p in topics[t].partitions])
    decode = msgspec.json.Decoder(AsOf).decode
    raw: dict[int, list[tuple[int, float]]] = defaultdict(list)
    kpi: dict[int, list[tuple[int, float]]] = defaultdict(list)
    end = unix() + seconds
    while unix() < end:
        for m in consumer.consume(1000, 0.05):
            if m.error():
                continue
            if m.topic() == TWEETS.raw.name:
                raw[m.partition()].append((m.offset(), m.timestamp()[1] / 1000))
            else:
                held_at = unix()
                for p, offset in decode(m.value()).as_of.items():
                    if not kpi[int(p)] or offset > kpi[int(p)][-1][0]:
                        kpi[int(p)].append((offset, held_at))
    consumer.close()
    return raw, kpi


def latencies(raw: dict[int, list[tuple[int, float]]], kpi: dict[int, list[tuple[int, float]]]) -> list[float]:
    """Milliseconds, sorted, of the raw records that a KPI record has covered."""
    out = []
    for p, records in raw.items():
        offsets = [o for o, _ in kpi[p]]
        for offset, appended_at in records:
            i = bisect.bisect_left(offsets, offset)
            if i < len(offsets):
                out.append((kpi[p][i][1] - appended_at) * 1000)
    return sorted(out)


@click.command()
@click.option("--seconds", default=30.0, show_default=True)
def main(seconds: float) -> None:
    """Print the distribution of the latency from raw topic to KPI topic."""
    raw, kpi = follow(seconds)
    ms = latencies(raw, kpi)
    if not ms:
        raise click.ClickException("Nothing was measured. The stack must run: `make up`.")
    table = Table("tweets", "tweets/s", "p50 ms", "p95 ms", "p99 ms", "max ms", title="raw topic → KPI topic")
    quantiles = [ms[min(int(len(ms) * q), len(ms) - 1)] for q in (0.5, 0.95, 0.99, 1.0)]
    table.add_row(f"{len(ms):,}", f"{len(ms) / seconds:,.0f}", *(f"{q:.0f}" for q in quantiles))
    Console().print(table)


if __name__ == "__main__":
    main()
