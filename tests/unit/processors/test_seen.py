from __future__ import annotations

import datetime as dt

from processors.seen import HOUR_MS, SeenIds

DAY = dt.timedelta(hours=24)


def test_an_id_is_remembered_for_the_horizon_and_forgotten_an_hour_later() -> None:
    seen = SeenIds(DAY)
    seen.claim(b"a", 7, HOUR_MS - 1)
    seen.advance(24 * HOUR_MS)
    assert seen.offsets == {b"a": 7}
    seen.advance(25 * HOUR_MS)
    assert len(seen) == 0


def test_an_id_can_be_claimed_again_after_it_was_forgotten() -> None:
    seen = SeenIds(DAY)
    seen.claim(b"a", 7, 0)
    seen.claim(b"a", 9, 30 * HOUR_MS)
    seen.advance(31 * HOUR_MS)
    assert seen.offsets == {b"a": 9}


def test_a_broker_clock_that_goes_back_loses_nothing() -> None:
    seen = SeenIds(DAY)
    seen.claim(b"a", 1, 10 * HOUR_MS)
    seen.claim(b"b", 2, 9 * HOUR_MS)
    seen.advance(34 * HOUR_MS)
    assert len(seen) == 2
    seen.advance(35 * HOUR_MS)
    assert len(seen) == 0
