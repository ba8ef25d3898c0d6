"""Folding the KPI log."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_jobs.compaction import newest_revisions
from lakehouse_jobs.schema import arrow
from lakehouse_jobs.tables import KPI_LOG

START = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
ROW = st.tuples(
    st.sampled_from(["a", "b"]), st.integers(0, 2), st.sampled_from(["x", "y", "xy", ""]), st.integers(0, 9)
)


def log(rows: list[tuple[str, int, str, int]]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "kpi": kpi, "window_start_at": START + dt.timedelta(minutes=minute), "window_end_at": START, "dimensions": [("d", value)],
                "measures": [("m", float(revision))], "as_of": [("0", 1)], "revision": revision, "final": False,
                "published_at": START, "kpi_partition": 0, "kpi_offset": offset,
            }
            for offset, (kpi, minute, value, revision) in enumerate(rows)
        ],
        schema=arrow(KPI_LOG.schema),
    )  # fmt: skip


@given(st.lists(ROW))
def test_the_newest_revision_of_each_figure_stays(rows: list[tuple[str, int, str, int]]) -> None:
    newest: dict[tuple[str, int, str], int] = {}
    for *key, revision in rows:
        newest[tuple(key)] = max(revision, newest.get(tuple(key), -1))  # type: ignore[index, arg-type]
    kept = newest_revisions(log(rows)).to_pylist()
    found = {
        (r["kpi"], (r["window_start_at"] - START) // dt.timedelta(minutes=1), r["dimensions"][0][1]): r["revision"]
        for r in kept
    }
    assert found == newest
    assert len(kept) == len(newest)
