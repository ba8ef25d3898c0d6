"""AnimeVerse's clean events as the processors would publish them: random, but with versions as known when they were made.

Reference data changes late and out of order; a fact names the version that was known of its time, and is revised when a
better one arrives.
"""

from __future__ import annotations

import collections
import datetime as dt
import random
from typing import Any

import msgspec
from msgspec.structs import replace

from topics.animeverse.cinema import CINEMA, CleanAdmission
from topics.animeverse.journeys import JOURNEYS, CleanStep
from topics.animeverse.pos import POS, CleanLine, CleanReceipt
from topics.animeverse.reference import (
    CUSTOMERS,
    PRODUCTS,
    SCREENINGS,
    STORES,
    TITLES,
    CleanCustomer,
    CleanProduct,
    CleanScreening,
    CleanStore,
    CleanTitle,
)
from topics.animeverse.reviews import REVIEWS, CleanReview
from topics.animeverse.stock import STOCK, CleanMove
from topics.contract import CleanVersion, Reference, Stream

START = dt.datetime(2026, 1, 2, 22, tzinfo=dt.UTC)
PARTITIONS = 2
SEVERAL = {PRODUCTS: 6, TITLES: 3, SCREENINGS: 5, CUSTOMERS: 5, STORES: 3}


class Samples:
    """A seeded source of clean records; `published` keeps all of them by stream, in log order."""

    def __init__(self, seed: int, days: int = 3) -> None:
        self.chance, self.days = random.Random(seed), days
        self.next: dict[tuple[str, int], int] = collections.Counter()
        self.published: dict[str, list[Any]] = collections.defaultdict(list)
        self.newest: dict[tuple[str, int, int], Any] = {}  # facts in force

    def at(self) -> dt.datetime:
        return START + dt.timedelta(milliseconds=self.chance.randrange(self.days * 86_400_000))

    def id(self, of: Reference) -> str:
        return f"{of.clean_key[0]}{self.chance.randrange(SEVERAL[of])}"

    def base(self, stream: Stream, key: str, at: dt.datetime) -> dict[str, Any]:
        """The fields of every clean event, at the next raw position of the key's partition."""
        partition = sum(key.encode()) % PARTITIONS
        offset = self.next[stream.prefix, partition]
        self.next[stream.prefix, partition] += 1
        return {
            "event_id": f"{stream.prefix}-{partition}-{offset}", "event_at": at, "ingested_at": at + dt.timedelta(hours=1),
            "late_by_seconds": 3600.0, "raw_partition": partition, "raw_offset": offset,
        }  # fmt: skip

    def put(self, stream: Stream, event: Any) -> None:
        self.published[stream.prefix].append(event)
        self.newest[stream.prefix, event.raw_partition, event.raw_offset] = event

    def in_force(self, stream: Stream) -> list[Any]:
        return [e for (prefix, _, _), e in self.newest.items() if prefix == stream.prefix]

    def valid(self, of: Reference, entity: str, at: dt.datetime) -> Any | None:
        """The version that holds, of those that were published."""
        versions = [v for v in self.published[of.prefix] if getattr(v, of.clean_key) == entity and v.valid_from <= at]
        return max(versions, key=lambda v: (v.valid_from, v.raw_offset), default=None)

    def valid_from(self, of: Reference, entity: str, at: dt.datetime) -> dt.datetime | None:
        version = self.valid(of, entity, at)
        return version.valid_from if version else None

    # reference data

    def version(self, of: Reference) -> CleanVersion:
        """A version of some entity, often one that corrects, or comes before, one that is there."""
        entity, c = self.id(of), self.chance
        known = [v.valid_from for v in self.published[of.prefix] if getattr(v, of.clean_key) == entity]
        first = START - dt.timedelta(days=c.randrange(3), hours=c.randrange(20))
        valid_from = c.choice([first, self.at(), c.choice(known)]) if known else first
        common = self.base(of, entity, valid_from) | {"valid_from": valid_from, "change_reason": c.choice(["a", "b"])}
        value: CleanVersion = self._said(of, entity, common)
        self.put(of, value)
        self._revise(of, value)
        return value

    def _said(self, of: Reference, entity: str, common: dict[str, Any]) -> Any:
        c = self.chance
        if of is PRODUCTS:
            return CleanProduct(
                **common, product_id=entity, name=f"n{c.randrange(9)}", category=c.choice("xyz"), price_cents=c.randrange(900),
                cost_cents=c.randrange(500), title_id=self.id(TITLES), supplier_id="s", reorder_point=c.randrange(8), lead_days=3,
            )  # fmt: skip
        if of is TITLES:
            genres = c.sample(["a", "b"], c.randrange(3))
            return CleanTitle(
                **common, title_id=entity, name=f"t{c.randrange(9)}", studio="s", genres=genres, rating="PG", score=7.5, minutes=90
            )  # fmt: skip
        if of is SCREENINGS:
            return CleanScreening(
                **common, screening_id=entity, title_id=self.id(TITLES), store_id=self.id(STORES), hall="1", seats=c.randrange(10, 90),
                starts_at=self.at() + dt.timedelta(days=1), status="scheduled",
            )  # fmt: skip
        if of is CUSTOMERS:
            segment, country = c.choice(["new", "fan"]), c.choice(["DEU", "FRA"])
            return CleanCustomer(
                **common, customer_id=entity, name="Ada", email="", segment=segment, country=country, city="", consent=c.random() < 0.5
            )  # fmt: skip
        return CleanStore(
            **common, store_id=entity, name="S", kind="store", city=c.choice(["Ulm", "Bonn"]), country="DEU"
        )

    def _revise(self, of: Reference, version: CleanVersion) -> None:
        """Publish facts again that the late version changes: of each partition one control record makes many."""
        cause: dict[tuple[str, int], tuple[int, int]] = {}
        for stream in (POS, CINEMA, STOCK, REVIEWS):
            if of not in stream.references:
                continue
            for event in self.in_force(stream):
                enriched = self.enriched(stream, event)
                if enriched != event:
                    where = (stream.prefix, event.raw_partition)
                    if where not in cause:
                        cause[where] = (self.next[where], 0)
                        self.next[where] += 1
                    offset, ordinal = cause[where]
                    cause[where] = (offset, ordinal + 1)
                    revision = event.revision + 1
                    self.put(stream, replace(enriched, revision=revision, cause_offset=offset, cause_ordinal=ordinal))

    # facts

    def enriched(self, stream: Stream, event: Any) -> Any:
        """The event with the versions known now."""
        if stream is POS:
            return self._receipt(event)
        if stream is CINEMA:
            return self._admission(event)
        if stream is STOCK:
            product = self.valid(PRODUCTS, event.product_id, event.event_at)
            valid_from, reorder_point = (product.valid_from, product.reorder_point) if product else (None, 0)
            return replace(event, product_valid_from=valid_from, reorder_point=reorder_point)
        return replace(event, subject_valid_from=self.valid_from(PRODUCTS, event.subject_id, event.event_at))

    def receipt(self) -> CleanReceipt:
        """A sale or a return of up to three lines, and what it does to stock."""
        c, at, kind = self.chance, self.at(), self.chance.choice(["sale", "sale", "return"])
        common = self.base(POS, f"{c.random()}", at)
        sign = 1 if kind == "sale" else -1
        lines = [self._line(n, sign) for n in range(c.randrange(1, 4))]
        draft = CleanReceipt(
            **common, cause_offset=common["raw_offset"], sale_id=common["event_id"], kind=kind, store_id=self.id(STORES), store_valid_from=None,
            store_city="", channel=c.choice(["online", "store"]), payment_method="card", customer_id=c.choice(["", self.id(CUSTOMERS)]),
            customer_valid_from=None, customer_segment="", customer_country="", lines=lines, orders=int(sign > 0), returns=int(sign < 0),
            items=sum(x.quantity for x in lines), gross_cents=0, discount_cents=0, net_cents=sum(x.net_cents for x in lines),
            sale_net_cents=sum(x.net_cents for x in lines) if sign > 0 else 0, cost_cents=0, margin_cents=0, flags=[],
        )  # fmt: skip
        event = self._receipt(draft)
        self.put(POS, event)
        for line in event.lines:
            self.move(event.store_id, line.product_id, kind, -line.quantity, at)
        return event

    def _line(self, n: int, sign: int) -> CleanLine:
        quantity, price = sign * self.chance.randrange(1, 4), self.chance.randrange(100, 900)
        return CleanLine(
            line_no=n, product_id=self.id(PRODUCTS), product_valid_from=None, category="", title_id="", quantity=quantity,
            unit_price_cents=price, gross_cents=quantity * price, discount_cents=sign * 10, net_cents=quantity * price - sign * 10,
            cost_cents=0, margin_cents=0, order_of_category=0,
        )  # fmt: skip

    def _receipt(self, event: CleanReceipt) -> CleanReceipt:
        at, seen, lines = event.event_at, set[str](), []
        for line in event.lines:
            p = self.valid(PRODUCTS, line.product_id, at)
            category, cost = (p.category, p.cost_cents * line.quantity) if p else ("unknown", 0)
            of_category = int(event.kind == "sale" and category not in seen)
            seen.add(category)
            lines.append(replace(
                line, product_valid_from=p.valid_from if p else None, category=category, title_id=p.title_id if p else "",
                cost_cents=cost, margin_cents=line.net_cents - cost, order_of_category=of_category,
            ))  # fmt: skip
        customer = self.valid(CUSTOMERS, event.customer_id, at)
        return replace(
            event, lines=lines, store_valid_from=self.valid_from(STORES, event.store_id, at),
            customer_valid_from=customer.valid_from if customer else None, customer_segment=customer.segment if customer else "unknown",
            cost_cents=sum(x.cost_cents for x in lines), margin_cents=sum(x.margin_cents for x in lines),
        )  # fmt: skip

    def admission(self) -> CleanAdmission:
        c, at, kind = self.chance, self.at(), self.chance.choice(["ticket", "ticket", "refund", "concession"])
        screening, tickets = self.id(SCREENINGS), {"ticket": 1, "refund": -1}.get(kind, 0)
        common = self.base(CINEMA, screening, at)
        draft = CleanAdmission(
            **common, cause_offset=common["raw_offset"], kind=kind, screening_id=screening, screening_valid_from=None, title_id="unknown",
            title_valid_from=None, title_name="", store_id="unknown", hall="", printed_starts_at=at + dt.timedelta(hours=30), starts_at=at,
            seats=0, opening=c.random() < 0.2, seats_once=0, customer_id="", customer_valid_from=None, customer_segment="none",
            customer_country="none", seat=1, price_class="adult", item="", quantity=1, tickets=tickets, ticket_cents=1200 * tickets,
            concession_cents=0 if tickets else c.randrange(900), ticket_id="", flags=[],
        )  # fmt: skip
        event = self._admission(draft)
        self.put(CINEMA, event)
        return event

    def _admission(self, event: CleanAdmission) -> CleanAdmission:
        s = self.valid(SCREENINGS, event.screening_id, event.event_at)
        title = s.title_id if s else "unknown"
        return replace(
            event, screening_valid_from=s.valid_from if s else None, title_id=title, store_id=s.store_id if s else "unknown",
            title_valid_from=self.valid_from(TITLES, title, event.event_at), starts_at=s.starts_at if s else event.printed_starts_at,
            seats=s.seats if s else 0, seats_once=s.seats if s and event.opening else 0,
        )  # fmt: skip

    def move(self, store: str, product: str, kind: str, quantity: int, at: dt.datetime) -> CleanMove:
        common = self.base(STOCK, f"{store}/{product}", at)
        event = CleanMove(
            **common, cause_offset=common["raw_offset"], item=f"{store}/{product}", kind=kind, store_id=store, product_id=product,
            product_valid_from=None, reorder_point=0, quantity=quantity, on_hand=0, sold_7_days=0, days_of_cover=0.0,
            previous_alert="ok", alert="ok", alert_changed=False, flags=[],
        )  # fmt: skip
        self.put(STOCK, self.enriched(STOCK, event))
        return event

    def document(self) -> CleanMove:
        kind = self.chance.choice(["delivery", "transfer_in", "transfer_out", "adjustment", "count"])
        quantity = self.chance.randrange(30) * (-1 if kind == "transfer_out" else 1)
        return self.move(self.id(STORES), self.id(PRODUCTS), kind, quantity, self.at())

    def step(self) -> CleanStep:
        """A step of a customer; what it changes in live figures is not what is tested here."""
        c, at, kind = (
            self.chance,
            self.at(),
            self.chance.choice(["visit", "visit_refund", "purchase", "return", "review"]),
        )
        customer, visit_at, visit_id = self.id(CUSTOMERS), None, ""
        if kind == "visit":
            visit_at, visit_id = at + dt.timedelta(hours=c.randrange(60)), f"v{c.random()}"
        if kind == "visit_refund":
            booked = [s for s in self.published[JOURNEYS.prefix] if s.kind == "visit"]
            if not booked:
                return self.step()
            chosen = c.choice(booked)
            customer, visit_at, visit_id = chosen.customer_id, chosen.visit_at, chosen.visit_id
        changes: list[Any] = [
            {"at": at - dt.timedelta(hours=c.randrange(48)), "visits": 1, "converted": c.randrange(2)}
        ]
        sessions: list[Any] = [{"at": at, "sessions": 1, "steps": 1, "seconds": c.randrange(99), "spent_cents": 5}]
        event = msgspec.convert(
            self.base(JOURNEYS, customer, at) | {
                "customer_id": customer, "kind": kind, "amount_cents": c.randrange(-500, 900), "visit_at": visit_at, "visit_id": visit_id,
                "session_start_at": at, "session_end_at": at, "session_steps": 1, "session_spent_cents": 0,
                "visit_changes": changes * c.randrange(2), "session_changes": sessions,
            },
            CleanStep,
        )  # fmt: skip
        self.put(JOURNEYS, event)
        return event

    def review(self) -> CleanReview:
        at, product = self.at(), self.id(PRODUCTS)
        common = self.base(REVIEWS, product, at)
        event = CleanReview(
            **common, cause_offset=common["raw_offset"], subject_kind="product", subject_id=product, subject_valid_from=None, subject_name="",
            category="", title_id="", stars=self.chance.randrange(1, 6), text="", language="en",
            sentiment_score=round(self.chance.uniform(-1, 1), 4), sentiment_category="", customer_id="", reviews=1, mean_stars=1.0,
            mean_stars_7_days=1.0, trend=0.0, flags=[],
        )  # fmt: skip
        self.put(REVIEWS, self.enriched(REVIEWS, event))
        return event

    def some(self, count: int) -> None:
        """Records of all kinds, in a random order."""
        versions = [lambda of=of: self.version(of) for of in SEVERAL]
        facts = [self.receipt, self.admission, self.document, self.step, self.review]
        for _ in range(count):
            self.chance.choice([*facts, *facts, *facts, *versions])()


def first_versions(samples: Samples, share: float = 0.6) -> None:
    """Most entities have a version before anything happens."""
    for of, several in SEVERAL.items():
        for _ in range(int(share * several * 2)):
            samples.version(of)
