"""Stock: movements, derived from receipts and documents, become clean movements with the item's figures after them.

    pos.clean, inventory.clean ─▶ stock.raw ─ accept ─ enrich (product) ─▶ stock.clean ─▶ stock, stock_alerts (gauges)

On hand is what the last count found (by event time; of two at one moment the later in the log) and all movements of later
event time; 0 before the first count. So whatever arrives late, a movement or a count, the figure ends the same. A count
that is more than three days older than the item's newest event changes nothing: what moved after it is not known singly.

State of a raw partition: for each item (bound: products of each store) on hand, the last count's time, the alert, pieces sold on
each of 7 days, and 16 bytes for each movement of the last three days before the item's newest event.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from processors.animeverse.common import DAY_MS, base, flags, quotient, untimely
from processors.flow import Dataflow, Form, Lookup
from processors.records import Cause, Refusal, to_millis
from topics.animeverse.reference import PRODUCTS
from topics.animeverse.stock import STOCK, CleanMove, Move
from topics.contract import Reference

KEPT_MS = 3 * DAY_MS
SOLD_DAYS = 7
ENDLESS_DAYS = 999.0
OF_VERSIONS = frozenset({"unknown_product"})


class Item:
    """A product in a store."""

    __slots__ = ("alert", "counted_ms", "newest_ms", "on_hand", "quantities", "sold", "times")

    def __init__(self) -> None:
        self.on_hand = 0
        self.counted_ms = -1  # event time of the last count
        self.newest_ms = 0
        self.alert = "ok"
        self.sold: dict[int, int] = {}  # UTC day → pieces sold less returned
        self.times, self.quantities = array("q"), array("q")  # movements but counts, by event time

    def is_newest_count(self, kind: str, at_ms: int) -> bool:
        return kind == "count" and at_ms >= max(self.counted_ms, self.newest_ms - KEPT_MS)

    def after(self, kind: str, at_ms: int, quantity: int) -> int:
        """On hand after a movement."""
        if self.is_newest_count(kind, at_ms):
            return quantity + sum(self.quantities[bisect_right(self.times, at_ms) :])
        return self.on_hand + (quantity if kind != "count" and at_ms > self.counted_ms else 0)

    def sold_after(self, kind: str, at_ms: int, quantity: int) -> int:
        """Pieces sold less returned in the 7 UTC days up to that of the newest event, after a movement."""
        first = max(self.newest_ms, at_ms) // DAY_MS - SOLD_DAYS + 1
        own = -quantity if kind in {"sale", "return"} and at_ms // DAY_MS >= first else 0
        return own + sum(n for day, n in self.sold.items() if day >= first)

    def move(self, kind: str, at_ms: int, quantity: int) -> None:
        """Keep a movement's time, and forget those that no count can reach any more."""
        if self.is_newest_count(kind, at_ms):
            self.counted_ms = at_ms
        self.newest_ms = max(self.newest_ms, at_ms)
        if kind != "count":
            place = bisect_right(self.times, at_ms)
            self.times.insert(place, at_ms)
            self.quantities.insert(place, quantity)
        if kind in {"sale", "return"}:
            self.sold[at_ms // DAY_MS] = self.sold.get(at_ms // DAY_MS, 0) - quantity
        first = self.newest_ms // DAY_MS - SOLD_DAYS + 1
        for day in [d for d in self.sold if d < first]:
            del self.sold[day]
        old = bisect_left(self.times, self.newest_ms - KEPT_MS)
        if 4 * old > len(self.times):  # now and then, since the rest moves up
            del self.times[:old], self.quantities[:old]


Items = dict[str, Item]


class ItemForm(NamedTuple):
    """An item in a snapshot."""

    on_hand: int
    counted_ms: int
    newest_ms: int
    alert: str
    sold: dict[int, int]
    times: bytes
    quantities: bytes


def _form(items: Items) -> dict[str, ItemForm]:
    return {
        name: ItemForm(i.on_hand, i.counted_ms, i.newest_ms, i.alert, i.sold, i.times.tobytes(), i.quantities.tobytes())
        for name, i in items.items()
    }


def _items(form: dict[str, ItemForm]) -> Items:
    items: Items = {}
    for name, f in form.items():
        item = items[name] = Item()
        item.on_hand, item.counted_ms, item.newest_ms, item.alert, item.sold = f[:5]
        item.times.frombytes(f.times)
        item.quantities.frombytes(f.quantities)
    return items


def event_id(move: Move) -> str:
    return move.move_id


def accept(move: Move, cause: Cause, items: Items) -> CleanMove | Refusal:
    """The clean movement, not enriched yet, or why it is refused."""
    at_ms = to_millis(move.at)
    refusal = untimely(at_ms, cause)
    if refusal:
        return refusal
    item = items.get(move.item) or Item()
    on_hand = item.after(move.kind, at_ms, move.quantity)
    sold = item.sold_after(move.kind, at_ms, move.quantity)
    return CleanMove(
        **base(move.move_id, at_ms, cause),
        item=move.item,
        kind=move.kind,
        store_id=move.store_id,
        product_id=move.product_id,
        product_valid_from=None,
        reorder_point=0,
        quantity=move.quantity,
        on_hand=on_hand,
        sold_7_days=sold,
        days_of_cover=days_of_cover(on_hand, sold),
        previous_alert=item.alert,
        alert=alert(on_hand, 0),
        alert_changed=alert(on_hand, 0) != item.alert,
        flags=["negative_stock"] if on_hand < 0 else [],
    )


def days_of_cover(on_hand: int, sold_7_days: int) -> float:
    """How long the stock lasts at the pace of the last 7 days: 0 where nothing is there, 999 where nothing was sold."""
    if on_hand <= 0:
        return 0.0
    return quotient(SOLD_DAYS * on_hand, sold_7_days, 2) if sold_7_days > 0 else ENDLESS_DAYS


def alert(on_hand: int, reorder_point: int) -> str:
    """What the stock calls for."""
    if on_hand < 0:
        return "negative"
    if on_hand == 0:
        return "out"
    return "low" if on_hand <= reorder_point else "ok"


def enrich(clean: CleanMove, lookup: Lookup) -> CleanMove:
    """The movement with its product's reorder point (0 where it is unknown) and what follows from it."""
    version = lookup(PRODUCTS, clean.product_id, to_millis(clean.event_at))
    reorder_point = version.reorder_point if version else 0
    now = alert(clean.on_hand, reorder_point)
    return replace(
        clean,
        product_valid_from=version.valid_from if version else None,
        reorder_point=reorder_point,
        alert=now,
        alert_changed=now != clean.previous_alert,
        flags=flags(clean.flags, OF_VERSIONS, [] if version else ["unknown_product"]),
    )


def joins(clean: CleanMove) -> Iterator[tuple[Reference, str]]:
    """What a movement depends on."""
    yield PRODUCTS, clean.product_id


def remember(items: Items, clean: CleanMove) -> None:
    """Fold a clean movement into its item. What is on hand is in the record, however far back the log goes."""
    item = items.get(clean.item)
    if item is None:
        item = items[clean.item] = Item()
    item.on_hand, item.alert = clean.on_hand, clean.alert
    item.move(clean.kind, to_millis(clean.event_at), clean.quantity)


FLOW = Dataflow(
    stream=STOCK, event_id=event_id, accept=accept, figures=dict, remember=remember, enrich=enrich, joins=joins,
    form=Form(dict[str, ItemForm], _form, _items),
)  # fmt: skip
