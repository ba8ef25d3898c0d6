"""Tickets, and which seats of a screening are gone."""

from __future__ import annotations

from dataclasses import dataclass, field

from producers.animeverse.programme import Show

TICKETS_KEPT = (
    60  # of an added screening, for who buys from the counter; of a scheduled one all, for it may be cancelled
)


@dataclass
class Ticket:
    """A ticket that was sold."""

    ticket_id: str
    show: Show
    seat: int
    at: float
    customer: str | None
    price_class: str
    cents: int
    refunded: bool = False

    def is_valid(self, at: float) -> bool:
        """Whether it was bought by then, and its film has not begun."""
        return not self.refunded and self.at < at < self.show.starts_at(at) and not self.show.is_off(at)


@dataclass
class Sold:
    """The seats of a screening: `order` is in which they go, `gone` how many of them have, `freed` those given back."""

    show: Show
    order: list[int]
    gone: int
    added: bool = False
    freed: list[int] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    closed: bool = False

    def left(self, at: float) -> int:
        """How many seats may be sold now: an added screening's are all sold at once, a scheduled one's with time."""
        if self.closed:
            return 0
        most = int(self.show.seats * self.show.fill) if self.added else self.show.wanted(at)
        return max(0, most - self.gone) + len(self.freed)

    def take_seat(self) -> int:
        if self.freed:
            return self.freed.pop()
        self.gone += 1
        return self.order[self.gone - 1]

    def keep(self, ticket: Ticket) -> None:
        if not self.added or len(self.tickets) < TICKETS_KEPT:
            self.tickets.append(ticket)

    def free(self, ticket: Ticket) -> None:
        self.freed.append(ticket.seat)

    def close(self) -> list[Ticket]:
        """The screening is off: nothing more is sold; the tickets to be given back."""
        self.closed, left = True, [t for t in self.tickets if not t.refunded]
        self.tickets = []
        return left

    def plays(self, at: float, before_s: float, after_s: float) -> bool:
        return before_s < at - self.show.starts_at(at) < after_s
