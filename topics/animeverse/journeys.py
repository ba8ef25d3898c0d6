"""AnimeVerse, journeys: every step of a known customer through shop and cinema, derived from receipts, tickets, reviews."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from msgspec import Struct

from topics.animeverse.common import LATENESS, Compound, Id
from topics.contract import DAY, HOUR, CleanEvent, Event, Kpi, Latest, Ratio, Stream, Total

CONVERSION = 7 * DAY  # a purchase this long after a cinema visit counts as its conversion
SESSION_GAP = dt.timedelta(minutes=30)  # steps closer than this belong to one session


class Step(Event, kw_only=True):
    """What a customer did. A visit takes place when the film starts; it is known from when the ticket is bought."""

    step_id: Compound
    customer_id: Id
    kind: Literal["visit", "visit_refund", "purchase", "return", "review"]
    at: dt.datetime
    amount_cents: int = 0  # signed
    visit_at: dt.datetime | None = None  # of visits and their refunds
    visit_id: str = ""  # the ticket's transaction, of visits and their refunds


class VisitChange(Struct, kw_only=True):
    """What a step changes in the figures of a visit's day."""

    at: dt.datetime  # when the visit took place
    visits: int
    converted: int


class SessionChange(Struct, kw_only=True):
    """What a step changes in the figures of sessions; a session counts in the hour that it began in."""

    at: dt.datetime  # when the session began
    sessions: int
    steps: int
    seconds: int
    spent_cents: int


class CleanStep(CleanEvent, kw_only=True):
    """A step as kept, with the session that it belongs to, and what it changes."""

    customer_id: str
    kind: str
    amount_cents: int
    visit_at: dt.datetime | None
    visit_id: str
    session_start_at: dt.datetime
    session_end_at: dt.datetime
    session_steps: int
    session_spent_cents: int
    visit_changes: list[VisitChange]
    session_changes: list[SessionChange]


CONVERSION_BY_DAY = Kpi(
    "animeverse.kpi.conversion_by_day", DAY, (),
    (Total("visits", of="visits"), Total("converted", of="converted"),
     Ratio("conversion_rate", of="converted", per="visits")),
    each="visit_changes",
    at="at",
    describe="Cinema visits of each day, and how many were followed by a purchase within 7 days.",
)  # fmt: skip
SESSIONS_BY_HOUR = Kpi(
    "animeverse.kpi.sessions_by_hour", HOUR, (),
    (Total("sessions", of="sessions"), Total("steps", of="steps"), Total("spent_cents", of="spent_cents"),
     Ratio("mean_seconds", of="seconds", per="sessions"), Ratio("mean_spent_cents", of="spent_cents", per="sessions")),
    each="session_changes",
    at="at",
    describe="Customers' sessions by the hour in which they began.",
)  # fmt: skip

JOURNEYS = Stream(
    prefix="animeverse.journeys",
    event=Step,
    clean_event=CleanStep,
    key="customer_id",
    clean_key="customer_id",
    running=(
        "session_start_at", "session_end_at", "session_steps", "session_spent_cents", "visit_changes", "session_changes",
    ),
    derived=True,
    kpis=(CONVERSION_BY_DAY, SESSIONS_BY_HOUR),
    gauges=(
        Latest(
            "animeverse.kpi.customer_session", ("customer_id",),
            ("session_start_at", "session_end_at", "session_steps", "session_spent_cents"),
            describe="The session of each customer's newest step.",
        ),
    ),
    allowed_lateness=CONVERSION + LATENESS,
    clean_kept=12 * DAY,
    partials_kept=12 * DAY,
    describe="Every step of a known customer through shop and cinema.",
)  # fmt: skip
