from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.history import IN_MEMORY_BYTES, SPAN_MS, History

EVENTS = st.lists(st.tuples(st.integers(0, 4 * SPAN_MS), st.sets(st.sampled_from("abc"))), max_size=30)


@given(EVENTS, st.data())
def test_finding_is_filtering_in_log_order(events: list[tuple[int, set[str]]], data: st.DataObject) -> None:
    history, values = History(), {}
    for offset, (ms, keys) in enumerate(events):
        values[offset] = b"first %d" % offset
        history.put(offset, ms, values[offset], keys)
    for offset in data.draw(st.lists(st.sampled_from(range(len(events))))) if events else ():
        values[offset] = b"%s, again" % values[offset]
        history.put(offset, events[offset][0], values[offset], events[offset][1])
    low, high = sorted(data.draw(st.tuples(st.integers(0, 4 * SPAN_MS), st.integers(0, 4 * SPAN_MS))))
    want = [(o, values[o]) for o, (ms, keys) in enumerate(events) if "a" in keys and low <= ms < high]
    assert history.find("a", low, high) == want
    assert len(history) == len(events)
    assert all(history.get(o, ms) == values[o] for o, (ms, _) in enumerate(events))


def test_what_is_too_large_for_memory_is_read_back_from_its_file() -> None:
    history, value = History(), b"x" * (IN_MEMORY_BYTES // 3)
    for offset in range(9):
        history.put(offset, 0, b"%d" % offset + value, ["k"])
    assert [v[:1] for _, v in history.find("k", 0, 1)] == [b"%d" % o for o in range(9)]


def test_whole_spans_are_forgotten() -> None:
    history = History()
    history.put(0, 0, b"old", ["k"])
    history.put(1, SPAN_MS, b"new", ["k"])
    history.expire(SPAN_MS)
    assert history.find("k", 0, 9 * SPAN_MS) == [(1, b"new")]
    assert history.get(0, 0) is None
