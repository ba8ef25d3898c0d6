from __future__ import annotations

from typing import Any

import pytest

from processors.animeverse import sales
from processors.animeverse.pos import FLOW, OF_VERSIONS
from processors.records import Refusal
from tests.unit.processors.animeverse.given import NOW_MS, Log, at, customer, lookup, product, store, through_json
from topics.animeverse.pos import CleanReceipt, Line, Receipt

CATALOGUE = (
    product(),
    product("p2", category="manga", price_cents=700, cost_cents=600, title_id=""),
    store(),
    customer(),
)


def line(line_no: int = 1, product_id: str = "p1", quantity: int = 2, price: int = 1000, discount: int = 0) -> Line:
    return Line(
        line_no=line_no, product_id=product_id, quantity=quantity, unit_price_cents=price, discount_cents=discount
    )


def sale(receipt_id: str = "r1", *lines: Line, **changes: Any) -> Receipt:
    base = {"receipt_id": receipt_id, "sale_id": receipt_id, "kind": "sale", "at": at(), "store_id": "s1"}
    base |= {"channel": "store", "payment_method": "card", "lines": list(lines) or [line()]}
    return Receipt(**{**base, **changes})


def back(receipt_id: str, sale_id: str, *lines: Line, **changes: Any) -> Receipt:
    return sale(receipt_id, *lines, **{"sale_id": sale_id, "kind": "return", "sold_at": at(), **changes})


def reason(got: Any) -> str:
    return got.reason if isinstance(got, Refusal) else "accepted"


def test_a_sale_is_priced_costed_and_named() -> None:
    lines = [line(1, discount=100), line(2, "p2", 1, 700), line(3, "p1", 1)]
    clean = Log(FLOW, *CATALOGUE).put(sale("r1", *lines, customer_id="k1"))
    assert isinstance(clean, CleanReceipt)
    assert (clean.items, clean.gross_cents, clean.discount_cents, clean.net_cents) == (4, 3700, 100, 3600)
    assert (clean.cost_cents, clean.margin_cents, clean.sale_net_cents) == (1800, 1800, 3600)
    assert (clean.orders, clean.returns, clean.flags) == (1, 0, [])
    assert (clean.store_city, clean.customer_segment, clean.customer_country) == ("Berlin", "fan", "DEU")
    assert [x.order_of_category for x in clean.lines] == [1, 1, 0]
    assert [(x.category, x.title_id, x.cost_cents, x.margin_cents) for x in clean.lines[:2]] == [
        ("figures", "t1", 800, 1100), ("manga", "", 600, 100),
    ]  # fmt: skip
    assert through_json(clean) == clean


def test_a_return_is_the_sale_with_a_minus_and_no_order() -> None:
    log = Log(FLOW, *CATALOGUE)
    log.put(sale())
    clean = log.put(back("r2", "r1", line(quantity=1), at=at(5)))
    assert (clean.items, clean.gross_cents, clean.net_cents, clean.cost_cents, clean.margin_cents) == (
        -1,
        -1000,
        -1000,
        -400,
        -600,
    )
    assert (clean.orders, clean.returns, clean.sale_net_cents, clean.lines[0].order_of_category) == (0, 1, 0, 0)


def test_what_is_unknown_is_flagged_and_a_version_that_comes_later_sets_every_field() -> None:
    bare = Log(FLOW).put(sale(customer_id="k1"))
    assert bare.flags == ["unknown_customer", "unknown_product", "unknown_store"]
    assert (bare.store_city, bare.customer_segment, bare.lines[0].category, bare.cost_cents) == (
        "unknown",
        "unknown",
        "unknown",
        0,
    )
    late = FLOW.enrich(bare, lookup(*CATALOGUE))
    assert late == Log(FLOW, *CATALOGUE).put(sale(customer_id="k1"))
    assert FLOW.enrich(late, lookup()) == bare
    anonymous = Log(FLOW, *CATALOGUE).put(sale())
    assert (anonymous.customer_id, anonymous.customer_segment, anonymous.customer_country) == ("", "none", "none")


def test_the_version_is_that_of_the_receipts_time() -> None:
    cheaper = product("p1", 1, price_cents=900, cost_cents=300)
    log = Log(FLOW, *CATALOGUE, cheaper)
    assert log.put(sale("a", at=at(0.9))).lines[0].product_valid_from == at(-999)
    after = log.put(sale("b", at=at(1)))
    assert (after.lines[0].product_valid_from, after.cost_cents, after.flags) == (at(1), 600, ["price_differs"])


def test_prices_are_flagged_on_sales_only() -> None:
    log = Log(FLOW, *CATALOGUE)
    assert log.put(sale("a", line(price=350))).flags == ["below_cost", "price_differs"]
    assert log.put(back("b", "a", line(price=350))).flags == []


