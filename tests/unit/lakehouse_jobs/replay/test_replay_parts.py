"""What is compared: which rows of a table, with which columns, and what is left out on both sides."""

from __future__ import annotations

import contextlib
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from lakehouse_jobs.replay import copying, report, span
from lakehouse_jobs.replay.comparison import Result
from lakehouse_jobs.replay.parts import Part, of_log
from lakehouse_jobs.replay.record import Raw
from lakehouse_jobs.replay.span import Span
from lakehouse_jobs.row_hash import Hashed
from topics.animeverse.pos import POS
from topics.animeverse.stock import STOCK
from topics.tweets import TWEETS

RAW = TWEETS.raw.name
WHOLE = Span({(RAW, 0): 0, (RAW, 1): 0}, {(RAW, 0): 10, (RAW, 1): 4})
LATE = Span({(RAW, 0): 3, (RAW, 1): 0}, {(RAW, 0): 10, (RAW, 1): 4})


def part(table: str, of: Span, streams: Any = (TWEETS,), *, verbatim: bool = True) -> Part:
    return next(p for p in of_log(streams, of, verbatim=verbatim) if p.table == table)


def answer(query: str, rows: list[dict[str, Any]], excluded: pa.Table | None = None) -> list[tuple[Any, ...]]:
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("rows", pa.Table.from_pylist(rows))
        if excluded is not None:
            connection.register("excluded", excluded)
        return connection.execute(query).fetchall()


def test_live_rows_end_where_the_copy_ends() -> None:
    found = part("silver.tweets", WHOLE).live
    assert (
        found
        == "(raw_partition = 0 and raw_offset >= 0 and raw_offset < 10) or (raw_partition = 1 and raw_offset >= 0 and raw_offset < 4)"
    )
    raw = POS.raw.name
    pos = Span({(raw, 0): 0, (raw, 1): 0}, {(raw, 0): 7, (raw, 1): 0})
    assert (
        part("silver.animeverse_pos", pos, (POS,)).live
        == "(raw_partition = 0 and raw_offset >= 0 and cause_offset < 7)"
    )


def test_nothing_is_taken_where_nothing_was_copied() -> None:
    empty = Span({(RAW, 0): 0}, {(RAW, 0): 0})
    assert part("silver.tweets", empty).live == "false"


def test_positions_of_a_side_that_begins_late_are_those_of_the_log() -> None:
    rows = [{"partition": 0, "offset": 5, **dict.fromkeys(("key", "value", "headers", "appended_at"))}]
    rows += [rows[0] | {"partition": 1, "offset": 2}]
    bronze = part("bronze.tweets", LATE)
    assert sorted(r[:2] for r in answer(bronze.of_live, rows)) == [(0, 2), (1, 2)]
    assert sorted(r[:2] for r in answer(bronze.of_side, rows)) == [(0, 5), (1, 2)]


def test_over_other_partitions_only_the_row_in_force_counts() -> None:
    columns = {"raw_partition", "raw_offset", "cause_offset", "cause_ordinal", "revision", "late_by_seconds"}
    query = part(
        "silver.animeverse_pos", Span({(POS.raw.name, 0): 0}, {(POS.raw.name, 0): 9}), (POS,), verbatim=False
    ).of_live
    names = list(POS.clean_event.__struct_fields__)
    first = dict.fromkeys(names, "old") | {"raw_partition": 0, "raw_offset": 1, "cause_offset": 1, "cause_ordinal": 0}
    rows = [
        first,
        first | {"cause_offset": 5, "event_id": "mid"},
        first | {"cause_offset": 5, "cause_ordinal": 1, "event_id": "new"},
    ]
    (found,) = answer(query, rows)
    assert len(found) == len(set(names) - columns)
    assert "new" in found
    assert "mid" not in found


