from __future__ import annotations

import datetime as dt
import struct

from hypothesis import given
from hypothesis import strategies as st

from processors.seen import HOUR_MS, SeenIds, id_bytes

DAY = dt.timedelta(hours=24)


def name(number: int) -> bytes:
    """16 bytes; some numbers share their upper half, as unlucky UUIDs would."""
    return struct.pack(">QQ", number // 3, number)


def first(seen: SeenIds, event_id: bytes) -> int | None:
    return seen.first(event_id, seen.look_up([event_id]))


def test_an_id_is_remembered_for_the_horizon_and_forgotten_an_hour_later() -> None:
    seen = SeenIds(DAY)
    seen.advance(HOUR_MS - 1)
    seen.claim(name(1), 7)
    seen.advance(25 * HOUR_MS - 1)
    assert first(seen, name(1)) == 7
    seen.settle()
    assert first(seen, name(1)) == 7
    seen.advance(25 * HOUR_MS)
    assert first(seen, name(1)) is None
    seen.settle()
    assert len(seen) == 0


def test_a_broker_clock_that_goes_back_loses_nothing() -> None:
    seen = SeenIds(DAY)
    seen.advance(10 * HOUR_MS)
    seen.claim(name(1), 1)
    seen.advance(9 * HOUR_MS)
    seen.claim(name(2), 2)
    seen.advance(34 * HOUR_MS)
    assert (first(seen, name(1)), first(seen, name(2))) == (1, 2)
    seen.advance(35 * HOUR_MS)
    assert first(seen, name(2)) is None


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2 * HOUR_MS)), max_size=20), max_size=20),
    st.integers(1, 8),
)
def test_it_answers_as_a_dictionary_would(batches: list[list[tuple[int, int]]], seal_at: int) -> None:
    seen, model, offset, now = SeenIds(dt.timedelta(hours=3), seal_at), dict[bytes, tuple[int, int]](), 0, 0
    for batch in batches:
        sealed = seen.look_up([name(n) for n, _ in batch])
        for number, passed in batch:
            now += passed
            offset += 1
            seen.advance(now)
            hour, claimed = model.get(name(number), (-99, None))
            expected = claimed if hour >= now // HOUR_MS - 3 else None
            assert seen.first(name(number), sealed) == expected
            if expected is None:
                seen.claim(name(number), offset)
                model[name(number)] = now // HOUR_MS, offset
        seen.settle()
    assert len(seen) <= len(model)


def test_ids_become_16_bytes() -> None:
    assert id_bytes("00000000-0000-0000-0000-0000000000ff") == b"\0" * 15 + b"\xff"
    assert len(id_bytes("receipt 17")) == len(id_bytes("abcd")) == 16
