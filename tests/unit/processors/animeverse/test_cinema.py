from __future__ import annotations

from typing import Any

import pytest

from processors.animeverse.cinema import FLOW
from processors.records import Refusal
from tests.unit.processors.animeverse.given import NOW_MS, Log, at, customer, lookup, screening, through_json, title
from topics.animeverse.cinema import Admission, CleanAdmission

PROGRAMME = (screening(), title(), customer())


def ticket(transaction_id: str = "a", seat: int | None = 1, **changes: Any) -> Admission:
    base = {"transaction_id": transaction_id, "kind": "ticket", "at": at(), "screening_id": "sc1", "starts_at": at(2)}
    return Admission(**{**base, "amount_cents": 1200, "seat": seat, "price_class": "adult", **changes})


def refund(transaction_id: str, ticket_id: str | None, **changes: Any) -> Admission:
    return ticket(
        transaction_id, **{"kind": "refund", "seat": None, "ticket_id": ticket_id, "price_class": None, **changes}
    )


def popcorn(transaction_id: str, **changes: Any) -> Admission:
    fields = {
        "kind": "concession",
        "seat": None,
        "item": "popcorn",
        "quantity": 2,
        "amount_cents": 900,
        "price_class": None,
    }
    return ticket(transaction_id, **{**fields, **changes})


def reason(got: Any) -> str:
    return got.reason if isinstance(got, Refusal) else "accepted"


def test_the_first_transaction_opens_its_screening_and_brings_the_seats() -> None:
    log = Log(FLOW, *PROGRAMME)
    first, second = log.put(ticket("a", 1, customer_id="k1")), log.put(popcorn("b"))
    assert isinstance(first, CleanAdmission)
    assert (first.opening, first.seats, first.seats_once, second.opening, second.seats_once) == (True, 5, 5, False, 0)
    assert (first.tickets, first.ticket_cents, first.concession_cents, first.quantity) == (1, 1200, 0, 1)
    assert (second.tickets, second.ticket_cents, second.concession_cents, second.quantity) == (0, 0, 900, 2)
    assert (first.title_id, first.title_name, first.store_id, first.hall) == ("t1", "Sky", "c1", "1")
    assert (first.customer_segment, second.customer_segment, second.seat, first.flags) == ("fan", "none", 0, [])
    assert through_json(first) == first


def test_a_seat_is_sold_once_until_it_is_given_back() -> None:
    log = Log(FLOW, *PROGRAMME)
    log.put(ticket("a", 1, customer_id="k1"))
    assert reason(log.put(ticket("b", 1))) == "seat_taken"
    assert reason(log.put(ticket("c", 1, screening_id="sc2"))) == "accepted"
    given = log.put(refund("d", "a"))
    assert (given.seat, given.price_class, given.customer_id, given.tickets, given.ticket_cents) == (
        1,
        "adult",
        "k1",
        -1,
        -1200,
    )
    assert reason(log.put(refund("e", "a"))) == "already_refunded"
    assert reason(log.put(ticket("f", 1))) == "accepted"
    assert reason(log.put(ticket("g", 1))) == "seat_taken"


@pytest.mark.parametrize(
    ("admission", "why"),
    [
        (ticket("a", None), "missing_seat"),
        (refund("a", "z"), "refund_without_ticket"),
        (refund("a", None), "refund_without_ticket"),
        (popcorn("a"), "accepted"),
        (ticket("a", starts_at=at(24 * 400)), "timestamp_out_of_range"),
        (ticket("a", starts_at=1.0), "timestamp_out_of_range"),
        (ticket("a", at=at(0.02)), "timestamp_in_future"),
    ],
)
def test_refusals(admission: Admission, why: str) -> None:
    assert reason(Log(FLOW).put(admission, NOW_MS)) == why


def test_three_days_after_the_start_tickets_are_forgotten() -> None:
    log = Log(FLOW, *PROGRAMME)
    log.put(ticket("a", 1))
    assert reason(log.put(popcorn("b", screening_id="sc2", at=at(74), starts_at=at(74)))) == "accepted"
    assert reason(log.put(refund("c", "a", at=at(3)))) == "accepted"
    log.put(popcorn("d", screening_id="sc2", at=at(74.1), starts_at=at(74)))
    assert reason(log.put(refund("e", "a", at=at(3)))) == "refund_without_ticket"
    late = log.put(ticket("f", 1, at=at(1)))
    assert (late.opening, late.seats_once, late.tickets) == (False, 0, 1)


