from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from processors.kpi import KpiFold, figures
from processors.kpi_code import compiled
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


def folding(kpi: Kpi, lateness: dt.timedelta, event: type = CleanTweet) -> tuple[KpiFold, Callable, Callable]:
    """A fold, and what counts an event in and takes it back."""
    folded = KpiFold(kpi, lateness)
    return folded, compiled([folded], event, "+"), compiled([folded], event, "-")


def fold(events: list[tuple[int, SimpleNamespace]]) -> dict[tuple[int, str], dict[str, float]]:
    folded, count_in, _ = folding(KPI, dt.timedelta(hours=1))
    for offset, (at, event) in enumerate(events):
        count_in(event, at, offset, 0.0)
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
    folded, count_in, _ = folding(KPI, dt.timedelta(seconds=60))
    event = SimpleNamespace(region="A", v=1, f=0.0, user="x")
    count_in(event, 30, 0, 119.0)
    assert len(list(folded.drain())) == 1
    count_in(event, 30, 1, 120.0)
    assert list(folded.drain()) == []
    folded.expire(120.0)
    assert folded.windows == {}


def test_an_event_counts_once_for_each_item() -> None:
    kpi = Kpi("x.kpi.tags", MINUTE, (Each("tag", of="tags"),), (Count("n"),))
    folded, count_in, _ = folding(kpi, dt.timedelta(0))
    count_in(SimpleNamespace(tags=["a", "b"]), 0, 0, 0.0)
    assert sorted(dims for _, dims, _, _ in folded.drain()) == [("a",), ("b",)]


def test_touch_since_brings_back_what_may_not_have_been_published() -> None:
    folded, count_in, _ = folding(KPI, dt.timedelta(hours=1))
    for offset, region in enumerate("ABA"):
        count_in(SimpleNamespace(region=region, v=1, f=0.0, user="x"), 0, offset, 0.0)
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
    folded, count_in, _ = folding(BY_ITEM, dt.timedelta(hours=1), Basket)
    count_in(basket("a", 1, 2, 4), 0, 0, 0.0)
    assert cells(folded) == {
        (0, "a", "odd"): {"lines": 1, "cents": 1, "mean": 1.0},
        (0, "a", "even"): {"lines": 2, "cents": 6, "mean": 3.0},
    }


def test_a_window_may_count_another_time_than_the_events_own() -> None:
    kpi = Kpi("x.kpi.opening", MINUTE, ("shop",), (Count("n"),), at="opens_at")
    folded, count_in, _ = folding(kpi, dt.timedelta(0), Basket)
    count_in(basket("a", at=60), 60, 0, 0.0)
    assert list(cells(folded)) == [(3660, "a")]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 9), max_size=3))), st.data())
def test_taking_events_back_leaves_the_fold_of_the_others(events: list, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(range(len(events))))) if events else set()
    (some, count_in, take_back), (rest, count_in_rest, _) = (
        folding(BY_ITEM, dt.timedelta(hours=1), Basket) for _ in range(2)
    )
    for i, (shop, cents) in enumerate(events):
        count_in(basket(shop, *cents), 0, i, 0.0)
        if i not in gone:
            count_in_rest(basket(shop, *cents), 0, i, 0.0)
    for i in gone:
        take_back(basket(events[i][0], *events[i][1]), 0, len(events), 0.0)
    left = {k: v for k, v in cells(some).items() if v["lines"]}
    assert left == cells(rest)


def test_a_cell_that_everything_has_left_shows_zeros_and_a_higher_revision() -> None:
    folded, count_in, take_back = folding(BY_ITEM, dt.timedelta(hours=1), Basket)
    count_in(basket("a", 1), 0, 0, 0.0)
    take_back(basket("a", 1), 0, 1, 0.0)
    ((_, _, offset, (changes, events, *sums)),) = folded.drain()
    assert (offset, changes, events, sums) == (1, 2, 0, [0, 0, 0])


def test_each_change_is_told_once_and_those_after_it_again() -> None:
    folded, count_in, take_back = folding(BY_ITEM, dt.timedelta(hours=1), Basket)
    for offset, shop in enumerate("abaab"):
        count_in(basket(shop, 1), 0, offset, 0.0)
    assert [(dims, offset) for _, dims, offset, _ in folded.drain()] == [(("a", "odd"), 3), (("b", "odd"), 4)]
    assert list(folded.drain()) == []
    for shop in "ab":  # all that one later record causes
        take_back(basket(shop, 1), 0, 5, 0.0)
        count_in(basket(shop, 1), 0, 5, 0.0)
    assert [(dims, offset) for _, dims, offset, _ in folded.drain()] == [(("a", "odd"), 5), (("b", "odd"), 5)]


def test_a_restored_fold_tells_what_changes_and_what_may_not_have_been_told() -> None:
    before, count_in, _ = folding(BY_ITEM, dt.timedelta(hours=1), Basket)
    for offset, shop in enumerate("abc"):
        count_in(basket(shop, 1), 0, offset, 0.0)
    folded, count_in, _ = folding(BY_ITEM, dt.timedelta(hours=1), Basket)
    folded.restore(before.windows)
    assert list(folded.drain()) == []
    folded.touch_since(2)
    count_in(basket("a", 1), 0, 3, 0.0)
    count_in(basket("c", 1), 0, 4, 0.0)
    assert [(dims[0], offset) for _, dims, offset, _ in folded.drain()] == [("c", 4), ("a", 3)]


def test_an_error_in_an_event_names_the_line_that_was_written_for_it() -> None:
    _, count_in, _ = folding(KPI, dt.timedelta(hours=1))
    with pytest.raises(AttributeError) as raised:
        count_in(SimpleNamespace(region="A"), 0, 0, 0.0)
    assert str(raised.traceback[-1].statement).strip() == "v1 = event.v"
