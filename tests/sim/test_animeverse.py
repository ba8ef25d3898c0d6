"""AnimeVerse's eleven flows in memory: the moment at which a version arrives changes nothing, and each check can fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from processors.animeverse import FLOWS
from processors.dataflow import Partition
from processors.flow import Dataflow
from tests.sim import animeverse_checks as checks
from tests.sim import animeverse_oracle as oracle
from tests.sim import animeverse_world as world
from tests.sim.broker import Broker
from tests.sim.checks import Runs, WrongError
from tests.sim.machine import Chances, run


def play(seed: int, chances: Chances, events: int = 220) -> Broker:
    return run(FLOWS, world.raw_logs(seed, 1 + seed % 3, events), seed, chances).broker


def test_neither_crashes_nor_the_moment_at_which_a_version_arrives_change_a_number() -> None:
    runs = [play(7, Chances(crash_every=every, feed=feed)) for every, feed in ((0, 0), (0, 3), (400, 5))]
    seen = [
        {
            kpi: checks.cells({7: broker}, kpi, names)
            for kpi, names in {
                "sales_by_minute": ("channel", "store_id", "orders", "returns", "items", "revenue_cents"),
                "rating_by_day": ("subject_kind", "subject_id", "reviews", "mean_stars"),
            }.items()
        }
        for broker in runs
    ]
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]["sales_by_minute"]) > 20
    in_force = [
        {s: {v["event_id"]: shown(v) for v in checks.clean(broker, s)} for s in ("pos", "cinema", "inventory")}
        for broker in runs
    ]
    assert in_force[0] == in_force[1] == in_force[2]


def shown(clean: dict[str, Any]) -> dict[str, Any]:
    """A clean event without what only says where in the log it stands."""
    return {k: v for k, v in clean.items() if k not in {"raw_offset", "revision", "cause_offset", "cause_ordinal"}}


@pytest.mark.parametrize("flow", [f for f in FLOWS if f.stream.prefix in {"animeverse.pos", "animeverse.cinema"}])
def test_a_record_that_is_read_again_is_refused_for_the_same_reason(flow: Dataflow) -> None:
    """The worst crash: the state holds the whole log, and nothing was committed."""
    raw, rejected = flow.stream.raw.name, flow.stream.rejected.name
    reasons: Counter[str] = Counter()
    for seed in range(20):
        (log,) = world.raw_logs(seed, 1, 300)[raw]
        before = Partition(flow, 0, 1).process(len(log), log)
        after = Partition(flow, 0, 1)
        after.recover(o.value for o in before if o.topic == flow.stream.clean.name)
        again = after.process(len(log), log)
        for topic in (rejected, flow.stream.duplicates.name):
            assert [o.value for o in again if o.topic == topic] == [o.value for o in before if o.topic == topic]
        assert not [o for o in again if o.topic == flow.stream.clean.name]
        reasons.update(json.loads(o.value)["reason"] for o in before if o.topic == rejected)
    assert {"return_without_sale", "already_returned"} <= reasons.keys() or {
        "seat_taken",
        "already_refunded",
    } <= reasons.keys()


@pytest.mark.parametrize(
    ("stream", "old", "new", "check"),
    [
        ("pos", b'"kind": "sale"', b'"kind": "sold"', checks.check_ledger),
        ("pos", b'"quantity": 1', b'"quantity": 2', checks.check_sales),
        ("pos", b'"quantity": 1', b'"quantity": 2', checks.check_derived),
        ("cinema", b'"amount_cents": 900', b'"amount_cents": 901', checks.check_kpis),
        ("cinema", b'"seat": 2', b'"seat": 1', checks.check_ledger),
        ("inventory", b'"kind": "delivery"', b'"kind": "count"', checks.check_gauges),
        ("reviews", b'"stars": 5', b'"stars": 4', checks.check_gauges),
        ("products", b'"valid_from": 17', b'"valid_from": 16', checks.check_versions),
        ("screenings", b'"valid_from": 17', b'"valid_from": 16', checks.check_versions),
        ("products", b'"cost_cents": 1', b'"cost_cents": 2', checks.check_sales),
    ],
)
def test_the_oracle_can_fail(
    finished: Broker, stream: str, old: bytes, new: bytes, check: Callable[[Runs, duckdb.DuckDBPyConnection], None]
) -> None:
    """Each check sees it where the raw records were others than those that were processed."""
    check({1: finished}, checks.connect({1: finished}))
    logs = checks.logs_of(finished)
    topic = f"animeverse.{stream}.raw"
    logs[topic] = [[r._replace(value=(r.value or b"").replace(old, new)) for r in log] for log in logs[topic]]
    with pytest.raises(WrongError):
        check({1: finished}, oracle.connect({1: logs}))


@pytest.fixture(scope="module")
def finished() -> Broker:
    return play(1, Chances(feed=5))
