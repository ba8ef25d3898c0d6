"""Journeys: steps of customers, derived from receipts, tickets and reviews, become sessions and conversions.

    pos.clean, cinema.clean, reviews.clean ─▶ journeys.raw ─ accept ─▶ journeys.clean ─▶ sessions_by_hour,
                                                                     conversion_by_day, customer_session (gauge)

A step says what it changes: the sessions that it opens, extends or joins together go with a minus and come back with a
plus. So the sums over the log are those of the sessions in the end, in whatever order the steps arrive.

A purchase converts the visits of the 7 days before it; a refund takes its visit back, also where it arrives first.

State of a raw partition, by event time before the customer's newest step: sessions of 3 days, purchases and visits of 10.
A customer whose newest step and visits are 10 days behind the partition's newest is forgotten (bound: customers of 10 days).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from typing import NamedTuple

import msgspec

from processors.animeverse.common import DAY_MS, base, untimely
from processors.flow import Dataflow, Form
from processors.records import Cause, Refusal, from_millis, to_millis
from topics.animeverse.journeys import CONVERSION, JOURNEYS, SESSION_GAP, CleanStep, SessionChange, Step, VisitChange

GAP_MS = int(SESSION_GAP.total_seconds() * 1000)
CONVERSION_MS = int(CONVERSION.total_seconds() * 1000)
SESSIONS_KEPT_MS = 3 * DAY_MS
KEPT_MS = 10 * DAY_MS
SWEEP_MS = 3_600_000  # event time between two sweeps


class Session(NamedTuple):
    """Steps of a customer, each less than `SESSION_GAP` after the one before."""

    start_ms: int
    end_ms: int
    steps: int
    spent_cents: int

    def change(self, sign: int) -> Counter[str]:
        seconds = (self.end_ms - self.start_ms) // 1000
        whole = {"sessions": 1, "steps": self.steps, "seconds": seconds, "spent_cents": self.spent_cents}
        return Counter({name: sign * n for name, n in whole.items()})


class Visit(msgspec.Struct, array_like=True):
    """A visit to the cinema."""

    at_ms: int
    converted: bool
    refunded: bool


class Customer(msgspec.Struct, array_like=True):
    """A customer's sessions, purchases and visits."""

    newest_ms: int = 0
    until_ms: int = 0  # newest step or visit
    sessions: list[Session] = []
    purchases: list[int] = []
    visits: dict[str, Visit] = {}

    def near(self, at_ms: int) -> list[Session]:
        """The sessions that a step belongs to: none, one, or two that it joins together."""
        newest_ms = max(self.newest_ms, at_ms)
        return [
            s
            for s in self.sessions
            if s.start_ms - GAP_MS < at_ms < s.end_ms + GAP_MS and s.end_ms >= newest_ms - SESSIONS_KEPT_MS
        ]

    def convertible(self, at_ms: int) -> list[Visit]:
        """The visits that a purchase converts."""
        return [
            v
            for v in self.visits.values()
            if at_ms - CONVERSION_MS <= v.at_ms < at_ms and not v.converted and not v.refunded
        ]

    def purchased_after(self, visit_ms: int) -> bool:
        """Whether a purchase is known that converts a visit."""
        after = bisect_right(self.purchases, visit_ms)
        return after < len(self.purchases) and self.purchases[after] <= visit_ms + CONVERSION_MS

    def expire(self) -> None:
        before_ms = self.newest_ms - KEPT_MS
        self.sessions = [s for s in self.sessions if s.end_ms >= self.newest_ms - SESSIONS_KEPT_MS]
        del self.purchases[: bisect_left(self.purchases, before_ms)]
        for visit_id in [i for i, v in self.visits.items() if v.at_ms < before_ms]:
            del self.visits[visit_id]


class Figures(msgspec.Struct):
    """The customers of the last days."""

    newest_ms: int = 0
    _customers: dict[str, Customer] = {}
    _swept_ms: int = 0

    def customer(self, customer_id: str) -> Customer:
        """A customer's figures; empty ones where nothing is known, or nothing any more."""
        known = self._customers.get(customer_id)
        return known if known and known.until_ms >= self.newest_ms - KEPT_MS else Customer()

    def put(self, customer_id: str, customer: Customer) -> None:
        self._customers[customer_id] = customer
        self.newest_ms = max(self.newest_ms, customer.newest_ms)
        before_ms = self.newest_ms - KEPT_MS
        if before_ms >= self._swept_ms + SWEEP_MS:
            self._customers = {i: c for i, c in self._customers.items() if c.until_ms >= before_ms}
            self._swept_ms = before_ms


