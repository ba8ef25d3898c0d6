"""Windows as ranges."""

from __future__ import annotations

import datetime as dt
import itertools

from hypothesis import given
from hypothesis import strategies as st

from lakehouse_jobs.gold_windows import EVER, whole, windows

MINUTE = dt.timedelta(minutes=1)


@given(st.lists(st.integers(0, 10_000)))
def test_ranges_cover_exactly_the_windows_of_their_times(times: list[int]) -> None:
    joined = windows(times, MINUTE)
    assert [s for a, b in joined for s in range(a, b, 60)] == sorted({t // 60 * 60 for t in times})
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(joined))


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 200))))
def test_widened_ranges_hold_every_moment_once(spans: list[tuple[int, int]]) -> None:
    moments = {m // 60 for start, length in spans for m in range(start, start + length)}
    joined = whole([(start, start + length) for start, length in spans], MINUTE)
    assert [m // 60 for a, b in joined for m in range(a, b, 60)] == sorted(moments)


def test_a_range_that_goes_on_takes_in_what_follows() -> None:
    assert whole([(3600, EVER), (90, 100), (7200, 7300)], MINUTE) == [(60, 120), (3600, EVER)]