def test_refused_versions_are_not_compared_over_other_partitions() -> None:
    query = part("silver.quarantine", WHOLE, verbatim=False).of_side
    names = {
        "stream": "tweets",
        "ingested_at": 1,
        "reason": "r",
        "detail": "d",
        "key": b"k",
        "raw_partition": 0,
        "raw_offset": 0,
    }
    headers = {"told": [("reference", b"x")], "plain": [("schema_id", b"7")], "bare": []}
    rows = [names | {"value": name, "headers": found} for name, found in headers.items()]
    schema = pa.schema(
        [*pa.Table.from_pylist([names | {"value": ""}]).schema, ("headers", pa.map_(pa.string(), pa.binary()))]
    )
    with contextlib.closing(duckdb.connect()) as connection:
        connection.register("rows", pa.Table.from_pylist(rows, schema))
        found = connection.sql(f"select value from ({query}) order by 1").fetchall()
    assert found == [("bare",), ("plain",)]


def test_cells_that_changed_beyond_the_copy_are_left_out() -> None:
    log = part("gold.kpi_log", WHOLE)
    kpi = TWEETS.kpis[0].topic
    row = {"kpi": kpi, "window_start_at": 1, "measures": 1, "revision": 1, "kpi_offset": 1}
    rows = [
        row | {"dimensions": "DEU", "as_of": {"0": 9, "1": 3}},
        row | {"dimensions": "JPN", "as_of": {"0": 9, "1": 3}},
        row | {"dimensions": "JPN", "as_of": {"0": 10, "1": 3}, "revision": 2},
    ]
    table = pa.Table.from_pylist([r | {"as_of": list(r["as_of"].items())} for r in rows], schema=KPI_ROWS)
    with contextlib.closing(duckdb.connect()) as connection:
        connection.register("rows", table)
        excluded = connection.sql(log.excluded_query).to_arrow_table()
        assert excluded.to_pylist() == [{"kpi": kpi, "window_start_at": 1, "cell": "JPN"}]
        connection.register("excluded", excluded)
        assert connection.execute(log.of_side).fetchall() == [(kpi, 1, "DEU", 1)]


KPI_ROWS = pa.schema({
    "kpi": pa.string(), "window_start_at": pa.int64(), "measures": pa.int64(), "revision": pa.int64(), "kpi_offset": pa.int64(),
    "dimensions": pa.string(), "as_of": pa.map_(pa.string(), pa.int64()),
})  # fmt: skip


def test_what_depends_on_the_past_is_not_judged_by_a_replay_that_begins_late() -> None:
    raw = STOCK.raw.name
    late = Span({(raw, 0): 3}, {(raw, 0): 10})
    assert part("silver.animeverse_stock", late, (STOCK,)).note
    assert not part("bronze.animeverse_stock", late, (STOCK,)).note
    assert part("gold.kpi_log", LATE).note


def test_a_partitions_order_survives_a_clock_that_steps_back() -> None:
    log = [Raw(0, n, at, None, None, []) for n, at in enumerate((10, 30, 20, 40))]
    assert [t for t, _ in copying._timed(iter(log))] == [10, 30, 30, 40]


@pytest.mark.parametrize(
    ("text", "is_offsets"),
    [("0:1", True), ("a.b.raw/0:1,c.raw/1:5", True), ("2026-11-21T14:05:00", False), ("2026-11-21 14:05", False)],
)
def test_offsets_and_moments_are_told_apart(text: str, is_offsets: bool) -> None:
    assert bool(span.OFFSETS.fullmatch(text)) == is_offsets


def test_an_empty_comparison_is_no_agreement() -> None:
    none, some, other = Hashed(0, "0"), Hashed(1, "a"), Hashed(1, "b")
    assert not report.agrees([])
    assert not report.agrees([Result("t", none, none)])
    assert not report.agrees([Result("t", note="why")])
    assert not report.agrees([Result("t", none, none, "5 left out: why")])
    assert report.agrees([Result("t", some, some), Result("u", note="why")])
    assert not report.agrees([Result("t", some, some), Result("u", some, other)])
