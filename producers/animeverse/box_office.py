"""The cinema: tickets for free seats, something from the counter, tickets given back.

Seats of a screening go in the order of its permutation, as far as its demand curve allows; where that is everywhere reached,
a screening is added. So there is always something to sell, at any rate of events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from producers.animeverse.chance import Chance
from producers.animeverse.knobs import Knobs
from producers.animeverse.members import Members
from producers.animeverse.programme import Programme, Show
from producers.animeverse.recent import Recent
from producers.animeverse.rhythm import moment
from producers.animeverse.seating import Sold, Ticket
from producers.animeverse.visits import Visit, Visits
from producers.faults import Event
from topics.animeverse.cinema import CINEMA, Admission

Kind = Literal["ticket", "concession", "refund"]
TICKETS, CONCESSIONS = 0.58, 0.95  # cumulative shares of the events; the rest is refunds
KNOWN = 0.65  # of the tickets name a member
LOOK_S = 300.0  # how often the schedule is looked at
PRICES = (("adult", 1290, 0.6), ("student", 990, 0.82), ("child", 790, 0.94), ("senior", 890, 1.0))  # cumulative shares
EVENING_CENTS, EVENING_HOUR = 200, 16
ANNOUNCED_S = 60.0  # how long before it is sold an added screening is valid
SPARE = 30  # seats of added screenings; fewer, and one more is added
COUNTER = (("popcorn", 590), ("popcorn large", 790), ("cola", 390), ("ramune", 420), ("nachos", 690), ("mochi", 350))
PLAYING_S = (-1800.0, 5400.0)  # around the start, when people buy from the counter


class BoxOffice:
    """`announce` tells the world of an added screening."""

    def __init__(
        self,
        programme: Programme,
        members: Members,
        visits: Visits,
        knobs: Knobs,
        announce: Callable[[Show, float], None],
    ) -> None:
        self._programme = programme
        self._members = members
        self._visits = visits
        self._knobs = knobs
        self._announce = announce
        self._sold: dict[str, Sold] = {}
        self._open: list[Sold] = []  # scheduled ones that may be sold, soonest first
        self._playing: list[Sold] = []
        self._added: deque[Sold] = deque()
        self._recent: Recent[Ticket] = Recent(3000)
        self._off: deque[Ticket] = deque()  # of cancelled screenings, to be given back
        self._looked = float("-inf")
        self._restarted_at = float("-inf")

    def begin(self, at: float, restart: bool) -> None:
        """Where the cinema starts again, the seats that are gone by now are gone."""
        self._restarted_at = at if restart else float("-inf")

    def event(self, at: float, now: float, draw: Chance) -> Event | None:
        """A transaction at a time, `now` being how far the world has come; None: there is nothing to sell at that time."""
        if now - self._looked >= LOOK_S:
            self._look(now)
        u = draw.random()
        if u >= CONCESSIONS and (refund := self._refund(at, draw)):
            return refund
        if u >= TICKETS and (concession := self._concession(at, draw)):
            return concession
        return self._ticket(at, now, draw)

    def _look(self, now: float) -> None:
        """Look which screenings are on sale, which are playing, which are off; forget those long over."""
        self._looked = now
        for show in self._programme.upcoming(now):
            if show.screening_id not in self._sold:
                gone = show.wanted(self._restarted_at) if show.announced < self._restarted_at else 0
                self._sold[show.screening_id] = Sold(show, self._programme.seats(show), gone)
        for sold in self._sold.values():
            if sold.show.is_off(now):
                self._off.extend(sold.close())
        self._sold = {k: s for k, s in self._sold.items() if now < s.show.starts_at(now) + 2 * PLAYING_S[1]}
        soonest = sorted(self._sold.values(), key=lambda s: s.show.starts)
        self._open = [s for s in soonest if s.left(now) > 0 and now < s.show.starts_at(now) and not s.added]
        self._playing = [s for s in soonest if s.tickets and s.plays(now, *PLAYING_S)]

    def _ticket(self, at: float, now: float, draw: Chance) -> Event | None:
        if draw.happens(self._knobs.seat_taken) and (held := self._recent.find(lambda t: t.is_valid(at), draw)):
            return _sold(self._printed(held.show, held.seat, at, draw))
        if (sold := self._choose(at, now, draw)) is None:
            return None
        ticket = self._printed(sold.show, sold.take_seat(), at, draw)
        sold.keep(ticket)
        self._recent.add(ticket, draw)
        if ticket.customer is not None:
            self._visits.expect(Visit(ticket.show.starts_at(at), ticket.customer, ticket.show.title))
        return _sold(ticket)

    def _printed(self, show: Show, seat: int, at: float, draw: Chance) -> Ticket:
        u, customer = draw.random(), None
        name, cents = next((name, cents) for name, cents, edge in PRICES if u < edge)
        if draw.happens(KNOWN):
            customer = self._members.ids[draw.choice(self._members.about(at))]
        evening = EVENING_CENTS * (moment(show.starts).hour >= EVENING_HOUR)
        return Ticket(draw.uuid(), show, seat, at, customer, name, cents + evening)

    def _choose(self, at: float, now: float, draw: Chance) -> Sold | None:
        """A screening with a seat for sale, the sooner ones most; at a past time only one that was announced by then."""
        for _ in range(5 if self._open else 0):
            sold = self._open[int(len(self._open) * draw.random() ** 5)]
            if sold.left(now) > 0 and sold.show.announced <= at < sold.show.starts_at(at):
                return sold
        return self._extra(now, draw) if at > now - ANNOUNCED_S else None

    def _extra(self, now: float, draw: Chance) -> Sold:
        """An added screening; the next one is announced while the last has some seats, so that it is known when sold."""
        while self._added and (self._added[0].left(now) <= 0 or self._added[0].show.starts <= now):
            self._added.popleft()
        while sum(s.left(now) for s in self._added) < SPARE:
            show = self._programme.added(now - ANNOUNCED_S + len(self._added) / 1000, draw)
            sold = self._sold[show.screening_id] = Sold(show, self._programme.seats(show), 0, added=True)
            self._added.append(sold)
            self._announce(show, now)
        return self._added[0]

    def _concession(self, at: float, draw: Chance) -> Event | None:
        """From the counter of a screening that plays, else ordered with a ticket of late."""
        held = draw.choice(draw.choice(self._playing).tickets) if self._playing and draw.happens(0.8) else None
        held = held or self._recent.find(lambda t: t.is_valid(at), draw)
        if held is None:
            return None
        (item, price), quantity = draw.choice(COUNTER), 1 + int(draw.expovariate(1.8))
        bought = {"amount_cents": price * quantity, "item": item, "quantity": quantity}
        return _event(draw.uuid(), "concession", at, held, held.show.starts_at(at), **bought)

    def _refund(self, at: float, draw: Chance) -> Event | None:
        """A ticket given back before the film; those of cancelled screenings first."""
        waits = self._off and self._off[0].at < at
        held = self._off.popleft() if waits else self._recent.take(lambda t: t.is_valid(at), draw)
        if held is None or held.refunded:
            return None
        held.refunded = True
        if (sold := self._sold.get(held.show.screening_id)) is not None:
            sold.free(held)
        given_back = {"amount_cents": held.cents, "seat": held.seat, "ticket_id": held.ticket_id}
        return _event(draw.uuid(), "refund", at, held, held.show.starts_at(held.at), **given_back)


def _sold(ticket: Ticket) -> Event:
    sold = {"amount_cents": ticket.cents, "seat": ticket.seat, "price_class": ticket.price_class}
    return _event(ticket.ticket_id, "ticket", ticket.at, ticket, ticket.show.starts_at(ticket.at), **sold)


def _event(transaction_id: str, kind: Kind, at: float, held: Ticket, starts: float, **more: Any) -> Event:
    """A transaction of who holds a ticket, at its screening; `more` are the fields of its kind."""
    admission = Admission(
        transaction_id=transaction_id, kind=kind, at=moment(at), screening_id=held.show.screening_id,
        starts_at=moment(starts), customer_id=held.customer, **more,
    )  # fmt: skip
    return CINEMA.raw.name, admission.screening_id.encode(), msgspec.json.encode(admission)
