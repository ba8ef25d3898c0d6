"""Fences, as a pure function."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakehouse_jobs import fences

LOGS = st.sampled_from(["a/0", "a/1", "b/0"])
POSITIONS = st.integers(min_value=0, max_value=30)


def naive(fence: dict[str, int], rows: list[tuple[str, int]]) -> tuple[list[bool], dict[str, int]]:
    """One row at a time."""
    after, keep = dict(fence), []
    for log, position in rows:
        keep.append(position > after.get(log, -1))
        after[log] = max(position, after.get(log, -1))
    return keep, after


@given(st.dictionaries(LOGS, POSITIONS), st.lists(st.tuples(LOGS, POSITIONS)))
def test_it_is_the_loop_it_stands_for(fence: dict[str, int], rows: list[tuple[str, int]]) -> None:
    keep, after = fences.advance(fence, [log for log, _ in rows], [position for _, position in rows])
    assert (keep.tolist(), after) == naive(fence, rows)


@given(st.lists(st.tuples(LOGS, st.integers(0, 3))), st.lists(st.integers(0, 40), min_size=1))
def test_any_replay_in_any_batches_keeps_each_position_once(steps: list[tuple[str, int]], restarts: list[int]) -> None:
    log: list[tuple[str, int]] = []
    at: dict[str, int] = {}
    for name, step in steps:  # each log's positions grow, with gaps
        at[name] = at.get(name, -1) + 1 + step
        log.append((name, at[name]))
    fence: fences.Fence = {}
    kept: list[tuple[str, int]] = []
    for start in [0, *sorted(restarts), 0]:  # a reader that is set back again and again
        rows = log[start:]
        keep, fence = fences.advance(fence, [r[0] for r in rows], [r[1] for r in rows])
        kept += [r for r, k in zip(rows, keep.tolist(), strict=True) if k]
    assert sorted(kept) == sorted(log)


def test_an_empty_batch_moves_nothing() -> None:
    keep, after = fences.advance({"a/0": 3}, [], [])
    assert keep.tolist() == []
    assert after == {"a/0": 3}


@given(st.dictionaries(LOGS, POSITIONS))
def test_a_fence_survives_the_summary(fence: dict[str, int]) -> None:
    assert fences.load(fences.dump(fence)) == fence
