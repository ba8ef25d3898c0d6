"""AnimeVerse, cinema: tickets, concessions, refunds."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta

from topics.animeverse.common import LATENESS, Cents, Id, Moment
from topics.animeverse.reference import CUSTOMERS, SCREENINGS, TITLES
from topics.contract import DAY, HOUR, Event, Kpi, Ratio, Revisable, Stream, Total


class Admission(Event, kw_only=True):
    """A ticket, something from the counter (a concession), or a ticket given back. Keyed by the screening."""

    transaction_id: Id
    kind: Literal["ticket", "concession", "refund"]
    at: Moment
    screening_id: Id
    starts_at: Moment  # as printed on the ticket
    amount_cents: Cents  # paid; of a refund: given back
    customer_id: str | None = None
    seat: Annotated[int, Meta(ge=1, le=2000)] | None = None  # of tickets and refunds
    price_class: Literal["adult", "student", "child", "senior"] | None = None  # of tickets
    item: str | None = None  # of concessions
    quantity: Annotated[int, Meta(ge=1, le=100)] = 1
    ticket_id: str | None = None  # of a refund: the ticket's transaction


class CleanAdmission(Revisable, kw_only=True):
    """A transaction of the cinema as kept, with the versions of its time of screening, title and customer."""

    kind: str
    screening_id: str
    screening_valid_from: dt.datetime | None
    title_id: str  # 'unknown' where no version of the screening is known; so too `store_id` and `hall`
    title_valid_from: dt.datetime | None
    title_name: str
    store_id: str
    hall: str
    printed_starts_at: dt.datetime
    starts_at: dt.datetime  # by the screening's version; as printed where none is known
    seats: int  # of the hall; 0 where no version is known
    opening: bool  # the first accepted transaction of its screening
    seats_once: int  # seats, on the opening one; else 0: adds up to the seats of a screening
    customer_id: str
    customer_valid_from: dt.datetime | None
    customer_segment: str
    customer_country: str
    seat: int  # 0: none
    price_class: str
    item: str
    quantity: int
    tickets: int  # 1 of a ticket, -1 of a refund
    ticket_cents: int  # signed
    concession_cents: int
    ticket_id: str
    flags: list[
        str
    ]  # unknown_screening, unknown_title, unknown_customer, after_start, cancelled_screening, no_such_seat


SCREENINGS_BY_HOUR = Kpi(
    "animeverse.kpi.screenings_by_hour", HOUR, ("screening_id", "title_id", "store_id"),
    (Total("tickets", of="tickets"), Total("seats", of="seats_once"), Ratio("occupancy", of="tickets", per="seats_once"),
     Total("ticket_cents", of="ticket_cents"), Total("concession_cents", of="concession_cents"),
     Ratio("concession_cents_per_ticket", of="concession_cents", per="tickets")),
    at="starts_at",
    describe="Tickets, occupancy and concessions of each screening, in the hour that it starts.",
)  # fmt: skip

CINEMA = Stream(
    prefix="animeverse.cinema",
    event=Admission,
    clean_event=CleanAdmission,
    key="screening_id",
    clean_key="screening_id",
    running=("opening", "seats_once"),
    kpis=(SCREENINGS_BY_HOUR,),
    references=(SCREENINGS, TITLES, CUSTOMERS),
    allowed_lateness=LATENESS,
    dedupe_horizon=LATENESS,
    partials_kept=LATENESS + 10 * DAY,  # tickets are sold days ahead
    describe="The cinema's tickets, concessions and refunds.",
)
