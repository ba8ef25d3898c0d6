from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.kpi import KpiFold, figures
from topics.contract import MINUTE, Count, Distinct, Each, Kpi, Mean, Stream, Total
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
