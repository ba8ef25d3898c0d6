"""The search for what follows a fence, on logs with gaps and with stretches that were published again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakehouse_jobs import log_search

Log = list[tuple[int, int]]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Records as (offset, position): positions grow, crashes repeat the last stretch, compaction left gaps of offsets."""
    log: Log = []
    offset = draw(st.integers(0, 5))
    position = done = -1
    for _ in range(draw(st.integers(0, 4))):
        for step in draw(st.lists(st.integers(1, 4), max_size=12)):
            position += step
            log.append((offset, position))
            offset += draw(st.integers(1, 3))
        done = draw(st.integers(done, max(done, position)))  # what had been committed before the crash
        again = sorted({p for _, p in log if p > done})
        for p in again[: draw(st.integers(0, len(again)))]:
            log.append((offset, p))
            offset += 1
        position = log[-1][1] if log else -1
        if again and position < again[-1]:  # the next life publishes the rest of it first
            for p in (p for p in again if p > position):
                log.append((offset, p))
                offset += 1
            position = again[-1]
    return log


def run(log: Log, fence: int) -> tuple[log_search.Search, int]:
    """The search's end, and how many records it looked at."""
    search, looked = log_search.begin(log[0][0] if log else 7, log[-1][0] + 1 if log else 7), 0
    while not search.done:
        search.hear(next((r for r in log if r[0] >= search.asks), None), fence)
        looked += 1
    return search, looked


@given(logs(), st.integers(-1, 60))
def test_nothing_new_lies_before_it_and_everything_new_after_it(log: Log, fence: int) -> None:
    search, looked = run(log, fence)
    new = {p for _, p in log if p > fence}
    assert new == {p for o, p in log if o >= search.offset and p > fence}
    assert search.found == next((p for o, p in log if o >= search.offset), None)
    assert (search.found is None) == (not new)
    assert looked <= 10  # of up to 150 offsets


@given(logs())
def test_the_oldest_record_is_known(log: Log) -> None:
    search, _ = run(log, 10)
    assert search.oldest == (log[0][1] if log else None)


def test_a_long_log_takes_few_looks() -> None:
    search, looked = run([(o, o) for o in range(100_000)], 54_321)
    assert search.offset == 54_322
    assert looked < 20
