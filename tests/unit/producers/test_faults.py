"""Faults: the fractions asked for, seeded, and nothing lost."""

import collections

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.faults import NONE, Faults, Knobs
from producers.tweets import World
from producers.worlds import Source
from topics.tweets import Tweet

START = 1_767_225_600.0
WORLD = World(7, users=500)
N = 20_000


def run(knobs: Knobs, n: int = N, size: int = 1000, rate: float = 1000.0) -> list[tuple[str, bytes, bytes]]:
    source = Source(WORLD, Faults(knobs, 7))
    out: list[tuple[str, bytes, bytes]] = []
    for first in range(0, n, size):
        out += source.block(START + np.arange(first, min(n, first + size)) / rate)
    return out + source.rest()


def only(**knobs: float) -> Knobs:
    return Knobs(**{**msgspec.to_builtins(NONE), **knobs})


def created(value: bytes) -> float:
    return msgspec.json.decode(value, type=Tweet).created_at.timestamp()


def test_without_faults_the_stream_is_the_worlds() -> None:
    source = Source(WORLD, Faults(NONE, 7))
    at = START + np.arange(100) / 10
    assert source.block(at) == WORLD.events(0, at)
    assert source.rest() == []


def test_the_same_seed_makes_the_same_faults() -> None:
    assert run(Knobs(), 5000) == run(Knobs(), 5000)


def test_duplicates_are_the_same_bytes_a_little_later() -> None:
    out = run(only(duplicates=0.05, duplicate_after_s=2.0))
    seen = collections.Counter(out)
    assert len(seen) == N
    assert 0.04 < (len(out) - N) / N < 0.06
    first: dict[tuple[str, bytes, bytes], int] = {}
    gaps = [i - first[event] for i, event in enumerate(out) if first.setdefault(event, i) != i]
    assert min(gaps) > 0
    assert max(gaps) < 2.0 * 1000 * 1.1 + 10


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), st.floats(0, 30), st.integers(30, 500))
def test_duplicates_lose_and_reorder_nothing_else(fraction, after_s, size) -> None:
    out = run(only(duplicates=fraction, duplicate_after_s=after_s), n=600, size=size)
    originals = list(dict.fromkeys(out))
    assert originals == list(dict.fromkeys(run(NONE, n=600, size=size)))


@pytest.mark.parametrize(
    ("knobs", "least", "most"),
    [
        (only(out_of_order=0.1, out_of_order_s=10.0), -10.0, 0.0),
        (only(late=0.1, late_hours=2.0), -7200.0, 0.0),
        (only(skew=0.1, skew_s=120.0), 119.9, 120.0),
        (only(very_late=0.1, very_late_hours=72.0), -72 * 3600, -2 * 3600),
    ],
)
def test_times_move_as_far_and_as_often_as_asked(knobs, least, most) -> None:
    moved = np.array([created(value) for _, _, value in run(knobs)]) - (START + np.arange(N) / 1000)
    off = moved[np.abs(moved) > 0.01]
    assert 0.09 < len(off) / N < 0.11
    assert least - 0.01 <= off.min() <= off.max() <= most + 0.01


def test_corrupt_events_do_not_decode_in_several_ways() -> None:
    bad: collections.Counter[str] = collections.Counter()
    for _, _, value in run(only(corrupt=0.05)):
        try:
            msgspec.json.decode(value, type=Tweet)
        except UnicodeDecodeError:
            bad["utf-8"] += 1
        except msgspec.ValidationError as e:
            bad["missing" if "missing" in str(e) else "type"] += 1
        except msgspec.DecodeError as e:
            bad["utf-8" if "utf-8" in str(e).lower() else "json"] += 1
    assert 0.04 < bad.total() / N < 0.06
    assert set(bad) >= {"missing", "type", "json"}


def test_drifted_events_are_whole_but_for_one_more_field() -> None:
    known = set(Tweet.__struct_fields__)
    extra = [set(msgspec.json.decode(value)) - known for _, _, value in run(only(drift=0.05))]
    assert 0.04 < sum(map(bool, extra)) / N < 0.06
    assert max(map(len, extra)) == 1


@pytest.mark.parametrize("knobs", [{"late": 0.6, "skew": 0.6}, {"corrupt": 0.9, "drift": 0.2}])
def test_more_faults_than_events_are_refused(knobs) -> None:
    with pytest.raises(ValueError, match="add up"):
        Knobs(**knobs)
