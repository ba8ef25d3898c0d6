from __future__ import annotations

import pathlib

from benchmarks.state import measure


def test_it_measures_a_state_that_comes_back_whole(tmp_path: pathlib.Path) -> None:
    found = measure(600, tmp_path)
    assert set(found) >= {"pause, ms", "from the snapshot, s", "from the clean records, s"}
    assert all(figure > 0 for figure in found.values())
