"""The whole flow in memory, with crashes at random step boundaries: what comes out never depends on them."""

from __future__ import annotations

import pytest

from processors.tweets import FLOW
from tests.sim import machine, oracle, world
from tests.sim.checks import check_enrichment, check_kpis, check_ledger, fenced

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_survives_crashes(seed: int) -> None:
    logs = world.raw_partitions(seed, partitions=1 + seed % 3, events=250)
    broker = machine.run(FLOW, logs, seed, crash=0.04)
    db = oracle.connect(logs)
    check_ledger(broker, logs, db)
    check_kpis(broker, db)
    check_enrichment(broker)


def test_replay_gives_the_same_rows_whatever_the_batches() -> None:
    logs = world.raw_partitions(1, partitions=2, events=400)
    runs = [machine.run(FLOW, logs, seed, crash=c) for seed, c in ((1, 0.0), (2, 0.0), (3, 0.1))]
    rows = [[v for _, v in fenced(b, "tweets.clean")] for b in runs]
    assert rows[0] == rows[1] == rows[2]


def test_the_oracle_can_fail() -> None:
    logs = world.raw_partitions(5, partitions=1, events=100)
    broker = machine.run(FLOW, logs, 5, crash=0.0)
    logs[0][0] = logs[0][0]._replace(value=b"{}")
    with pytest.raises(AssertionError):
        check_ledger(broker, logs, oracle.connect(logs))
