"""The sink's benchmark in small: every contestant fills its table, and all tables hold the same rows."""

from __future__ import annotations

from benchmarks.sink import CONTESTANTS, compare


def test_all_write_the_same_rows() -> None:
    records, measured = compare(3000, repeats=1)
    assert 2500 < records <= 3000
    assert {name: [run.events for run in found] for name, found in measured.items()} == {
        name: [records] for name in CONTESTANTS
    }