def test_a_record_that_comes_again_after_a_crash_is_refused_for_the_same_reason() -> None:
    log = Log(FLOW)
    log.put(ticket("a", 1))  # 0
    conflict = ticket("b", 1)
    assert reason(log.put(conflict)) == "seat_taken"  # 1
    early = refund("r", "c")
    assert reason(log.put(early)) == "refund_without_ticket"  # 2
    log.put(refund("d", "a"))  # 3
    log.put(ticket("c", 1))  # 4
    again = refund("e", "a")
    assert reason(log.put(again)) == "already_refunded"  # 5
    log.put(refund("f", "c"))  # 6
    assert reason(log.judge(conflict, 1)) == "seat_taken"
    assert reason(log.judge(early, 2)) == "refund_without_ticket"
    assert reason(log.judge(again, 5)) == "already_refunded"
    assert reason(log.judge(ticket("g", 1), 4)) == "accepted"
    assert reason(log.judge(ticket("g", 1), 6)) == "seat_taken"


def test_flags_follow_the_version_of_the_time() -> None:
    moved = screening("sc1", -1, starts_at=at(-0.5), seats=3)
    off = screening("sc2", -1, status="cancelled")
    log = Log(FLOW, *PROGRAMME, moved, off)
    late = log.put(ticket("a", 4))
    assert (late.flags, late.starts_at, late.printed_starts_at) == (["after_start", "no_such_seat"], at(-0.5), at(2))
    assert log.put(popcorn("b")).flags == []
    assert log.put(ticket("c", 1, screening_id="sc2")).flags == ["cancelled_screening"]


def test_what_is_unknown_is_flagged_and_a_version_that_comes_later_sets_every_field() -> None:
    bare = Log(FLOW).put(ticket("a", 1, customer_id="k1"))
    assert bare.flags == ["unknown_customer", "unknown_screening", "unknown_title"]
    assert (bare.title_id, bare.store_id, bare.hall, bare.starts_at, bare.seats_once) == (
        "unknown",
        "unknown",
        "unknown",
        at(2),
        0,
    )
    full = FLOW.enrich(bare, lookup(*PROGRAMME))
    assert full == Log(FLOW, *PROGRAMME).put(ticket("a", 1, customer_id="k1"))
    assert FLOW.enrich(full, lookup()) == bare
    assert [r.prefix for r, _ in FLOW.joins(bare)] == ["animeverse.screenings", "animeverse.customers"]
    assert [(r.prefix, i) for r, i in FLOW.joins(full)][1] == ("animeverse.titles", "t1")


def test_a_known_customers_ticket_is_a_visit_and_its_refund_takes_it_back() -> None:
    log = Log(FLOW)
    (visit,) = FLOW.derive(log.put(ticket("a", 1, customer_id="k1")))
    assert (visit.key, visit.event.step_id, visit.event.kind) == ("k1", "a/visit", "visit")
    assert (visit.event.at, visit.event.visit_at, visit.event.visit_id, visit.event.amount_cents) == (
        at(),
        at(2),
        "a",
        1200,
    )
    (taken_back,) = FLOW.derive(log.put(refund("b", "a")))
    assert (taken_back.key, taken_back.event.kind, taken_back.event.visit_id) == ("k1", "visit_refund", "a")
    assert list(FLOW.derive(log.put(popcorn("c", customer_id="k1")))) == []
    assert list(FLOW.derive(log.put(ticket("d", 2)))) == []


def test_screenings_that_are_over_leave_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.animeverse.common.REPLAYED", 10)
    log = Log(FLOW)
    for n in range(200):
        log.put(ticket(f"a{n}", 1, at=at(n), screening_id=f"sc{n}", starts_at=at(n + 2)))
    assert len(log.figures.screenings) <= 72 + 10 + 4
