from __future__ import annotations

from typing import Any

import pytest

from processors.animeverse.inventory import FLOW
from processors.records import Refusal
from tests.unit.processors.animeverse.given import NOW_MS, Log, at, through_json
from topics.animeverse.inventory import CleanDocument, Document


def document(kind: str, quantity: int = 5, **changes: Any) -> Document:
    base = {"document_id": "d", "kind": kind, "at": at(), "store_id": "s1", "product_id": "p1", "quantity": quantity}
    return Document(**{**base, **changes})


@pytest.mark.parametrize(
    ("given", "moves"),
    [
        (document("delivery"), [("d/delivery", "s1/p1", "delivery", 5)]),
        (document("adjustment", -3), [("d/adjustment", "s1/p1", "adjustment", -3)]),
        (document("count", 0), [("d/count", "s1/p1", "count", 0)]),
        (
            document("transfer", to_store_id="s2"),
            [("d/out", "s1/p1", "transfer_out", -5), ("d/in", "s2/p1", "transfer_in", 5)],
        ),
    ],
)
def test_a_document_moves_stock(given: Document, moves: list[tuple]) -> None:
    clean = Log(FLOW).put(given)
    assert isinstance(clean, CleanDocument)
    assert through_json(clean) == clean
    derived = list(FLOW.derive(clean))
    assert [(d.event.move_id, d.event.item, d.event.kind, d.event.quantity) for d in derived] == moves
    assert all(d.key == d.event.item == f"{d.event.store_id}/{d.event.product_id}" for d in derived)
    assert {(d.stream.prefix, d.event.at) for d in derived} == {("animeverse.stock", at())}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (document("delivery", -1), "negative_quantity"),
        (document("count", -1), "negative_quantity"),
        (document("transfer", -1, to_store_id="s2"), "negative_quantity"),
        (document("transfer"), "missing_to_store"),
        (document("transfer", to_store_id="s1"), "transfer_to_itself"),
        (document("delivery", at=at(1)), "timestamp_in_future"),
        (document("delivery", at=5.0), "timestamp_out_of_range"),
    ],
)
def test_refusals(given: Document, why: str) -> None:
    refusal = Log(FLOW).put(given, NOW_MS)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == why
