"""Which version is in force when, against the plain definition."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from processors.records import EPOCH
from processors.references import ALWAYS_MS, References
from topics.animeverse.reference import STORES, CleanStore

TOLD = st.lists(st.tuples(st.integers(0, 9), st.text("abc", min_size=1, max_size=1)), max_size=12)


def store(valid_from_s: int, name: str, accepted: int = 0) -> CleanStore:
    at = EPOCH + dt.timedelta(seconds=valid_from_s)
    return CleanStore(
        event_id="e", event_at=at, ingested_at=at, late_by_seconds=0, raw_partition=0, raw_offset=accepted, valid_from=at,
        change_reason="", store_id="s", name=name, kind="store", city="", country="",
    )  # fmt: skip


@given(TOLD, st.integers(0, 10), st.integers(0, 12))
def test_the_newest_version_before_the_event_among_those_told_so_far(
    told: list[tuple[int, str]], event_s: int, offset: int
) -> None:
    known = References((STORES,))
    for i, (at, name) in enumerate(told):
        known.add(STORES.prefix, store(at, name, i), i)
    got = known.at(STORES.prefix, "s", event_s * 1000, len(told))
    valid = [(at, i, name) for i, (at, name) in enumerate(told) if at <= event_s]
    assert (got.name if isinstance(got, CleanStore) else None) == (max(valid)[2] if valid else None)
    before = [(at, i) for i, (at, _) in enumerate(told) if at <= event_s and i <= offset]
    got = known.at(STORES.prefix, "s", event_s * 1000, offset)
    assert (got.name if isinstance(got, CleanStore) else None) == (told[max(before)[1]][1] if before else None)


def test_a_version_is_in_force_until_the_next_one() -> None:
    known = References((STORES,))
    assert known.add(STORES.prefix, store(5, "a"), 0) == (5000, ALWAYS_MS)
    assert known.add(STORES.prefix, store(2, "b"), 1) == (2000, 5000)
    assert known.add(STORES.prefix, store(5, "c", 1), 2) == (5000, ALWAYS_MS)
    assert known.add(STORES.prefix, store(2, "b"), 1) == (2000, 5000)  # again, by a worker that knows the later ones
    assert len(known) == 3


def test_what_was_accepted_last_is_in_force_however_often_and_in_whichever_order_it_is_told() -> None:
    """A worker that wakes after its partitions have moved may tell of a version again after its correction."""
    known = References((STORES,))
    known.add(STORES.prefix, store(5, "new", 3), 7)
    assert known.add(STORES.prefix, store(5, "old", 1), 8) == (5000, 5000)
    known.add(STORES.prefix, store(5, "old", 1), 2)
    got = known.at(STORES.prefix, "s", 5000, 9)
    assert isinstance(got, CleanStore)
    assert got.name == "new"
