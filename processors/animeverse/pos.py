"""Point of sale: receipts become clean receipts, movements of stock, and steps of customers.

    pos.raw ─ accept ─ enrich (product of each line, customer, store) ─┬▶ pos.clean ─▶ sales_by_minute, sales_by_category
                                                                       ├▶ stock.raw     a movement for each line
                                                                       └▶ journeys.raw  where a customer was named

State of a raw partition: the sales of three days (`sales.py`), and the newest event times of the last records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from processors.animeverse.common import NONE, UNKNOWN, Newest, NewestForm, base, buyer, flags, untimely
from processors.animeverse.sales import KEPT_MS, Lines, Sales
from processors.flow import Dataflow, Form, Lookup
from processors.records import Cause, Derived, Refusal, to_millis
from topics.animeverse.journeys import JOURNEYS, Step
from topics.animeverse.pos import POS, CleanLine, CleanReceipt, Line, Receipt
from topics.animeverse.reference import CUSTOMERS, PRODUCTS, STORES, CleanProduct
from topics.animeverse.stock import STOCK, Move
from topics.contract import Reference

OF_VERSIONS = frozenset({"unknown_product", "unknown_customer", "unknown_store", "below_cost", "price_differs"})


class Figures:
    """What returns are checked against."""

    def __init__(self) -> None:
        self.sales = Sales()
        self.newest = Newest()


class FiguresForm(NamedTuple):
    """The figures in a snapshot."""

    sales: bytes
    swept_ms: int
    newest: NewestForm


def _form(figures: Figures) -> FiguresForm:
    return FiguresForm(figures.sales.to_bytes(), figures.sales.swept_ms, figures.newest.form())


def _figures(form: FiguresForm) -> Figures:
    figures = Figures()
    figures.sales.restore(form.sales, form.swept_ms)
    figures.newest = Newest.of(form.newest)
    return figures


def event_id(receipt: Receipt) -> str:
    return receipt.receipt_id


def accept(receipt: Receipt, cause: Cause, figures: Figures) -> CleanReceipt | Refusal:
    """The clean receipt, not enriched yet, or why it is refused."""
    at_ms = to_millis(receipt.at)
    refusal = untimely(at_ms, cause) or _contradiction(receipt)
    if refusal:
        return refusal
    found = _return_flags(receipt, at_ms, cause, figures) if receipt.kind == "return" else []
    return found if isinstance(found, Refusal) else _clean(receipt, at_ms, cause, found)


def _contradiction(receipt: Receipt) -> Refusal | None:
    """What is wrong with a receipt by itself."""
    if receipt.kind == "sale" and receipt.sale_id != receipt.receipt_id:
        return Refusal("not_the_sale", f"the sale {receipt.receipt_id!r} names the sale {receipt.sale_id!r}")
    if len({line.line_no for line in receipt.lines}) < len(receipt.lines):
        return Refusal("duplicate_line", "a line number stands there twice")
    for line in receipt.lines:
        if line.discount_cents > line.quantity * line.unit_price_cents:
            return Refusal("discount_exceeds_price", f"line {line.line_no}: the discount is more than the price")
    if receipt.kind == "return" and receipt.sold_at is None:
        return Refusal("missing_sold_at", "a return says when the sale was made")
    return None


def _return_flags(receipt: Receipt, at_ms: int, cause: Cause, figures: Figures) -> list[str] | Refusal:
    """Hold a return against its sale, by what the log held before it."""
    since_ms = max(figures.newest.before(cause.offset), at_ms) - KEPT_MS
    sale = figures.sales.get(receipt.sale_id, since_ms, cause.offset)
    if sale.returned:
        return Refusal("already_returned", f"the sale {receipt.sale_id!r} was returned before")
    if sale.lines is not None:
        return _uncovered(receipt.lines, sale.lines) or []
    if receipt.sold_at is not None and to_millis(receipt.sold_at) < since_ms:
        return ["sale_forgotten"]
    return Refusal("return_without_sale", f"no sale {receipt.sale_id!r} is known")


def _uncovered(lines: Iterable[Line], sold: Lines) -> Refusal | None:
    for line in lines:
        product_id, quantity = sold.get(line.line_no, ("", 0))
        if line.product_id != product_id or line.quantity > quantity:
            return Refusal(
                "returns_more_than_sold",
                f"line {line.line_no}: {line.quantity} of {line.product_id!r}; sold were {quantity} of {product_id!r}",
            )
    return None


def _clean(receipt: Receipt, at_ms: int, cause: Cause, found: list[str]) -> CleanReceipt:
    is_sale = receipt.kind == "sale"
    lines = [_line(line, 1 if is_sale else -1) for line in receipt.lines]
    net_cents = sum(line.net_cents for line in lines)
    return CleanReceipt(
        **base(receipt.receipt_id, at_ms, cause),
        sale_id=receipt.sale_id,
        kind=receipt.kind,
        store_id=receipt.store_id,
        store_valid_from=None,
        store_city=UNKNOWN,
        channel=receipt.channel,
        payment_method=receipt.payment_method,
        customer_id=receipt.customer_id or "",
        customer_valid_from=None,
        customer_segment=UNKNOWN if receipt.customer_id else NONE,
        customer_country=UNKNOWN if receipt.customer_id else NONE,
        lines=lines,
        orders=int(is_sale),
        returns=int(not is_sale),
        items=sum(line.quantity for line in lines),
        gross_cents=sum(line.gross_cents for line in lines),
        discount_cents=sum(line.discount_cents for line in lines),
        net_cents=net_cents,
        sale_net_cents=net_cents if is_sale else 0,
        cost_cents=0,
        margin_cents=net_cents,
        flags=found,
    )


def _line(line: Line, sign: int) -> CleanLine:
    gross_cents = line.quantity * line.unit_price_cents
    net_cents = gross_cents - line.discount_cents
    return CleanLine(
        line_no=line.line_no,
        product_id=line.product_id,
        product_valid_from=None,
        category=UNKNOWN,
        title_id=UNKNOWN,
        quantity=sign * line.quantity,
        unit_price_cents=line.unit_price_cents,
        gross_cents=sign * gross_cents,
        discount_cents=sign * line.discount_cents,
        net_cents=sign * net_cents,
        cost_cents=0,
        margin_cents=sign * net_cents,
        order_of_category=0,
    )


def enrich(clean: CleanReceipt, lookup: Lookup) -> CleanReceipt:
    """The receipt with the versions of its time."""
    at_ms = to_millis(clean.event_at)
    versions: list[CleanProduct | None] = [lookup(PRODUCTS, line.product_id, at_ms) for line in clean.lines]
    lines = [_of_product(line, v) for line, v in zip(clean.lines, versions, strict=True)]
    seen: set[str] = set() if clean.kind == "sale" else {line.category for line in lines}
    for line in lines:
        line.order_of_category = int(line.category not in seen)
        seen.add(line.category)
    customer = buyer(clean.customer_id, lookup, at_ms)
    store = lookup(STORES, clean.store_id, at_ms)
    cost_cents = sum(line.cost_cents for line in lines)
    found = {
        "unknown_product": None in versions,
        "unknown_customer": bool(clean.customer_id) and customer.valid_from is None,
        "unknown_store": store is None,
        **_price_flags(clean.kind, lines, versions),
    }
    return replace(
        clean,
        store_valid_from=store.valid_from if store else None,
        store_city=store.city if store else UNKNOWN,
        customer_valid_from=customer.valid_from,
        customer_segment=customer.segment,
        customer_country=customer.country,
        lines=lines,
        cost_cents=cost_cents,
        margin_cents=clean.net_cents - cost_cents,
        flags=flags(clean.flags, OF_VERSIONS, (name for name, is_so in found.items() if is_so)),
    )


def _of_product(line: CleanLine, version: CleanProduct | None) -> CleanLine:
    cost_cents = line.quantity * version.cost_cents if version else 0
    return replace(
        line,
        product_valid_from=version.valid_from if version else None,
        category=version.category if version else UNKNOWN,
        title_id=version.title_id if version else UNKNOWN,
        cost_cents=cost_cents,
        margin_cents=line.net_cents - cost_cents,
    )


def _price_flags(kind: str, lines: list[CleanLine], versions: list[CleanProduct | None]) -> dict[str, bool]:
    """What a sale's prices say, line by line; a return gives back what was paid then, whatever the price is now."""
    known = [(line, v) for line, v in zip(lines, versions, strict=True) if v is not None and kind == "sale"]
    return {
        "below_cost": any(line.net_cents < line.cost_cents for line, _ in known),
        "price_differs": any(line.unit_price_cents != v.price_cents for line, v in known),
    }


