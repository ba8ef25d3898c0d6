from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.animeverse.stock import FLOW, accept, alert, days_of_cover, remember
from processors.records import Refusal
from tests.unit.processors.animeverse.given import NOW_MS, Log, at, lookup, product, through_json
from topics.animeverse.stock import CleanMove, Move


def move(kind: str, quantity: int, hours: float = 0, **changes: Any) -> Move:
    base = {
        "move_id": f"{kind}/{hours}",
        "item": "s1/p1",
        "kind": kind,
        "at": at(hours),
        "store_id": "s1",
        "product_id": "p1",
    }
    return Move(**{**base, "quantity": quantity, **changes})


def on_hand(*moves: Move) -> list[int]:
    return [clean.on_hand for clean in Log(FLOW).all(moves)]


def test_movements_add_up_and_a_count_sets() -> None:
    assert on_hand(move("delivery", 10), move("sale", -3, 1), move("count", 5, 2), move("return", 1, 3)) == [
        10,
        7,
        5,
        6,
    ]


def test_a_late_movement_before_the_count_changes_nothing() -> None:
    assert on_hand(move("count", 5, 2), move("sale", -3, 1), move("sale", -1, 2), move("sale", -1, 2.1)) == [5, 5, 5, 4]


def test_a_late_count_keeps_the_movements_after_it() -> None:
    assert on_hand(move("delivery", 10), move("sale", -1, 3), move("count", 20, 2), move("count", 7, 1)) == [
        10,
        9,
        19,
        19,
    ]


def test_a_count_of_more_than_three_days_before_the_newest_event_changes_nothing() -> None:
    assert on_hand(move("delivery", 4), move("sale", -1, 80), move("count", 50, 7.9), move("count", 50, 8)) == [
        4,
        3,
        3,
        49,
    ]


def test_alerts_go_by_the_reorder_point_of_the_time_and_tell_of_changes() -> None:
    log = Log(FLOW, product(reorder_point=3))
    steps = [("delivery", 9), ("sale", -5), ("sale", -1), ("sale", -3), ("sale", -2), ("delivery", 12)]
    seen = log.all(move(kind, n, hour) for hour, (kind, n) in enumerate(steps))
    assert [c.alert for c in seen] == ["ok", "ok", "low", "out", "negative", "ok"]
    assert [c.alert_changed for c in seen] == [False, False, True, True, True, True]
    assert [c.flags for c in seen][4] == ["negative_stock"]
    assert seen[4].previous_alert == "out"
    assert through_json(seen[4]) == seen[4]


def test_a_version_that_comes_later_sets_the_alert() -> None:
    bare = Log(FLOW).put(move("delivery", 2))
    assert (bare.reorder_point, bare.alert, bare.alert_changed, bare.flags) == (0, "ok", False, ["unknown_product"])
    known = FLOW.enrich(bare, lookup(product(reorder_point=2)))
    assert (known.reorder_point, known.alert, known.alert_changed, known.flags) == (2, "low", True, [])
    assert FLOW.enrich(known, lookup()) == bare
    assert [(r.prefix, i) for r, i in FLOW.joins(bare)] == [("animeverse.products", "p1")]


@pytest.mark.parametrize(
    ("stock", "sold", "days"), [(0, 5, 0.0), (-2, 5, 0.0), (5, 0, 999.0), (5, -1, 999.0), (10, 7, 10.0), (1, 56, 0.13)]
)
def test_days_of_cover(stock: int, sold: int, days: float) -> None:
    assert days_of_cover(stock, sold) == days


def test_alert_levels() -> None:
    assert [alert(n, 3) for n in (-1, 0, 1, 3, 4)] == ["negative", "out", "low", "low", "ok"]


def test_refusals_are_of_time_only() -> None:
    refusal = Log(FLOW).put(move("sale", -1, 1), NOW_MS)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "timestamp_in_future"


def test_an_item_whose_first_movements_are_gone_from_the_log_keeps_its_stock() -> None:
    whole, rest = Log(FLOW), Log(FLOW)
    clean = whole.all([move("delivery", 50), move("sale", -5, 1), move("sale", -4, 2)])
    remember(rest.figures, clean[2])
    assert whole.put(move("sale", -1, 3)).on_hand == rest.put(move("sale", -1, 3)).on_hand == 40


def test_movements_that_no_count_can_reach_leave_the_memory() -> None:
    log = Log(FLOW)
    log.all(move("sale", -1, hour) for hour in range(2000))
    item = log.figures["s1/p1"]
    assert (len(item.times) < 2 * 73, len(item.sold)) == (True, 7)


ORACLE = """
with counts as (select hour, quantity from m where kind = 'count' qualify row_number() over (order by hour desc) = 1),
base as (select coalesce(max(hour), -1) as hour, coalesce(max(quantity), 0) as n from counts),
days as (select *, hour // 24 as day, max(hour) over () // 24 as newest from m)
select (select n from base) + coalesce(sum(quantity) filter (kind <> 'count' and hour > (select hour from base)), 0),
       coalesce(sum(-quantity) filter (kind in ('sale', 'return') and day > newest - 7), 0)
from days
"""
MIDNIGHT = -(NOW_MS % 86_400_000) / 3_600_000  # so that hours count UTC days
KINDS = {"sale": -1, "return": 1, "delivery": 1, "transfer_in": 1, "transfer_out": -1, "adjustment": -1, "count": 1}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(0, 9), st.integers(0, 71)), min_size=1, max_size=30)
    .map(lambda moves: list({(at, kind == "count"): (kind, n, at) for kind, n, at in moves}.values()))
    .flatmap(st.permutations)
)  # fmt: skip
def test_whatever_arrives_late_within_three_days_stock_ends_the_same(moves: list[tuple[str, int, int]]) -> None:
    clean = Log(FLOW).all(move(kind, KINDS[kind] * n, MIDNIGHT + hour) for kind, n, hour in moves)
    db = duckdb.connect()
    db.execute("create table m (kind varchar, quantity int, hour int)")
    db.executemany("insert into m values (?, ?, ?)", [(kind, KINDS[kind] * n, hour) for kind, n, hour in moves])
    assert isinstance(clean[-1], CleanMove)
    assert (clean[-1].on_hand, clean[-1].sold_7_days) == db.execute(ORACLE).fetchone()


def test_accepting_changes_nothing() -> None:
    log = Log(FLOW)
    log.put(move("delivery", 5))
    assert log.judge(move("sale", -1, 1), 1) == log.judge(move("sale", -1, 1), 1)
    assert accept is FLOW.accept
