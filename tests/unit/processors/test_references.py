"""Which version is in force when, against the plain definition."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from processors.records import EPOCH
from processors.references import ALWAYS_MS, References
from topics.animeverse.reference import STORES, CleanStore

TOLD = st.lists(st.tuples(st.integers(0, 9), st.text("abc", min_size=1, max_size=1)), max_size=12)


def store(valid_from_s: int, name: str) -> CleanStore:
    at = EPOCH + dt.timedelta(seconds=valid_from_s)
    return CleanStore(
        event_id="e", event_at=at, ingested_at=at, late_by_seconds=0, raw_partition=0, raw_offset=0, valid_from=at,
        change_reason="", store_id="s", name=name, kind="store", city="", country="",
    )  # fmt: skip


@given(TOLD, st.integers(0, 10), st.integers(0, 12))
def test_the_newest_version_before_the_event_among_those_told_so_far(
    told: list[tuple[int, str]], event_s: int, offset: int
) -> None:
    known = References((STORES,))
    for i, (at, name) in enumerate(told):
        known.add(STORES.prefix, store(at, name), i)
    got = known.at(STORES.prefix, "s", event_s * 1000, len(told))
    valid = [(at, i, name) for i, (at, name) in enumerate(told) if at <= event_s]
    assert (got.name if isinstance(got, CleanStore) else None) == (max(valid)[2] if valid else None)
    before = [(at, i) for i, (at, _) in enumerate(told) if at <= event_s and i <= offset]
    corrected = len({at for at, _ in told}) < len(told)  # what a correction replaces is not kept
    if not corrected:
        got = known.at(STORES.prefix, "s", event_s * 1000, offset)
        assert (got.name if isinstance(got, CleanStore) else None) == (told[max(before)[1]][1] if before else None)


def test_a_version_is_in_force_until_the_next_one() -> None:
    known = References((STORES,))
    assert known.add(STORES.prefix, store(5, "a"), 0) == (5000, ALWAYS_MS)
    assert known.add(STORES.prefix, store(2, "b"), 1) == (2000, 5000)
    assert known.add(STORES.prefix, store(5, "c"), 2) == (5000, ALWAYS_MS)
    assert len(known) == 2


def test_an_older_record_of_a_version_does_not_replace_a_newer_one() -> None:
    """The context topic is read back in the order of its log, but a repeat after a crash may put an older one last."""
    known = References((STORES,))
    known.add(STORES.prefix, store(5, "new"), 7)
    known.add(STORES.prefix, store(5, "old"), 3)
    got = known.at(STORES.prefix, "s", 5000, 9)
    assert isinstance(got, CleanStore)
    assert got.name == "new"
