"""Timelines: the version in force is found at once, and is the one that all records together say."""

from hypothesis import given, settings
from hypothesis import strategies as st

from producers.animeverse.timeline import AHEAD_S, LATE_S, Timeline

PERIOD = 36 * 3600.0
LINE = Timeline(7, PERIOD, "changed")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 500), st.floats(1.7e9, 1.9e9))
def test_the_version_in_force_is_the_newest_that_has_begun(entity, at) -> None:
    name = f"e{entity}"
    period = LINE.period(name, at)
    records = [c for p in range(period - 2, period + 2) for c in LINE.changes(name, p) if c.valid_from <= at]
    newest = max(records, key=lambda c: c.valid_from)
    assert LINE.version(name, at) == (newest.valid_from, newest.number)
    assert LINE.version(name, at) == Timeline(7, PERIOD, "changed").version(name, at)
    assert LINE.before(name, at) < newest.number


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 500), st.integers(11_000, 13_000))
def test_records_arrive_within_their_bounds_and_corrections_last(entity, period) -> None:
    changes = LINE.changes(f"e{entity}", period)
    assert changes == sorted(changes, key=lambda c: c.arrives)
    assert all(-AHEAD_S <= c.arrives - c.valid_from <= LATE_S for c in changes)
    assert not changes[-1].wrong


def test_every_story_is_told() -> None:
    told = [LINE.changes(f"e{n}", 12_000) for n in range(400)]
    lags = [c.arrives - c.valid_from for changes in told for c in changes]
    assert sum(lag < 0 for lag in lags) > 50  # announced
    assert sum(lag > 3600 for lag in lags) > 20  # late
    assert sum(any(c.reason == "correction" for c in changes) for changes in told) > 10
    assert sum(len({c.valid_from for c in changes}) == 2 for changes in told) > 10  # swapped
