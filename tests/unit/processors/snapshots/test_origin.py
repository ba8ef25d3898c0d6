from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.snapshots.files import DamagedError
from processors.snapshots.origin import Origin, Snapshot, from_bytes, layout, to_bytes, why_not
from processors.tweets import FLOW

ORIGIN = Origin("cluster", {"t.raw": "id-1", "t.clean": "id-2"}, 2, 3, "layout")
SNAPSHOT = Snapshot(ORIGIN, "t.raw", 100, {"t.clean": 70, "t.context": 10}, b"state")
BOUNDS = {"t.clean": (0, 90), "t.context": (0, 10)}


def test_a_snapshot_of_the_same_log_may_be_used() -> None:
    assert why_not(SNAPSHOT, ORIGIN, 100, BOUNDS) is None
    assert why_not(SNAPSHOT, ORIGIN, 500, {"t.clean": (70, 70), "t.context": (3, 12)}) is None


@pytest.mark.parametrize(
    ("origin", "committed", "bounds", "why"),
    [
        (replace(ORIGIN, cluster="another"), 100, BOUNDS, "another cluster"),
        (replace(ORIGIN, topics={**ORIGIN.topics, "t.raw": "id-9"}), 100, BOUNDS, "another topics"),
        (replace(ORIGIN, partition=1), 100, BOUNDS, "another partition:"),
        (replace(ORIGIN, partitions=4), 100, BOUNDS, "another partitions"),
        (replace(ORIGIN, layout="changed"), 100, BOUNDS, "another layout"),
        (ORIGIN, 99, BOUNDS, "t.raw is committed up to 99"),
        (ORIGIN, 100, {**BOUNDS, "t.clean": (71, 90)}, "t.clean begins at 71"),
        (ORIGIN, 100, {**BOUNDS, "t.clean": (0, 69)}, "t.clean ends at 69"),
        (ORIGIN, 100, {**BOUNDS, "t.context": (0, 9)}, "t.context ends at 9"),
        (ORIGIN, 100, {**BOUNDS, "t.third": (0, 9)}, "t.third begins at 0"),
    ],
)
def test_one_of_another_log_may_not(
    origin: Origin, committed: int, bounds: dict[str, tuple[int, int]], why: str
) -> None:
    found = why_not(SNAPSHOT, origin, committed, bounds)
    assert found is not None
    assert why in found


@given(st.data())
def test_no_torn_or_flipped_file_is_taken_for_a_snapshot(data: st.DataObject) -> None:
    whole = to_bytes(SNAPSHOT)
    assert from_bytes(whole) == SNAPSHOT
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    for torn in (whole[:at], bytes(flipped)):
        with pytest.raises(DamagedError):
            from_bytes(torn)


def test_the_layout_changes_with_the_contract() -> None:
    assert layout(FLOW) == layout(FLOW)
    changed = dataclasses.replace(FLOW.stream, kpis=FLOW.stream.kpis[1:], rankings=())
    assert layout(dataclasses.replace(FLOW, stream=changed)) != layout(FLOW)
