from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal

import pytest

from processors.animeverse import FLOWS, common
from processors.animeverse.common import Newest, quotient
from topics.animeverse import STREAMS


def test_every_stream_has_its_flow() -> None:
    assert {f.stream.prefix for f in FLOWS} == {s.prefix for s in STREAMS}
    told = {(f.stream.prefix, s.prefix) for f in FLOWS for s in f.joined_by}
    assert told == {(r.prefix, s.prefix) for s in STREAMS for r in s.references}
    assert len(told) == 9


@pytest.mark.parametrize(
    ("over", "under", "digits"), [(1, 8, 2), (-1, 8, 2), (2, 3, 4), (-7, 3, 2), (0, 5, 2), (5, 1, 2)]
)
def test_quotients_round_half_away_from_zero(over: int, under: int, digits: int) -> None:
    want = (Decimal(over) / under).quantize(Decimal(10) ** -digits, ROUND_HALF_UP)
    assert quotient(over, under, digits) == float(want)


def test_the_newest_time_is_known_as_of_every_recent_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "REPLAYED", 20)
    rng, newest = random.Random(1), Newest()
    times: list[int] = []
    for offset in range(500):
        times.append(rng.randrange(1, 10_000) + 20 * offset)
        newest.fold(offset, times[-1])
        for back in range(min(offset, 20)):
            assert newest.before(offset - back) == max(times[: offset - back], default=0)
    assert max(times[:440]) <= newest.settled_ms <= max(times[: 499 - 20])
    assert len(newest._times) < 60
