"""What the tests of AnimeVerse's flows start from: versions of reference data, and a partition's log folded event by event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from processors.flow import Dataflow
from processors.records import Cause, Refusal, from_millis, to_millis
from topics.animeverse.reference import CleanCustomer, CleanProduct, CleanScreening, CleanStore, CleanTitle

NOW_MS = 1_790_000_000_000  # 2026-09-21 14:13:20
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def at(hours: float = 0) -> dt.datetime:
    """A moment `hours` after NOW_MS."""
    return from_millis(NOW_MS + round(hours * HOUR_MS))


def _version(clean: type, key: str, entity: str, hours: float, **fields: Any) -> Any:
    head = {"event_id": "v", "ingested_at": at(), "late_by_seconds": 0.0, "raw_partition": 0, "raw_offset": 0}
    since = {"event_at": at(hours), "valid_from": at(hours), "change_reason": "initial"}
    return clean(**head, **since, **{key: entity}, **fields)


def product(product_id: str = "p1", hours: float = -999, **changes: Any) -> CleanProduct:
    fields = {"name": "Figure", "category": "figures", "price_cents": 1000, "cost_cents": 400, "title_id": "t1"}
    fields |= {"supplier_id": "s", "reorder_point": 3, "lead_days": 7}
    return _version(CleanProduct, "product_id", product_id, hours, **{**fields, **changes})


def title(title_id: str = "t1", hours: float = -999, **changes: Any) -> CleanTitle:
    fields = {"name": "Sky", "studio": "S", "genres": ["drama"], "rating": "PG", "score": 8.0, "minutes": 100}
    return _version(CleanTitle, "title_id", title_id, hours, **{**fields, **changes})


def screening(screening_id: str = "sc1", hours: float = -999, **changes: Any) -> CleanScreening:
    fields = {"title_id": "t1", "store_id": "c1", "hall": "1", "seats": 5, "starts_at": at(2), "status": "scheduled"}
    return _version(CleanScreening, "screening_id", screening_id, hours, **{**fields, **changes})


def customer(customer_id: str = "k1", hours: float = -999, **changes: Any) -> CleanCustomer:
    fields = {"name": "A", "email": "", "segment": "fan", "country": "DEU", "city": "", "consent": False}
    return _version(CleanCustomer, "customer_id", customer_id, hours, **{**fields, **changes})


def store(store_id: str = "s1", hours: float = -999, **changes: Any) -> CleanStore:
    fields = {"name": "Shop", "kind": "store", "city": "Berlin", "country": "DEU"}
    return _version(CleanStore, "store_id", store_id, hours, **{**fields, **changes})


def lookup(*versions: Any) -> Any:
    """The newest of these versions of an entity that is valid at a time, found the slow way."""

    def find(reference: Any, entity: str, event_ms: int) -> Any:
        of_entity = [
            v
            for v in versions
            if isinstance(v, reference.clean_event)
            and getattr(v, reference.clean_key) == entity
            and to_millis(v.valid_from) <= event_ms
        ]
        return max(of_entity, key=lambda v: v.valid_from, default=None)

    return find


class Log:
    """One partition: what `put` gives becomes of an event by what was accepted before it. It arrives at its own time."""

    def __init__(self, flow: Dataflow, *versions: Any) -> None:
        self.flow, self.lookup = flow, lookup(*versions)
        self.figures = flow.figures()
        self.offset = -1

    def put(self, event: Any, arrival_ms: int | None = None) -> Any:
        self.offset += 1
        got = self.judge(event, self.offset, arrival_ms)
        if not isinstance(got, Refusal):
            self.flow.remember(self.figures, got)
        return got

    def judge(self, event: Any, offset: int, arrival_ms: int | None = None) -> Any:
        """What becomes of an event at an offset; changes nothing."""
        moment = getattr(event, "at", None) or event.valid_from
        cause = Cause(0, offset, to_millis(moment) if arrival_ms is None else arrival_ms, None)
        got = self.flow.accept(event, cause, self.figures)
        return got if isinstance(got, Refusal) else self.flow.enrich(got, self.lookup)

    def all(self, events: Iterable[Any]) -> list[Any]:
        return [self.put(e) for e in events]


def through_json(clean: Any) -> Any:
    """A clean event as it is read back from its topic."""
    return msgspec.json.decode(msgspec.json.encode(clean), type=type(clean))
