"""However many sinks take the same logs, crash, begin anew and race with compaction: each record is in the lake once."""

from __future__ import annotations

import pathlib

import pytest

from lakehouse_jobs import fences
from tests.sim import sinks


@pytest.mark.parametrize("seed", range(8))
def test_each_record_is_in_the_lake_once(seed: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = sinks.Lake(tmp_path, monkeypatch)
    written, happened = sinks.run(lake, seed, writers=1 + seed % 3)
    for table, logs in written.items():
        assert lake.rows(table) == sinks.wanted(logs), happened
        assert sinks.fence_of(table) == {log: max(records) for log, records in logs.items() if records}


def test_without_the_fence_a_crash_doubles_rows(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: writers that do not know how far the table has come."""
    monkeypatch.setattr(fences, "read", lambda _: {})
    lake = sinks.Lake(tmp_path, monkeypatch)
    written, _ = sinks.run(lake, 1)
    assert any(lake.rows(table) != sinks.wanted(logs) for table, logs in written.items())
