"""What is on the shelves: pieces of each product in each shop, and which run low.

At the beginning every item is counted, and the counts are sent: from then on these figures are what the stock documents and
receipts say, by the rule of topics/animeverse/stock.py: the last count by event time, and what happened later than it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import accumulate

from producers.animeverse.catalogue import Catalogue, season
from producers.animeverse.chance import Chance, chance, unit
from producers.animeverse.rhythm import DAY_S
from producers.animeverse.stores import ONLINE, SHOPS

TRIES = 6


@dataclass
class Item:
    """A product in a shop."""

    shop: int
    row: int  # of the product
    product_id: str
    reorder: int
    target: int  # what a delivery fills up to
    level: int = 0
    counted_at: float = 0.0
    ordered: bool = False


class Shelves:
    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        self.seed = seed
        self.catalogue = catalogue
        self.items: dict[tuple[int, int], Item] = {}
        self.low: deque[Item] = deque()  # waiting for a delivery, longest first
        self.stock: list[list[int]] = [
            [r for r, p in enumerate(catalogue.products) if unit(seed, "carries", s.store_id, p) < s.carries]
            for s in SHOPS
        ]
        self._edges: list[list[float]] = []
        self._day = -1

    def begin(self, at: float) -> list[Item]:
        """Fill the shelves as they are found at a time; all items."""
        draw = chance(self.seed, "shelves", at)
        for shop, rows in enumerate(self.stock):
            for row in rows:
                self._put(shop, row, at, draw)
        return list(self.items.values())

    def _put(self, shop: int, row: int, at: float, draw: Chance) -> Item:
        reorder = self.catalogue.product(row).reorder_point
        target = reorder + 20 + int(14 * (self.catalogue.popularity[row] * SHOPS[shop].trade) ** 0.5)
        level = draw.randint(reorder // 2, target)
        item = self.items[shop, row] = Item(shop, row, self.catalogue.products[row], reorder, target, level, at)
        self._watch(item)
        return item

    def newcomer(self, row: int) -> Item:
        """A product that nobody has sold yet, for the online shop."""
        self.stock[ONLINE].append(row)
        self._day = -1
        reorder = self.catalogue.product(row).reorder_point
        item = self.items[ONLINE, row] = Item(ONLINE, row, self.catalogue.products[row], reorder, reorder + 60)
        return item

    def pick(self, shop: int, at: float, draw: Chance, rows: list[int] | None = None) -> Item | None:
        """Something that is there: one of `rows`, or anything, the popular and seasonal most. None: nothing was found."""
        edges = self._weights(at)[shop]
        for _ in range(TRIES):
            row = draw.choice(rows) if rows else self.stock[shop][draw.row(edges)]
            item = self.items.get((shop, row))
            if item is not None and item.level > 0:
                return item
        return None

    def any(self, shop: int, draw: Chance) -> Item:
        """Any item of a shop, there or not."""
        return self.items[shop, draw.choice(self.stock[shop])]

    def empty(self, shop: int) -> Item | None:
        """Something that has run out."""
        return next((i for i in self.low if i.shop == shop and i.level <= 0), None)

    def move(self, item: Item, quantity: int, at: float) -> None:
        """Add pieces, or take some. What happened before the last count is in the count already."""
        if at > item.counted_at:
            item.level += quantity
            self._watch(item)

    def _watch(self, item: Item) -> None:
        if item.level <= item.reorder and not item.ordered:
            item.ordered = True
            self.low.append(item)

    def _weights(self, at: float) -> list[list[float]]:
        today = int(at // DAY_S)
        if today > self._day:
            self._day = today
            self._edges = [list(accumulate(self._weight(row, at) for row in rows)) for rows in self.stock]
        return self._edges

    def _weight(self, row: int, at: float) -> float:
        return self.catalogue.popularity[row] * season(self.catalogue.product(row).category, at)