def joins(clean: CleanReceipt) -> Iterator[tuple[Reference, str]]:
    """What an enriched receipt depends on."""
    for product_id in {line.product_id for line in clean.lines}:
        yield PRODUCTS, product_id
    if clean.customer_id:
        yield CUSTOMERS, clean.customer_id
    yield STORES, clean.store_id


def remember(figures: Figures, clean: CleanReceipt) -> None:
    """Keep a sale until it can be returned no more; note a return."""
    at_ms = to_millis(clean.event_at)
    figures.newest.fold(clean.raw_offset, at_ms)
    if clean.kind == "sale":
        lines = {line.line_no: (line.product_id, line.quantity) for line in clean.lines}
        figures.sales.sold(clean.sale_id, at_ms, clean.raw_offset, lines)
    else:
        figures.sales.returned(clean.sale_id, at_ms, clean.raw_offset)
    figures.sales.expire(figures.newest.settled_ms - KEPT_MS)


def derive(clean: CleanReceipt) -> Iterator[Derived]:
    """What goes out of stock or comes back, line by line; and the customer's step."""
    for line in clean.lines:
        item = f"{clean.store_id}/{line.product_id}"
        move = Move(
            move_id=f"{clean.event_id}/{line.line_no}",
            item=item,
            kind="sale" if clean.kind == "sale" else "return",
            at=clean.event_at,
            store_id=clean.store_id,
            product_id=line.product_id,
            quantity=-line.quantity,
        )
        yield Derived(STOCK, item, move)
    if clean.customer_id:
        step = Step(
            step_id=f"{clean.event_id}/{clean.kind}",
            customer_id=clean.customer_id,
            kind="purchase" if clean.kind == "sale" else "return",
            at=clean.event_at,
            amount_cents=clean.net_cents,
        )
        yield Derived(JOURNEYS, clean.customer_id, step)


FLOW = Dataflow(
    stream=POS, event_id=event_id, accept=accept, figures=Figures, remember=remember, enrich=enrich, joins=joins,
    derive=derive, form=Form(FiguresForm, _form, _figures, at_once=True),
)  # fmt: skip
