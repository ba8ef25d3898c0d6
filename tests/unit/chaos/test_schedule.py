"""A schedule is a function of its seed, keeps its order, and lacks nothing."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from tests.chaos import schedule


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("events", [5_000, 100_000])
def test_each_kind_is_there_and_in_order(seed: int, events: int) -> None:
    actions = schedule.make(seed, events)
    assert actions == schedule.make(seed, events)
    assert [a.events for a in actions] == sorted(a.events for a in actions)
    assert schedule.FIRST * events <= actions[0].events
    assert actions[-1].events <= schedule.LAST * events
    kinds = {"kill", "pause", "restart", "leave", "join", "fill", "clog"}
    assert kinds - {"restart"} <= {a.kind for a in actions} <= kinds
    assert {"kafka", "sink", "worker-tweets-0", "postgres", "trino", "producer-tweets"} <= {
        a.target for a in actions if a.kind == "kill"
    }


def test_a_burst_is_thirty_kills_close_together() -> None:
    actions = schedule.make(3, 100_000)
    at, kills = Counter(a.events for a in actions if a.kind == "kill").most_common(1)[0]
    assert kills >= schedule.BURST
    moments = [a.after_s for a in actions if a.events == at and a.kind == "kill"]
    gaps = [b - a for a, b in itertools.pairwise(moments)]
    assert all(0 <= g <= 1.1 for g in gaps)


def test_seeds_differ_and_disks_can_be_left_out() -> None:
    assert schedule.make(1, 50_000) != schedule.make(2, 50_000)
    assert "fill" not in {a.kind for a in schedule.make(1, 50_000, disks=False)}
