"""Cinema: tickets, concessions and refunds become clean admissions, and steps of customers.

    cinema.raw ─ accept ─ enrich (screening, its title, customer) ─┬▶ cinema.clean ─▶ screenings_by_hour
                                                                   └▶ journeys.raw   a visit, or a visit taken back

State of a raw partition: each screening's tickets, until three days after its start as printed on its first one (bound:
seats and refunds of the screenings of those days and of the days that are on sale).
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from processors.animeverse.common import DAY_MS, NONE, UNKNOWN, base, buyer, flags, out_of_range, untimely
from processors.animeverse.screenings import KEPT_MS, Figures, FiguresForm, Screening, Ticket, figures_of, form_of
from processors.flow import Dataflow, Form, Lookup
from processors.records import Cause, Derived, Refusal, from_millis, to_millis
from topics.animeverse.cinema import CINEMA, Admission, CleanAdmission
from topics.animeverse.journeys import JOURNEYS, Step
from topics.animeverse.reference import CUSTOMERS, SCREENINGS, TITLES
from topics.contract import Reference

AHEAD_MS = 366 * DAY_MS  # tickets are not sold earlier than this; a start beyond it would be kept for ever
OF_VERSIONS = frozenset(
    {"unknown_screening", "unknown_title", "unknown_customer", "after_start", "cancelled_screening", "no_such_seat"}
)


def event_id(admission: Admission) -> str:
    return admission.transaction_id


def accept(admission: Admission, cause: Cause, figures: Figures) -> CleanAdmission | Refusal:
    """The clean admission, not enriched yet, or why it is refused."""
    at_ms, starts_ms = to_millis(admission.at), to_millis(admission.starts_at)
    refusal = untimely(at_ms, cause) or out_of_range(starts_ms)
    if refusal:
        return refusal
    if starts_ms > at_ms + AHEAD_MS:
        return Refusal("timestamp_out_of_range", "starts_at lies more than a year after the sale")
    newest_ms = max(figures.newest.before(cause.offset), at_ms)
    screening = figures.screening(admission.screening_id, newest_ms)
    ticket = None
    if admission.kind == "refund":
        found = _refundable(admission, screening, cause.offset)
        if isinstance(found, Refusal):
            return found
        ticket = found
    elif admission.kind == "ticket":
        refusal = _unsellable(admission, screening, cause.offset)
        if refusal:
            return refusal
    opening = screening is None and starts_ms >= newest_ms - KEPT_MS
    return _clean(admission, at_ms, cause, ticket, opening=opening)


def _unsellable(admission: Admission, screening: Screening | None, offset: int) -> Refusal | None:
    if admission.seat is None:
        return Refusal("missing_seat", "a ticket is for a seat")
    if screening and screening.taken(admission.seat, offset):
        return Refusal("seat_taken", f"seat {admission.seat} of {admission.screening_id!r} is sold")
    return None


def _refundable(admission: Admission, screening: Screening | None, offset: int) -> Ticket | Refusal:
    """The ticket that is given back."""
    ticket = screening.ticket(admission.ticket_id or "", offset) if screening else None
    if ticket is None:
        return Refusal("refund_without_ticket", f"{admission.screening_id!r} has no ticket {admission.ticket_id!r}")
    if 0 <= ticket.refunded < offset:
        return Refusal("already_refunded", f"the ticket {admission.ticket_id!r} was given back before")
    return ticket


def _clean(admission: Admission, at_ms: int, cause: Cause, ticket: Ticket | None, *, opening: bool) -> CleanAdmission:
    """A refund has the seat, price class and customer of its ticket, so that it takes back what the ticket added."""
    sign = {"ticket": 1, "concession": 0, "refund": -1}[admission.kind]
    customer_id = (ticket.customer_id if ticket else "") or admission.customer_id or ""
    starts_at = from_millis(to_millis(admission.starts_at))
    own_seat = admission.seat or 0 if sign else 0
    return CleanAdmission(
        **base(admission.transaction_id, at_ms, cause),
        kind=admission.kind,
        screening_id=admission.screening_id,
        screening_valid_from=None,
        title_id=UNKNOWN,
        title_valid_from=None,
        title_name=UNKNOWN,
        store_id=UNKNOWN,
        hall=UNKNOWN,
        printed_starts_at=starts_at,
        starts_at=starts_at,
        seats=0,
        opening=opening,
        seats_once=0,
        customer_id=customer_id,
        customer_valid_from=None,
        customer_segment=UNKNOWN if customer_id else NONE,
        customer_country=UNKNOWN if customer_id else NONE,
        seat=ticket.seat if ticket else own_seat,
        price_class=ticket.price_class if ticket else admission.price_class or "",
        item=admission.item or "",
        quantity=sign or admission.quantity,
        tickets=sign,
        ticket_cents=sign * admission.amount_cents,
        concession_cents=0 if sign else admission.amount_cents,
        ticket_id=admission.ticket_id or "",
        flags=[],
    )


def enrich(clean: CleanAdmission, lookup: Lookup) -> CleanAdmission:
    """The admission with the versions of its time; the title is the one that the screening then shows."""
    at_ms = to_millis(clean.event_at)
    screening = lookup(SCREENINGS, clean.screening_id, at_ms)
    title = lookup(TITLES, screening.title_id, at_ms) if screening else None
    customer = buyer(clean.customer_id, lookup, at_ms)
    starts_at = screening.starts_at if screening else clean.printed_starts_at
    seats = screening.seats if screening else 0
    is_ticket = clean.kind == "ticket"
    found = {
        "unknown_screening": screening is None,
        "unknown_title": title is None,
        "unknown_customer": bool(clean.customer_id) and customer.valid_from is None,
        "after_start": is_ticket and clean.event_at > starts_at,
        "cancelled_screening": is_ticket and screening is not None and screening.status == "cancelled",
        "no_such_seat": is_ticket and screening is not None and clean.seat > seats,
    }
    return replace(
        clean,
        screening_valid_from=screening.valid_from if screening else None,
        title_id=screening.title_id if screening else UNKNOWN,
        title_valid_from=title.valid_from if title else None,
        title_name=title.name if title else UNKNOWN,
        store_id=screening.store_id if screening else UNKNOWN,
        hall=screening.hall if screening else UNKNOWN,
        starts_at=starts_at,
        seats=seats,
        seats_once=seats if clean.opening else 0,
        customer_valid_from=customer.valid_from,
        customer_segment=customer.segment,
        customer_country=customer.country,
        flags=flags(clean.flags, OF_VERSIONS, (name for name, is_so in found.items() if is_so)),
    )


def joins(clean: CleanAdmission) -> Iterator[tuple[Reference, str]]:
    """What an enriched admission depends on."""
    yield SCREENINGS, clean.screening_id
    if clean.screening_valid_from is not None:
        yield TITLES, clean.title_id
    if clean.customer_id:
        yield CUSTOMERS, clean.customer_id


def remember(figures: Figures, clean: CleanAdmission) -> None:
    """Note a ticket or a refund in its screening; the first transaction of a screening begins it."""
    at_ms, starts_ms = to_millis(clean.event_at), to_millis(clean.printed_starts_at)
    newest_ms = max(figures.newest.before(clean.raw_offset), at_ms)
    screening = figures.screening(clean.screening_id, newest_ms)
    if screening is None and starts_ms >= newest_ms - KEPT_MS:
        screening = figures.begin(clean.screening_id, starts_ms)
    if screening is not None and clean.kind == "ticket":
        before = screening.seats.get(clean.seat)
        ticket = Ticket(clean.seat, clean.customer_id, clean.price_class, clean.raw_offset, before)
        screening.tickets[clean.event_id] = screening.seats[clean.seat] = ticket
    elif screening is not None and clean.kind == "refund" and clean.ticket_id in screening.tickets:
        screening.tickets[clean.ticket_id].refunded = clean.raw_offset
    figures.newest.fold(clean.raw_offset, at_ms)
    figures.expire()


def derive(clean: CleanAdmission) -> Iterator[Derived]:
    """A known customer's visit, at the start that the ticket says; or its refund. Concessions are not purchases."""
    if not clean.customer_id or clean.kind == "concession":
        return
    is_ticket = clean.kind == "ticket"
    step = Step(
        step_id=f"{clean.event_id}/{'visit' if is_ticket else 'visit_refund'}",
        customer_id=clean.customer_id,
        kind="visit" if is_ticket else "visit_refund",
        at=clean.event_at,
        amount_cents=clean.ticket_cents,
        visit_at=clean.printed_starts_at,
        visit_id=clean.event_id if is_ticket else clean.ticket_id,
    )
    yield Derived(JOURNEYS, clean.customer_id, step)


FLOW = Dataflow(
    stream=CINEMA, event_id=event_id, accept=accept, figures=Figures, remember=remember, enrich=enrich, joins=joins,
    derive=derive, form=Form(FiguresForm, form_of, figures_of),
)  # fmt: skip
