from __future__ import annotations

from collections import Counter
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.animeverse.journeys import FLOW
from processors.records import Refusal, to_millis
from tests.unit.processors.animeverse.given import NOW_MS, Log, at, through_json
from topics.animeverse.journeys import CleanStep, Step

MINUTE = 1 / 60  # in hours


def step(kind: str = "review", hours: float = 0, amount: int = 0, **changes: Any) -> Step:
    base = {"step_id": f"{kind}/{hours}/{changes.get('visit_id')}", "customer_id": "k1", "kind": kind, "at": at(hours)}
    return Step(**{**base, "amount_cents": amount, **changes})


def visit(visit_id: str, hours: float, visit_hours: float, kind: str = "visit", amount: int = 0) -> Step:
    return step(kind, hours, amount, visit_at=at(visit_hours), visit_id=visit_id)


def sessions(clean: list[CleanStep]) -> set[tuple]:
    """The sums of the log by the moment that sessions begin at; without what has become nothing."""
    sums: dict[int, Counter] = {}
    for change in (change for c in clean for change in c.session_changes):
        sums.setdefault(to_millis(change.at), Counter()).update(
            n=change.sessions, steps=change.steps, seconds=change.seconds, spent=change.spent_cents
        )
    return {(ms, s["n"], s["steps"], s["seconds"], s["spent"]) for ms, s in sums.items() if any(s.values())}


def visits(clean: list[CleanStep]) -> set[tuple]:
    sums: dict[int, Counter] = {}
    for change in (change for c in clean for change in c.visit_changes):
        sums.setdefault(to_millis(change.at), Counter()).update(visits=change.visits, converted=change.converted)
    return {(ms, s["visits"], s["converted"]) for ms, s in sums.items() if any(s.values())}


def test_steps_closer_than_the_gap_are_one_session() -> None:
    clean = Log(FLOW).all([step(hours=0, amount=5), step(hours=29 * MINUTE, amount=7), step(hours=59 * MINUTE)])
    assert [(c.session_start_at, c.session_steps, c.session_spent_cents) for c in clean] == [
        (at(), 1, 5), (at(), 2, 12), (at(59 * MINUTE), 1, 0),
    ]  # fmt: skip
    assert sessions(clean) == {(NOW_MS, 1, 2, 29 * 60, 12), (NOW_MS + 59 * 60_000, 1, 1, 0, 0)}
    assert through_json(clean[1]) == clean[1]


def test_a_late_step_joins_two_sessions_and_says_what_that_changes() -> None:
    clean = Log(FLOW).all([step(hours=0, amount=1), step(hours=0.75, amount=2), step(hours=0.4, amount=4)])
    late = clean[-1]
    assert (late.session_start_at, late.session_end_at, late.session_steps, late.session_spent_cents) == (
        at(),
        at(0.75),
        3,
        7,
    )
    assert [(c.at, c.sessions, c.steps, c.seconds, c.spent_cents) for c in late.session_changes] == [
        (at(), 0, 2, 2700, 6), (at(0.75), -1, -1, 0, -2),
    ]  # fmt: skip


def test_a_step_of_more_than_three_days_before_the_newest_has_a_session_of_its_own() -> None:
    log = Log(FLOW)
    log.all([step(hours=0), step(hours=72.5)])
    again = log.put(step(hours=0.1))
    assert (again.session_start_at, again.session_steps) == (at(0.1), 1)
    assert log.put(step("return", 72.6)).session_steps == 2


def test_customers_do_not_meet() -> None:
    assert [c.session_steps for c in Log(FLOW).all([step(), step(customer_id="k2")])] == [1, 1]


def test_a_purchase_within_seven_days_converts_the_visits_before_it() -> None:
    clean = Log(FLOW).all(
        [visit("a", 0, 2), visit("b", 0, 3), step("purchase", 2), step("purchase", 24 * 7 + 2), step("purchase", 170.5)]
    )
    assert [[(v.at, v.visits, v.converted) for v in c.visit_changes] for c in clean] == [
        [(at(2), 1, 0)], [(at(3), 1, 0)], [], [(at(2), 0, 1), (at(3), 0, 1)], [],
    ]  # fmt: skip


def test_a_purchase_after_seven_days_or_a_return_converts_nothing() -> None:
    clean = Log(FLOW).all([visit("a", 0, 0), step("purchase", 24 * 7 + 0.01), step("return", 1)])
    assert visits(clean) == {(NOW_MS, 1, 0)}


