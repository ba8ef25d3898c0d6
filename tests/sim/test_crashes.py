"""Whole flows in memory, with crashes, moves, zombies and compaction at random: what comes out never depends on them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from processors.tweets import FLOW
from tests.sim import checks, scenarios, world
from tests.sim.machine import CALM, Chances, run
from tests.sim.scenarios import TWEETS

SEEDS = {"tweets": 80, "tweets-crashes": 40, "tweets-zombies": 40, "animeverse": 10, "animeverse-crashes": 30}


def test_every_number_survives_crashes_moves_zombies_and_compaction() -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, counted in scenarios.play_all({name: range(n) for name, n in SEEDS.items()}):
        counts[name] += counted
    assert {name: c["runs"] for name, c in counts.items()} == SEEDS
    assert all(c["crashes"] > c["runs"] for c in counts.values())
    assert all(counts[name]["paused"] > counts[name]["runs"] for name in ("tweets", "tweets-zombies", "animeverse"))


def logs(events: int) -> dict[str, list[list]]:
    return {"tweets.raw": world.raw_partitions(3, 2, events)}


def boundaries() -> int:
    return run((FLOW,), logs(7), 3, CALM).crashes.number


def test_a_crash_at_every_step_boundary_in_turn() -> None:
    ends = range(1, boundaries() + 1)
    singles = [frozenset([n]) for n in ends]
    rng = random.Random(1)
    pairs = [frozenset(rng.sample(ends, 2)) for _ in range(60)]
    runs = {i: run((FLOW,), logs(7), 3, Chances(crash_at=at)) for i, at in enumerate([*singles, *pairs])}
    assert all(r.crashes.count >= 1 for r in runs.values())
    TWEETS.verify({i: r.broker for i, r in runs.items()})


def test_replay_gives_the_same_rows_whatever_the_batches() -> None:
    raw = {"tweets.raw": world.raw_partitions(1, partitions=2, events=400)}
    runs = [run((FLOW,), raw, seed, chances).broker for seed, chances in ((1, CALM), (2, CALM), (3, Chances(400)))]
    rows = [[v for _, v in checks.fenced(b, "tweets.clean")] for b in runs]
    assert rows[0] == rows[1] == rows[2]


def test_the_oracle_can_fail() -> None:
    broker = run((FLOW,), logs(60), 5, CALM).broker
    first = broker.logs["tweets.raw", 0]
    first[0] = first[0]._replace(value=b"{}")
    with pytest.raises(checks.WrongError, match=r"in the runs \[7\]: accepted events"):
        checks.check_ledger({7: broker}, scenarios.tweets_oracle({7: broker}))
