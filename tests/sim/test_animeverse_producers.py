"""What the producers send, faults and late reference data included, through all flows: the sums are DuckDB's over the same lines."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
from collections import defaultdict

from processors.animeverse import FLOWS
from processors.records import Record
from producers.animeverse.knobs import Knobs
from tests.sim import animeverse_checks as checks
from tests.sim.animeverse_world import named
from tests.sim.machine import Chances, run
from tests.unit.producers.animeverse import outputs
from topics.partition import murmur2_partition

PARTITIONS = 2
EVENTS = 1000
HOURS = 20.0  # and up to two days of lateness: all within the three days in which versions revise
TIMES = {"at", "sold_at", "starts_at", "valid_from"}
FAULTY = Knobs(
    duplicates=0.03, late=0.02, very_late=0.0, out_of_order=0.03, corrupt=0.0, drift=0.0, outage=0.02,
    return_without_sale=0.1, second_return=0.1, seat_taken=0.05, unknown_product=0.02, unknown_customer=0.01,
    below_cost=0.05, old_price=0.05,
)  # fmt: skip


def logs_of(lines: list[bytes]) -> dict[str, list[list[Record]]]:
    """The lines as raw logs, partitioned by their keys as the producers do it."""
    logs: dict[str, list[list[Record]]] = defaultdict(lambda: [[] for _ in range(PARTITIONS)])
    arrived_ms = int((outputs.START + (HOURS + 1) * outputs.HOUR) * 1000)
    for line in lines:
        sent = json.loads(line)
        value = in_millis(sent["value"])
        key = sent["key"].encode()
        logs[sent["topic"]][murmur2_partition(key, PARTITIONS)].append(Record(0, arrived_ms, key, value))
    return logs


def in_millis(value: str) -> bytes:
    """The same event with its moments as milliseconds, which contracts allow and the oracle reads."""
    event = json.loads(value)
    for name in TIMES & event.keys():
        if isinstance(event[name], str):
            event[name] = int(dt.datetime.fromisoformat(event[name]).timestamp() * 1000)
    return json.dumps(named(event, 0)).encode()


def test_the_sums_are_those_of_the_producers_output(tmp_path: pathlib.Path) -> None:
    lines = outputs.run(tmp_path, FAULTY, EVENTS, HOURS)
    broker = run(FLOWS, logs_of(lines), 3, Chances(crash_at=frozenset([60_000, 150_000]), feed=40)).broker
    db = checks.connect({0: broker})
    checks.check_all({0: broker}, db)
    ((receipts,),) = db.execute("select count(*) from pos").fetchall()
    assert receipts > EVENTS / 4