@pytest.mark.parametrize(
    ("receipt", "why"),
    [
        (sale("r1", sale_id="r0"), "not_the_sale"),
        (sale("r1", line(1), line(1)), "duplicate_line"),
        (sale("r1", line(discount=2001)), "discount_exceeds_price"),
        (sale("r1", line(discount=2000)), "accepted"),
        (back("r2", "r1", sold_at=None), "missing_sold_at"),
        (back("r2", "r1"), "return_without_sale"),
        (sale("r1", at=946_684_799.0), "timestamp_out_of_range"),
        (sale("r1", at=(NOW_MS + 60_001) / 1000), "timestamp_in_future"),
        (sale("r1", at=NOW_MS + 60_000), "accepted"),
    ],
)  # fmt: skip
def test_refusals(receipt: Receipt, why: str) -> None:
    assert reason(Log(FLOW).put(receipt, NOW_MS)) == why


def test_a_return_must_be_covered_by_its_sale() -> None:
    log = Log(FLOW)
    log.put(sale("r1", line(1), line(2, "p2", 1)))
    assert reason(log.put(back("x1", "r1", line(1, quantity=3)))) == "returns_more_than_sold"
    assert reason(log.put(back("x2", "r1", line(2, "p1", 1)))) == "returns_more_than_sold"
    assert reason(log.put(back("x3", "r1", line(3)))) == "returns_more_than_sold"
    assert reason(log.put(back("x4", "r1", line(1, quantity=1), line(2, "p2", 1)))) == "accepted"
    assert reason(log.put(back("x5", "r1", line(1, quantity=1)))) == "already_returned"


def test_a_sale_beyond_the_horizon_is_forgotten_and_then_returned_once_only() -> None:
    log = Log(FLOW)
    log.put(sale("old"))
    log.put(sale("new", at=at(72)))
    assert reason(log.put(back("x0", "old", at=at(72), sold_at=at()))) == "accepted"
    log.put(sale("newer", at=at(73)))
    forgotten = log.put(back("x1", "older", at=at(70), sold_at=at(-0.01)))
    assert forgotten.flags == ["sale_forgotten", "unknown_product", "unknown_store"]
    assert reason(log.put(back("x2", "older", at=at(74), sold_at=at(-0.01)))) == "already_returned"
    assert reason(log.put(back("x3", "nothing", at=at(74), sold_at=at(2.1)))) == "return_without_sale"
    assert "sale_forgotten" not in OF_VERSIONS


def test_a_record_that_comes_again_after_a_crash_is_refused_for_the_same_reason() -> None:
    log = Log(FLOW)
    early = back("x0", "r1", at=at(1))
    assert reason(log.put(early)) == "return_without_sale"  # offset 0
    log.put(sale("r1"))  # 1
    too_much = back("x1", "r1", line(quantity=3))
    assert reason(log.put(too_much)) == "returns_more_than_sold"  # 2
    log.put(back("x2", "r1"))  # 3
    log.put(sale("far", at=at(100)))  # 4: the sale is beyond the horizon now
    assert reason(log.judge(early, 0)) == "return_without_sale"
    assert reason(log.judge(too_much, 2)) == "returns_more_than_sold"


def test_what_can_be_returned_no_more_leaves_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.animeverse.common.REPLAYED", 10)
    log = Log(FLOW)
    for n in range(200):
        log.put(sale(f"r{n}", at=at(n)))
    assert len(log.figures.sales) <= 72 + 10 + 2
    assert sales.KEPT_MS == 72 * 3_600_000


def test_each_line_moves_stock_and_a_known_customer_takes_a_step() -> None:
    log = Log(FLOW)
    sold = list(FLOW.derive(log.put(sale("r1", line(1), line(2, "p2", 1), customer_id="k1"))))
    assert [(d.stream.prefix, d.key) for d in sold] == [
        ("animeverse.stock", "s1/p1"), ("animeverse.stock", "s1/p2"), ("animeverse.journeys", "k1"),
    ]  # fmt: skip
    assert [(d.event.move_id, d.event.kind, d.event.quantity) for d in sold[:2]] == [
        ("r1/1", "sale", -2),
        ("r1/2", "sale", -1),
    ]
    assert (sold[2].event.step_id, sold[2].event.kind, sold[2].event.amount_cents) == ("r1/sale", "purchase", 3000)
    (returned,) = FLOW.derive(log.put(back("r2", "r1", line(1), at=at(1))))
    assert (returned.event.kind, returned.event.quantity, returned.event.at) == ("return", 2, at(1))


def test_a_receipt_depends_on_its_products_store_and_customer() -> None:
    clean = Log(FLOW).put(sale("r1", line(1), line(2), customer_id="k1"))
    assert sorted((r.prefix, i) for r, i in FLOW.joins(clean)) == [
        ("animeverse.customers", "k1"), ("animeverse.products", "p1"), ("animeverse.stores", "s1"),
    ]  # fmt: skip
