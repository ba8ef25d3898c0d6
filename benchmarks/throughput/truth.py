"""What goes in and what must come out: the raw topic, and DuckDB's answer over it, which shares no code with any engine."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import click
import duckdb
import pyarrow as pa

from benchmarks.engines.catalogue import CLEAN, RAW, Engine
from benchmarks.throughput.broker import Broker
from benchmarks.throughput.python import python
from topics.tweets import VOLUME_BY_REGION

Cells = dict[tuple[str, int], int]  # (region, minute in s) → tweets


@dataclass(frozen=True)
class Truth:
    """What must come out of so many raw `records`: how many clean records, and the cells of the KPI."""

    records: int
    clean: int
    cells: Cells


def fill(broker: Broker, events: int) -> Truth:
    """Send tweets, two of a hundred twice; the truth of all that the raw topic has then."""
    options = ["--no-history", "--no-faults", "--duplicates", "0.02"]
    python("producers", "live", "tweets", "--flat-out", "--count", str(events), *options)
    return truth(broker)


def truth(broker: Broker) -> Truth:
    """DuckDB's answer over the raw records, which are all valid: the producers were told to make no fault."""
    values = [m.value().decode() for m in broker.read(RAW)]
    db = duckdb.connect()
    db.register("raw", pa.table({"v": values}))
    db.execute("""
        create table accepted as select any_value(coalesce(v->>'region', 'ZZZ')) region, any_value(epoch(cast(v->>'created_at' as timestamptz))) event_s
        from (select v::json v from raw) group by lower(v->>'tweet_id')
    """)
    cells = db.execute("select region, event_s::bigint // 60 * 60, count(*) from accepted group by all").fetchall()
    return Truth(len(values), sum(n for _, _, n in cells), {(region, start): n for region, start, n in cells})


def found_cells(broker: Broker) -> Cells:
    """The cells of the KPI as the engine left them."""
    found: Cells = {}
    for message in broker.read(VOLUME_BY_REGION.topic):
        value = json.loads(message.value())
        start = int(dt.datetime.fromisoformat(value["window_start_at"]).timestamp())
        found[value["region"], start] = value["tweets"]  # a cell's records are in one partition, the newest comes last
    return found


def check(broker: Broker, engine: Engine, wanted: Truth) -> None:
    """ClickException where the engine's results are not the truth."""
    clean = sum(1 for _ in broker.read(CLEAN))  # not its offsets: the markers of transactions have some, too
    if clean != wanted.clean:
        raise click.ClickException(f"{engine.name}: {clean:,} clean records, not {wanted.clean:,}")
    found = found_cells(broker)
    if found != wanted.cells:
        different = {c for c in found.keys() | wanted.cells.keys() if found.get(c) != wanted.cells.get(c)}
        raise click.ClickException(f"{engine.name}: {len(different)} cells are wrong, {sorted(different)[:3]}")
