"""The screenings of one raw partition that are on sale or were shown in the last days, with their tickets.

Rules look at what was sold below a raw offset: a refused ticket that comes again after a crash is refused again. Bound:
seats and refunds of the screenings that are on sale, and of those that started less than `KEPT_MS` before the newest event.
"""

from __future__ import annotations

from typing import NamedTuple

from processors.animeverse.common import DAY_MS, Newest, NewestForm

KEPT_MS = 3 * DAY_MS
SWEEP_MS = 3_600_000  # event time between two sweeps


class Ticket:
    """A ticket sold, and the one that was sold for the same seat before it."""

    __slots__ = ("before", "customer_id", "offset", "price_class", "refunded", "seat")

    def __init__(self, seat: int, customer_id: str, price_class: str, offset: int, before: Ticket | None) -> None:
        self.seat, self.customer_id, self.price_class = seat, customer_id, price_class
        self.offset, self.before = offset, before
        self.refunded = -1  # raw offset of its refund


class Screening:
    """What was sold of a screening."""

    __slots__ = ("seats", "starts_ms", "tickets")

    def __init__(self, starts_ms: int) -> None:
        self.starts_ms = starts_ms  # as printed first
        self.tickets: dict[str, Ticket] = {}
        self.seats: dict[int, Ticket] = {}  # the newest ticket of each

    def ticket(self, ticket_id: str, offset: int) -> Ticket | None:
        """A ticket that was sold below a raw offset."""
        ticket = self.tickets.get(ticket_id)
        return ticket if ticket and ticket.offset < offset else None

    def taken(self, seat: int, offset: int) -> bool:
        """Whether the log below a raw offset holds a ticket for the seat, and no refund of it."""
        ticket = self.seats.get(seat)
        while ticket and ticket.offset >= offset:
            ticket = ticket.before
        return ticket is not None and not 0 <= ticket.refunded < offset


class Figures:
    """The screenings that are on sale or were shown in the last days."""

    def __init__(self) -> None:
        self.newest = Newest()
        self.screenings: dict[str, Screening] = {}
        self.swept_ms = 0

    def screening(self, screening_id: str, newest_ms: int) -> Screening | None:
        """A screening's tickets; None where there are none, or none any more."""
        known = self.screenings.get(screening_id)
        return known if known and known.starts_ms >= newest_ms - KEPT_MS else None

    def begin(self, screening_id: str, starts_ms: int) -> Screening:
        new = self.screenings[screening_id] = Screening(starts_ms)
        return new

    def expire(self) -> None:
        """Forget the screenings that no record can meet any more; at most once for each hour of event time."""
        before_ms = self.newest.settled_ms - KEPT_MS
        if before_ms >= self.swept_ms + SWEEP_MS:
            self.screenings = {i: s for i, s in self.screenings.items() if s.starts_ms >= before_ms}
            self.swept_ms = before_ms


class TicketForm(NamedTuple):
    """A ticket in a snapshot. `ticket_id` is empty where another ticket has taken its name."""

    ticket_id: str
    seat: int
    customer_id: str
    price_class: str
    offset: int
    refunded: int


class FiguresForm(NamedTuple):
    """The figures in a snapshot. `screenings`: printed start, and all tickets in the order that they were sold."""

    newest: NewestForm
    screenings: dict[str, tuple[int, list[TicketForm]]]
    swept_ms: int


def form_of(figures: Figures) -> FiguresForm:
    screenings = {name: (s.starts_ms, _sold(s)) for name, s in figures.screenings.items()}
    return FiguresForm(figures.newest.form(), screenings, figures.swept_ms)


def _sold(screening: Screening) -> list[TicketForm]:
    ids = {id(ticket): ticket_id for ticket_id, ticket in screening.tickets.items()}
    found: list[TicketForm] = []
    for newest in screening.seats.values():
        t: Ticket | None = newest
        while t is not None:
            found.append(TicketForm(ids.get(id(t), ""), t.seat, t.customer_id, t.price_class, t.offset, t.refunded))
            t = t.before
    return sorted(found, key=lambda form: form.offset)


def figures_of(form: FiguresForm) -> Figures:
    figures = Figures()
    figures.newest, figures.swept_ms = Newest.of(form.newest), form.swept_ms
    for name, (starts_ms, tickets) in form.screenings.items():
        screening = figures.begin(name, starts_ms)
        for t in tickets:
            ticket = Ticket(t.seat, t.customer_id, t.price_class, t.offset, screening.seats.get(t.seat))
            ticket.refunded = t.refunded
            screening.seats[t.seat] = ticket
            if t.ticket_id:
                screening.tickets[t.ticket_id] = ticket
    return figures
