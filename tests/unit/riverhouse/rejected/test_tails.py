"""What lies beyond a fence, in logs in which workers have crashed and published again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from riverhouse.rejected.tails import beyond
from tests.unit.riverhouse.rejected.samples import AT
from topics.contract import Duplicate


def log(steps: list[tuple[int, int]]) -> list[int]:
    """Raw offsets as a worker publishes them: some go back (to what was published before), then so many follow."""
    found: list[int] = []
    at = 0
    for back, forward in steps:
        at = max(0, at - back)
        found += [2 * o for o in range(at, at + forward)]  # every second raw record has another fate
        at += forward
    return found


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=6), st.integers(0, 40), st.integers(1, 6))
def test_all_that_is_beyond_the_fence_is_found_once_repeats_are_over(steps, taken, block) -> None:
    offsets = log(steps)
    records = [
        Duplicate(raw_partition=0, raw_offset=o, ingested_at=AT, event_id="e", first_offset=None) for o in offsets
    ]
    kept = max(offsets[:taken], default=-1)
    wanted = {o for o in offsets[taken:] if o > kept}
    found = [r.raw_offset for r in beyond(lambda start, end: records[start:end], 0, len(records), kept, block)]
    assert set(found) <= wanted
    if offsets and offsets[-1] == max(offsets):
        assert set(found) == wanted