def event_id(step: Step) -> str:
    return step.step_id


def accept(step: Step, cause: Cause, figures: Figures) -> CleanStep | Refusal:
    """The clean step with what it changes, or why it is refused."""
    at_ms = to_millis(step.at)
    refusal = untimely(at_ms, cause)
    if refusal:
        return refusal
    if step.kind in {"visit", "visit_refund"} and (step.visit_at is None or not step.visit_id):
        return Refusal("missing_visit", "a visit says when it takes place and by which ticket")
    customer = figures.customer(step.customer_id)
    before = customer.near(at_ms)
    session = _joined(before, at_ms, step.amount_cents)
    return CleanStep(
        **base(step.step_id, at_ms, cause),
        customer_id=step.customer_id,
        kind=step.kind,
        amount_cents=step.amount_cents,
        visit_at=from_millis(to_millis(step.visit_at)) if step.visit_at else None,
        visit_id=step.visit_id,
        session_start_at=from_millis(session.start_ms),
        session_end_at=from_millis(session.end_ms),
        session_steps=session.steps,
        session_spent_cents=session.spent_cents,
        visit_changes=_visit_changes(step, at_ms, customer),
        session_changes=_session_changes(before, session),
    )


def _joined(sessions: list[Session], at_ms: int, spent_cents: int) -> Session:
    """The session that a step makes of those that it belongs to."""
    return Session(
        min([at_ms, *(s.start_ms for s in sessions)]),
        max([at_ms, *(s.end_ms for s in sessions)]),
        1 + sum(s.steps for s in sessions),
        spent_cents + sum(s.spent_cents for s in sessions),
    )


def _session_changes(before: list[Session], after: Session) -> list[SessionChange]:
    """The new session less the old ones, by the moments that they begin at."""
    changes: dict[int, Counter[str]] = {}
    for sign, session in ((1, after), *((-1, s) for s in before)):
        changes.setdefault(session.start_ms, Counter()).update(session.change(sign))
    return [SessionChange(at=from_millis(ms), **changes[ms]) for ms in sorted(changes)]


def _visit_changes(step: Step, at_ms: int, customer: Customer) -> list[VisitChange]:
    """What a step changes in visits and conversions."""
    if step.kind == "purchase":
        visits = sorted(v.at_ms for v in customer.convertible(at_ms))
        return [VisitChange(at=from_millis(ms), visits=0, converted=1) for ms in visits]
    if step.kind not in {"visit", "visit_refund"} or step.visit_at is None:
        return []
    visit_ms, known = to_millis(step.visit_at), customer.visits.get(step.visit_id)
    if step.kind == "visit" and known is None:
        converted = customer.purchased_after(visit_ms)
        return [VisitChange(at=from_millis(visit_ms), visits=1, converted=int(converted))]
    if step.kind == "visit_refund" and known is not None and not known.refunded:
        return [VisitChange(at=from_millis(known.at_ms), visits=-1, converted=-int(known.converted))]
    return []


def remember(figures: Figures, clean: CleanStep) -> None:
    """Fold a clean step into its customer's figures."""
    customer, at_ms = figures.customer(clean.customer_id), to_millis(clean.event_at)
    near = customer.near(at_ms)
    session = Session(
        to_millis(clean.session_start_at),
        to_millis(clean.session_end_at),
        clean.session_steps,
        clean.session_spent_cents,
    )
    customer.sessions = [*(s for s in customer.sessions if s not in near), session]
    if clean.kind == "purchase":
        for visit in customer.convertible(at_ms):
            visit.converted = True
        insort(customer.purchases, at_ms)
    if clean.visit_at is not None:
        _remember_visit(customer, clean, to_millis(clean.visit_at))
        customer.until_ms = max(customer.until_ms, to_millis(clean.visit_at))
    customer.newest_ms = max(customer.newest_ms, at_ms)
    customer.until_ms = max(customer.until_ms, at_ms)
    customer.expire()
    figures.put(clean.customer_id, customer)


def _remember_visit(customer: Customer, clean: CleanStep, visit_ms: int) -> None:
    """A visit is known by its ticket; so is a refund that came before it."""
    known = customer.visits.get(clean.visit_id)
    refunded = clean.kind == "visit_refund"
    if known is None:
        converted = any(change.converted for change in clean.visit_changes)
        customer.visits[clean.visit_id] = Visit(visit_ms, converted=converted, refunded=refunded)
    elif refunded:
        known.refunded = True


FLOW = Dataflow(
    stream=JOURNEYS, event_id=event_id, accept=accept, figures=Figures, remember=remember, form=Form(Figures)
)
