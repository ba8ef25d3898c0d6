from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from processors.kpi import KpiFold, figures
from topics.contract import MINUTE, CleanEvent, Count, Distinct, Each, Kpi, Mean, Ratio, Stream, Total
from topics.tweets import CleanTweet, Tweet

KPI = Kpi(
    "x.kpi.y", MINUTE, ("region",),
    (Count("n"), Total("sum", of="v"), Mean("mean", of="f", digits=2), Distinct("users", of="user")),
)  # fmt: skip
EVENTS = st.lists(
    st.builds(
        lambda at, region, v, f, user: (at, SimpleNamespace(region=region, v=v, f=f / 100, user=user)),
        st.integers(0, 600), st.sampled_from("AB"), st.integers(-5, 5), st.integers(-100, 100), st.sampled_from("xyz"),
    )
)  # fmt: skip


def fold(events: list[tuple[int, SimpleNamespace]]) -> dict[tuple[int, str], dict[str, float]]:
    folded = KpiFold(KPI, dt.timedelta(hours=1))
    for offset, (at, event) in enumerate(events):
        folded.fold(event, at, offset, 0.0)
    return {(start, dims[0]): figures(KPI, integers) for start, dims, _, integers in folded.drain()}


@given(EVENTS)
def test_a_fold_is_the_plain_aggregate(events: list) -> None:
    got = fold(events)
    groups: dict[tuple[int, str], list] = {}
    for at, e in events:
        groups.setdefault((at // 60 * 60, e.region), []).append(e)
    assert got.keys() == groups.keys()
    for key, es in groups.items():
        assert got[key]["n"] == len(es)
        assert got[key]["sum"] == sum(e.v for e in es)
        assert got[key]["mean"] == pytest.approx(sum(e.f for e in es) / len(es))
        assert got[key]["users"] == len({e.user for e in es})


@given(EVENTS, st.randoms())
def test_no_order_of_events_changes_a_number(events: list, rng: object) -> None:
    shuffled = list(events)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold(events) == fold(shuffled)


def test_an_event_after_the_allowed_lateness_is_not_folded_and_old_windows_go() -> None:
    folded = KpiFold(KPI, dt.timedelta(seconds=60))
    event = SimpleNamespace(region="A", v=1, f=0.0, user="x")
    folded.fold(event, 30, 0, watermark_s=119.0)
    assert len(list(folded.drain())) == 1
    folded.fold(event, 30, 1, watermark_s=120.0)
    assert list(folded.drain()) == []
    folded.expire(120.0)
    assert folded.windows == {}


def test_an_event_counts_once_for_each_item() -> None:
    folded = KpiFold(Kpi("x.kpi.tags", MINUTE, (Each("tag", of="tags"),), (Count("n"),)), dt.timedelta(0))
    folded.fold(SimpleNamespace(tags=["a", "b"]), 0, 0, 0.0)
    assert sorted(dims for _, dims, _, _ in folded.drain()) == [("a",), ("b",)]


def test_touch_since_brings_back_what_may_not_have_been_published() -> None:
    folded = KpiFold(KPI, dt.timedelta(hours=1))
    for offset, region in enumerate("ABA"):
        folded.fold(SimpleNamespace(region=region, v=1, f=0.0, user="x"), 0, offset, 0.0)
    list(folded.drain())
    folded.touch_since(2)
    assert [dims for _, dims, _, _ in folded.drain()] == [("A",)]


def test_distinct_counts_only_what_keys_the_stream() -> None:
    kpi = Kpi("x.kpi.y", MINUTE, (), (Distinct("regions", of="region"),))
    with pytest.raises(ValueError, match="cannot be added up over partitions"):
        Stream(prefix="x", event=Tweet, clean_event=CleanTweet, key="user.user_id", clean_key="user_id", kpis=(kpi,))


# ── items of a list, a time of their own, ratios, and taking back ───────────────────────────────────────────────────────
class Item(Struct):
    kind: str
    cents: int


class Basket(CleanEvent, kw_only=True):
    shop: str
    opens_at: dt.datetime
    one: int
    items: list[Item]


def basket(shop: str, *cents: int, at: int = 0) -> Basket:
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    items = [Item("even" if c % 2 == 0 else "odd", c) for c in cents]
    return Basket(
        event_id="b", event_at=moment, ingested_at=moment, late_by_seconds=0, raw_partition=0, raw_offset=0, shop=shop,
        opens_at=moment + dt.timedelta(hours=1), one=1, items=items,
    )  # fmt: skip


BY_ITEM = Kpi(
    "x.kpi.items", MINUTE, ("shop", "kind"), (Count("lines"), Total("cents", of="cents"), Ratio("mean", of="cents", per="one")),
    each="items",
)  # fmt: skip


def cells(folded: KpiFold) -> dict[tuple, dict[str, float]]:
    return {(start, *dims): figures(folded.kpi, integers) for start, dims, _, integers in folded.drain()}


def test_each_item_counts_with_its_own_fields_and_the_events() -> None:
    folded = KpiFold(BY_ITEM, dt.timedelta(hours=1), Basket)
    folded.fold(basket("a", 1, 2, 4), 0, 0, 0.0)
    assert cells(folded) == {
        (0, "a", "odd"): {"lines": 1, "cents": 1, "mean": 1.0},
        (0, "a", "even"): {"lines": 2, "cents": 6, "mean": 3.0},
    }


def test_a_window_may_count_another_time_than_the_events_own() -> None:
    kpi = Kpi("x.kpi.opening", MINUTE, ("shop",), (Count("n"),), at="opens_at")
    folded = KpiFold(kpi, dt.timedelta(0), Basket)
    folded.fold(basket("a", at=60), 60, 0, 0.0)
    assert list(cells(folded)) == [(3660, "a")]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 9), max_size=3))), st.data())
def test_taking_events_back_leaves_the_fold_of_the_others(events: list, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(range(len(events))))) if events else set()
    some, rest = (KpiFold(BY_ITEM, dt.timedelta(hours=1), Basket) for _ in range(2))
    for i, (shop, cents) in enumerate(events):
        some.fold(basket(shop, *cents), 0, i, 0.0)
        if i not in gone:
            rest.fold(basket(shop, *cents), 0, i, 0.0)
    for i in gone:
        some.fold(basket(events[i][0], *events[i][1]), 0, len(events), 0.0, -1)
    left = {k: v for k, v in cells(some).items() if v["lines"]}
    assert left == cells(rest)


def test_a_cell_that_everything_has_left_shows_zeros_and_a_higher_revision() -> None:
    folded = KpiFold(BY_ITEM, dt.timedelta(hours=1), Basket)
    folded.fold(basket("a", 1), 0, 0, 0.0)
    folded.fold(basket("a", 1), 0, 1, 0.0, -1)
    ((_, _, offset, (changes, events, *sums)),) = folded.drain()
    assert (offset, changes, events, sums) == (1, 2, 0, [0, 0, 0])
