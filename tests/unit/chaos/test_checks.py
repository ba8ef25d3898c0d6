"""The checks after chaos, on the producers' faulty tweets in a simulated broker: they hold, and each can fail."""

from __future__ import annotations

import copy
import json
from collections import defaultdict

import numpy as np
import pytest

from processors.records import Record
from processors.tweets import FLOW
from producers.faults import Faults, Knobs
from producers.worlds import Source, make
from tests.chaos import checks, oracle
from tests.sim import machine
from tests.sim.broker import Broker
from topics.partition import murmur2_partition

START, EVENTS, PARTITIONS = 1_790_000_000.0, 1200, 2
CHANCES = machine.Chances(crash_every=2000, workers=2)
KNOBS = Knobs(duplicates=0.05, out_of_order=0.05, late=0.05, skew=0.02, corrupt=0.03, drift=0.02)


def raw_logs() -> list[list[Record]]:
    """What the producers send in an hour, partitioned by its keys as they do it."""
    source = Source(make("tweets", 3, KNOBS), Faults(KNOBS, 3))
    times = START + np.sort(np.random.default_rng(3).random(EVENTS)) * 3600
    logs: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for first in range(0, EVENTS, 100):
        part = times[first : first + 100]
        for events, _ in source.sendings(part):
            for _topic, key, value in events:
                log = logs[murmur2_partition(key, PARTITIONS)]
                log.append(Record(len(log), int(part[-1] * 1000) + 500, key, value, ()))
    return logs


@pytest.fixture(scope="module")
def world() -> tuple[list[list[Record]], Broker]:
    logs = raw_logs()
    return logs, machine.run((FLOW,), {FLOW.stream.raw.name: logs}, 4, CHANCES).broker


def check(logs: list[list[Record]], broker: Broker) -> None:
    db = oracle.connect(logs)
    checks.fates(broker, logs, db)
    checks.order(broker, logs)
    checks.figures(broker, db)
    checks.tails(broker)


def test_they_hold(world: tuple[list[list[Record]], Broker]) -> None:
    check(*world)


def spoil_a_fate(logs: dict) -> None:
    log = logs["tweets.rejected", 0]
    at = json.loads(log[0].value)["raw_offset"]
    log[:] = [r for r in log if json.loads(r.value)["raw_offset"] != at]


def spoil_an_order(logs: dict) -> None:
    """Two records of one key change places: behind the fence the earlier one is lost."""
    log = logs["tweets.clean", 0]
    places = defaultdict(list)
    for i, r in enumerate(log):
        places[r.key].append(i)
    a, b = next(p for p in places.values() if len(p) > 1)[:2]
    log[a], log[b] = log[b], log[a]


def spoil_a_figure(logs: dict) -> None:
    """The newest revision of a cell says one tweet more."""
    log = logs["tweets.kpi.tweet_volume_by_region", 0]
    value = json.loads(log[-1].value)
    log.append(log[-1]._replace(value=json.dumps({**value, "tweets": value["tweets"] + 1, "revision": 10**9}).encode()))


def spoil_a_tail(logs: dict) -> None:
    """A zombie's older partial comes last."""
    log = logs["tweets.partials", 0]
    offsets = defaultdict(set)
    for r in log:
        offsets[r.key].add(json.loads(r.value)["offset"])
    key = next(k for k, found in offsets.items() if len(found) > 1)
    log.append(min((r for r in log if r.key == key), key=lambda r: json.loads(r.value)["offset"]))


@pytest.mark.parametrize("spoil", [spoil_a_fate, spoil_an_order, spoil_a_figure, spoil_a_tail])
def test_each_can_fail(world: tuple[list[list[Record]], Broker], spoil) -> None:
    logs, broker = copy.deepcopy(world)
    spoil(broker.logs)
    with pytest.raises(AssertionError):
        check(logs, broker)
