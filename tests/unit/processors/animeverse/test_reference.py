from __future__ import annotations

import pytest

from processors.animeverse.reference import REFERENCES, flow
from processors.records import Refusal, to_millis
from tests.unit.processors.animeverse.given import NOW_MS, Log, at, through_json
from topics.animeverse.reference import (
    PRODUCTS,
    SCREENINGS,
    TITLES,
    CleanProduct,
    CleanScreening,
    Product,
    Screening,
    Title,
)
from topics.animeverse.stock import STOCK


def a_product(**changes: object) -> Product:
    base = {"product_id": "p1", "name": "Figure", "category": "figures", "price_cents": 1000, "cost_cents": 400}
    return Product(**{**base, "valid_from": at(-2), **changes})


def test_a_version_is_kept_as_it_is_and_its_time_is_its_valid_from() -> None:
    clean = Log(flow(PRODUCTS)).put(a_product(change_reason="price"), NOW_MS)
    assert isinstance(clean, CleanProduct)
    assert (clean.event_at, clean.valid_from, clean.change_reason) == (at(-2), at(-2), "price")
    assert (clean.price_cents, clean.reorder_point, clean.title_id) == (1000, 10, "")
    assert clean.late_by_seconds == 7200
    assert through_json(clean) == clean


def test_the_id_tells_a_repeat_from_a_correction_and_from_another_time() -> None:
    event_id = flow(PRODUCTS).event_id
    same = {
        event_id(a_product()),
        event_id(a_product(valid_from=to_millis(at(-2)))),
        event_id(a_product(valid_from=to_millis(at(-2)) / 1000)),
    }
    assert len(same) == 1
    others = {
        event_id(a_product(price_cents=1)),
        event_id(a_product(valid_from=at(-3))),
        event_id(a_product(product_id="p2")),
    }
    assert len(others) == 3
    assert not same & others
    assert Log(flow(PRODUCTS)).put(a_product(), NOW_MS).event_id in same


def test_a_version_may_begin_in_the_future_but_not_before_2000() -> None:
    log = Log(flow(PRODUCTS))
    ahead = log.put(a_product(valid_from=at(500)), NOW_MS)
    assert (ahead.event_at, ahead.late_by_seconds) == (at(500), 0)
    refused = log.put(a_product(valid_from=915_148_800.0), NOW_MS)
    assert isinstance(refused, Refusal)
    assert refused.reason == "timestamp_out_of_range"


def test_moments_and_lists_come_through() -> None:
    showing = Screening(
        screening_id="x", title_id="t", store_id="c", hall="1", seats=9, starts_at=NOW_MS / 1000, valid_from=at(-9)
    )
    clean = Log(flow(SCREENINGS)).put(showing, NOW_MS)
    assert isinstance(clean, CleanScreening)
    assert clean.starts_at == at()
    shown = Log(flow(TITLES)).put(Title(title_id="t", name="n", studio="s", genres=["a", "b"], valid_from=at()), NOW_MS)
    assert shown.genres == ["a", "b"]


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.prefix)
def test_versions_are_told_to_the_streams_that_join_them(reference: object) -> None:
    told = flow(reference).joined_by  # type: ignore[arg-type]
    assert told
    assert (STOCK in told) == (reference is PRODUCTS)