def test_a_visit_may_arrive_after_its_purchase_and_a_refund_takes_all_back() -> None:
    log = Log(FLOW)
    clean = log.all([step("purchase", 30), visit("a", 0, 2)])
    assert [(v.visits, v.converted) for v in clean[1].visit_changes] == [(1, 1)]
    given_back = [log.put(visit("a", 31, 2, "visit_refund")), log.put(visit("a", 32, 2, "visit_refund"))]
    assert [[(v.visits, v.converted) for v in c.visit_changes] for c in given_back] == [[(-1, -1)], []]
    assert visits([*clean, *given_back]) == set()


def test_a_visit_without_its_ticket_or_time_is_refused() -> None:
    refusal = Log(FLOW).put(step("visit"))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "missing_visit"
    future = Log(FLOW).put(step(hours=1), NOW_MS)
    assert isinstance(future, Refusal)


def test_what_is_ten_days_old_leaves_the_memory_but_visits_to_come_stay() -> None:
    log = Log(FLOW)
    log.put(visit("a", 0, 24 * 30))
    log.all(step(hours=24 * n, customer_id=f"x{n}") for n in range(30))
    log.all(step("purchase", 12 * n, customer_id="k2") for n in range(60))
    figures = log.figures
    assert {"k1", "k2"} <= set(figures._customers)
    assert len(figures._customers) <= 2 + 11
    assert len(figures._customers["k2"].purchases) <= 21
    assert visits([log.put(step("purchase", 24 * 30 + 1))]) == {(to_millis(at(24 * 30)), 0, 1)}


ORACLE_SESSIONS = """
with marked as (select *, coalesce(ms - lag(ms) over w >= 1800000, true) new from s window w as (order by ms)),
numbered as (select *, sum(new::int) over (order by ms rows unbounded preceding) session from marked)
select min(ms), 1, count(*), (max(ms) - min(ms)) // 1000, sum(amount)::int from numbered group by session
"""
ORACLE_VISITS = """
with kept as (select visit_ms from s v where kind = 'visit'
              and not exists (from s r where r.kind = 'visit_refund' and r.visit_id = v.visit_id))
select visit_ms, count(*), count(*) filter (exists (
    from s p where p.kind = 'purchase' and p.ms > kept.visit_ms and p.ms <= kept.visit_ms + 7 * 86400000))
from kept group by 1
"""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["visit", "visit_refund", "purchase", "purchase", "return", "review"]),
        st.integers(0, 60 * 71),  # minutes
        st.integers(-9, 9),
        st.sampled_from("abcd"),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(
    STEPS.map(
        lambda found: list({(k, v) if k[0] == "v" else m: (k, m, a, v) for k, m, a, v in found}.values())
    ).flatmap(st.permutations)
)
def test_the_sums_over_the_log_are_those_of_the_batch_in_any_order(found: list[tuple[str, int, int, str]]) -> None:
    starts = {"a": -100.0, "b": 1.0, "c": 30.5, "d": 90.0}  # hours of the visits
    events = [
        visit(v, m * MINUTE, starts[v], kind, amount) if kind.startswith("visit") else step(kind, m * MINUTE, amount)
        for kind, m, amount, v in found
    ]
    clean = Log(FLOW).all(events)
    db = duckdb.connect()
    db.execute("create table s (kind varchar, ms bigint, amount int, visit_id varchar, visit_ms bigint)")
    rows = [(k, NOW_MS + m * 60_000, a, v, NOW_MS + int(starts[v] * 3_600_000)) for k, m, a, v in found]
    db.executemany("insert into s values (?, ?, ?, ?, ?)", rows)
    assert visits(clean) == set(db.execute(ORACLE_VISITS).fetchall())
    by_start: dict[int, Counter] = {}
    for ms, n, steps, seconds, spent in db.execute(ORACLE_SESSIONS).fetchall():
        by_start.setdefault(ms, Counter()).update(n=n, steps=steps, seconds=seconds, spent=spent)
    assert sessions(clean) == {(ms, s["n"], s["steps"], s["seconds"], s["spent"]) for ms, s in by_start.items()}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_one_moment_is_one_session(order: tuple[int, ...]) -> None:
    kinds = ["purchase", "return", "review"]
    clean = Log(FLOW).all(step(kinds[i], 1) for i in order)
    assert sessions(clean) == {(NOW_MS + 3_600_000, 1, 3, 0, 0)}
