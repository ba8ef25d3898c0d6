"""Stock documents: lorries for what runs low, transfers between shops, counts, adjustments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from producers.animeverse.chance import Chance
from producers.animeverse.knobs import Knobs
from producers.animeverse.rhythm import moment
from producers.animeverse.shelves import Item, Shelves
from producers.animeverse.stores import SHOPS
from producers.faults import Event
from topics.animeverse.inventory import INVENTORY, Document

LORRY = 120  # so many items wait before a lorry comes; it then brings what waits longest
DELIVERED = 0.85  # of the documents while enough waits
REASONS = ("damaged", "stolen", "expired", "sample")


class Stockroom:
    """`launch` makes a new product, there since a time, and gives its row."""

    def __init__(self, shelves: Shelves, knobs: Knobs, launch: Callable[[float, Chance], int]) -> None:
        self._shelves = shelves
        self._knobs = knobs
        self._launch = launch

    def opening(self, at: float, draw: Chance) -> list[Event]:
        """A count of everything: what is on the shelves when the world begins."""
        return [_document(draw, item, "count", at, item.level, reason="opening") for item in self._shelves.begin(at)]

    def event(self, at: float, now: float, draw: Chance) -> Event:
        """One document; only one of the present (`at` is `now`) is a count, for nobody counts in the past."""
        if draw.happens(self._knobs.unknown_product):
            return self._delivery(self._shelves.newcomer(self._launch(at, draw)), at, draw)
        if len(self._shelves.low) >= LORRY and draw.happens(DELIVERED):
            item = self._shelves.low.popleft()
            item.ordered = False
            return self._delivery(item, at, draw)
        item, u = draw.choice(list(self._shelves.items.values())), draw.random()
        if u < 0.4 and at >= now:
            return self._count(item, at, draw)
        if u < 0.75:
            return self._transfer(item, at, draw)
        return self._adjustment(item, at, draw)

    def _delivery(self, item: Item, at: float, draw: Chance) -> Event:
        quantity = max(item.target - item.level, 5) + draw.randint(0, 5)
        self._shelves.move(item, quantity, at)
        supplier = self._shelves.catalogue.product(item.row).supplier_id
        return _document(draw, item, "delivery", at, quantity, supplier_id=supplier)

    def _count(self, item: Item, at: float, draw: Chance) -> Event:
        """What is found differs now and then by a piece or two from what should be there."""
        found = max(0, item.level + (draw.choice((-2, -1, -1, 1)) if draw.happens(0.25) else 0))
        item.counted_at, change = at - 1e-3, found - item.level
        self._shelves.move(item, change, at)
        item.counted_at = at
        return _document(draw, item, "count", at, found, reason="cycle count")

    def _transfer(self, item: Item, at: float, draw: Chance) -> Event:
        """From a shop that has plenty to another that has the product; without one an adjustment."""
        others = [
            other
            for shop in range(len(SHOPS))
            if shop != item.shop and (other := self._shelves.items.get((shop, item.row)))
        ]
        if not others or item.level < item.target // 2:
            return self._adjustment(item, at, draw)
        to, quantity = min(others, key=lambda i: i.level / i.target), draw.randint(1, max(1, item.level // 4))
        self._shelves.move(item, -quantity, at)
        self._shelves.move(to, quantity, at)
        return _document(draw, item, "transfer", at, quantity, to_store_id=SHOPS[to.shop].store_id)

    def _adjustment(self, item: Item, at: float, draw: Chance) -> Event:
        lost = item.level > 0 and draw.happens(0.8)
        quantity = -draw.randint(1, min(3, item.level)) if lost else draw.randint(1, 2)
        self._shelves.move(item, quantity, at)
        return _document(draw, item, "adjustment", at, quantity, reason=draw.choice(REASONS) if lost else "found")


def _document(draw: Chance, item: Item, kind: Any, at: float, quantity: int, **more: str) -> Event:
    document = Document(
        document_id=draw.uuid(), kind=kind, at=moment(at), store_id=SHOPS[item.shop].store_id,
        product_id=item.product_id, quantity=quantity, **more,
    )  # fmt: skip
    return INVENTORY.raw.name, item.product_id.encode(), msgspec.json.encode(document)
