"""Receipts: what is bought, by whom, where; and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from producers.animeverse.chance import Chance
from producers.animeverse.knobs import Knobs
from producers.animeverse.members import Members
from producers.animeverse.outage import Outage
from producers.animeverse.recent import Recent
from producers.animeverse.rhythm import DAY_S, moment
from producers.animeverse.shelves import Item, Shelves
from producers.animeverse.stores import ONLINE, SHOPS, trade
from producers.animeverse.visits import Visits
from producers.faults import Event
from topics.animeverse.pos import POS, Line, Receipt

KNOWN = 0.6  # of the receipts name a member
AFTER_FILM = 0.35  # of these, where somebody is about who has seen a film lately, are for something of its title
RETURNS = 0.05  # of the receipts
RETURNABLE_S = 2.5 * DAY_S
REMEMBERED = 10_000  # sales
DISCOUNTED = 0.15  # of the lines
PAID_IN_STORE = (("cash", 0.3), ("card", 0.8), ("wallet", 0.95), ("voucher", 1.0))  # cumulative
PAID_ONLINE = (("card", 0.5), ("wallet", 0.93), ("voucher", 1.0))


@dataclass(frozen=True)
class Sale:
    """What is remembered of a sale."""

    receipt: Receipt
    at: float
    items: list[Item]  # of its lines


class Shop:
    """`join` makes a new member, there since a time, and gives their id."""

    def __init__(
        self, shelves: Shelves, members: Members, visits: Visits, knobs: Knobs, join: Callable[[float, Chance], str]
    ) -> None:
        self._shelves = shelves
        self._members = members
        self._visits = visits
        self._knobs = knobs
        self._join = join
        self._outage = Outage(knobs.outage, knobs.outage_hours)
        self.sales: Recent[Sale] = Recent(REMEMBERED)
        self._returned: Recent[Receipt] = Recent(200)

    def event(self, at: float, draw: Chance) -> Event:
        """A receipt."""
        if (lagging := self._outage.event(at, draw)) is not None:
            return self._sale(lagging[1], draw, lagging[0])
        made = self._return(at, draw) if draw.happens(RETURNS) else None
        return made or self._sale(at, draw)

    def _sale(self, at: float, draw: Chance, shop: int | None = None) -> Event:
        member, rows = self._who(at, draw)
        shop = draw.row(trade(at)) if shop is None else shop
        items = self._basket(shop, at, draw, rows)
        lines = [self._line(n + 1, item, at, draw) for n, item in enumerate(items)]
        if draw.happens(self._knobs.below_cost):
            lines[0] = self._below_cost(lines[0], items[0], at)
        sale_id = draw.uuid()
        receipt = Receipt(
            receipt_id=sale_id, sale_id=sale_id, kind="sale", at=moment(at), **_at_shop(shop, draw), lines=lines,
            customer_id=member,
        )  # fmt: skip
        self.sales.add(Sale(receipt, at, items), draw)
        return _event(receipt)

    def _who(self, at: float, draw: Chance) -> tuple[str | None, list[int] | None]:
        """Who buys, and, after a film, the products of its title."""
        if not draw.happens(KNOWN):
            return None, None
        if draw.happens(self._knobs.unknown_customer / KNOWN):
            return self._join(at, draw), None
        if draw.happens(AFTER_FILM) and (visit := self._visits.after(at, self._members.about_ids(at), draw)):
            return visit.member, self._shelves.catalogue.of_title[visit.title]
        return self._members.ids[draw.choice(self._members.about(at))], None

    def _basket(self, shop: int, at: float, draw: Chance, rows: list[int] | None) -> list[Item]:
        """One item or a few, each once; the first is of `rows` where the shop has any."""
        first = self._shelves.pick(shop, at, draw, rows) or self._shelves.pick(shop, at, draw)
        found = {first.row: first} if first else {}
        for _ in range(min(int(draw.expovariate(1.1)), 6)):
            if item := self._shelves.pick(shop, at, draw):
                found[item.row] = item
        if draw.happens(self._knobs.oversold * 1.5) and (gone := self._shelves.empty(shop)):
            found[gone.row] = gone
        return list(found.values()) or [self._shelves.any(shop, draw)]

    def _line(self, number: int, item: Item, at: float, draw: Chance) -> Line:
        catalogue = self._shelves.catalogue
        price, _ = catalogue.price(item.row, at)
        if draw.happens(self._knobs.old_price):
            price = catalogue.price_before(item.row, at)
        quantity = max(1, min(1 + int(draw.expovariate(1.6)), item.level))
        off = draw.choice((5, 10, 15, 20)) if draw.happens(DISCOUNTED) else 0
        self._shelves.move(item, -quantity, at)
        return Line(
            line_no=number, product_id=item.product_id, quantity=quantity, unit_price_cents=price,
            discount_cents=price * quantity * off // 100,
        )  # fmt: skip

    def _below_cost(self, line: Line, item: Item, at: float) -> Line:
        cost = self._shelves.catalogue.price(item.row, at)[1] * line.quantity
        gross = line.unit_price_cents * line.quantity
        return msgspec.structs.replace(line, discount_cents=max(line.discount_cents, gross - cost * 4 // 5))

    def _return(self, at: float, draw: Chance) -> Event | None:
        """A return; None where there is nothing to return."""
        if draw.happens(self._knobs.return_without_sale):
            return self._invented(at, draw)
        if draw.happens(self._knobs.second_return):
            again = self._returned.find(lambda r: _time(r) < at, draw)
            return _event(msgspec.structs.replace(again, receipt_id=draw.uuid(), at=moment(at))) if again else None
        sale = self.sales.take(lambda s: s.at + 30 < at < s.at + RETURNABLE_S, draw)
        if sale is None:
            return None
        receipt = self._of(sale, at, draw)
        self._returned.add(receipt, draw)
        return _event(receipt)

    def _of(self, sale: Sale, at: float, draw: Chance) -> Receipt:
        """The return of some lines of a sale, or of some of their pieces."""
        sold, lines = list(zip(sale.receipt.lines, sale.items, strict=True)), []
        for line, item in sorted(draw.sample(sold, draw.randint(1, len(sold))), key=lambda pair: pair[0].line_no):
            quantity = draw.randint(1, line.quantity)
            self._shelves.move(item, quantity, at)
            discount = line.discount_cents * quantity // line.quantity
            lines.append(msgspec.structs.replace(line, quantity=quantity, discount_cents=discount))
        return msgspec.structs.replace(
            sale.receipt, receipt_id=draw.uuid(), kind="return", at=moment(at), lines=lines, sold_at=moment(sale.at)
        )

    def _invented(self, at: float, draw: Chance) -> Event:
        """A return of a sale that was never made."""
        shop = draw.row(trade(at))
        item = self._shelves.any(shop, draw)
        line = Line(
            line_no=1,
            product_id=item.product_id,
            quantity=1,
            unit_price_cents=self._shelves.catalogue.price(item.row, at)[0],
        )
        return _event(
            Receipt(
                receipt_id=draw.uuid(),
                sale_id=draw.uuid(),
                kind="return",
                at=moment(at),
                **_at_shop(shop, draw),
                lines=[line],
                sold_at=moment(at - draw.uniform(600, DAY_S)),
            )
        )


def _at_shop(shop: int, draw: Chance) -> dict[str, Any]:
    u, ways = draw.random(), PAID_ONLINE if shop == ONLINE else PAID_IN_STORE
    return {
        "store_id": SHOPS[shop].store_id,
        "channel": SHOPS[shop].kind,
        "payment_method": next(way for way, edge in ways if u < edge),
    }


def _time(receipt: Receipt) -> float:
    return receipt.at if isinstance(receipt.at, float) else receipt.at.timestamp()


def _event(receipt: Receipt) -> Event:
    return POS.raw.name, receipt.sale_id.encode(), msgspec.json.encode(receipt)
