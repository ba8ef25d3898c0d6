"""The row hash sees every difference of rows and none of their order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_jobs import row_hash

SCHEMA = pa.schema({
    "number": pa.int64(), "text": pa.string(), "bytes": pa.binary(), "ratio": pa.float64(), "at": pa.timestamp("us", "UTC"),
    "tags": pa.list_(pa.string()), "headers": pa.map_(pa.string(), pa.binary()),
})  # fmt: skip
MOMENTS = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
ROWS = st.fixed_dictionaries({
    "number": st.none() | st.integers(-9, 9), "text": st.none() | WORDS, "bytes": st.none() | st.binary(max_size=3),
    "ratio": st.none() | st.sampled_from([0.0, 0.1, 1e300]), "at": st.none() | MOMENTS,
    "tags": st.none() | st.lists(st.none() | WORDS, max_size=3),
    "headers": st.none() | st.dictionaries(WORDS, st.none() | st.binary(max_size=2), max_size=2).map(lambda d: list(d.items())),
})  # fmt: skip
Rows = list[dict[str, Any]]
FEW = settings(max_examples=15, deadline=None)  # each example asks DuckDB, which takes a while to start


def hashed(rows: Rows) -> row_hash.Hashed:
    return row_hash.of_rows(pa.Table.from_pylist(rows, SCHEMA))


def same(one: Rows, other: Rows) -> bool:
    """Whether they are the same rows, each as often: Python's own comparison."""

    def seen(rows: Rows) -> list[str]:
        return sorted(repr({k: sorted(v) if k == "headers" and v else v for k, v in r.items()}) for r in rows)

    return seen(one) == seen(other)


@FEW
@given(st.lists(ROWS, max_size=5), st.randoms(use_true_random=False))
def test_order_of_rows_columns_and_entries_does_not_matter(rows: Rows, chance: Any) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    other = [
        r | {"headers": r["headers"][::-1] if r["headers"] else r["headers"]} for r in chance.sample(rows, len(rows))
    ]
    columns = chance.sample(SCHEMA.names, len(SCHEMA.names))
    assert row_hash.of_rows(pa.Table.from_pylist(other, SCHEMA).select(columns)) == row_hash.of_rows(table)


@FEW
@given(st.lists(ROWS, max_size=4), st.lists(ROWS, max_size=4))
def test_it_is_equal_exactly_where_the_rows_are(one: Rows, other: Rows) -> None:
    assert (hashed(one) == hashed(other)) == same(one, other)


@FEW
@given(ROWS, ROWS, st.sampled_from(SCHEMA.names))
def test_one_changed_value_changes_it(row: dict[str, Any], other: dict[str, Any], column: str) -> None:
    changed = row | {column: other[column]}
    assert (hashed([row]) == hashed([changed])) == same([row], [changed])


def test_what_reads_alike_is_told_apart() -> None:
    blank: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    alike = [
        {"text": None},
        {"text": "null"},
        {"text": ""},
        {"tags": []},
        {"tags": [None]},
        {"tags": ["null"]},
        {"tags": ["a, b"]},
        {"tags": ["a", "b"]},
    ]
    rows = [blank | a for a in alike]
    assert len({hashed([r]) for r in rows}) == len(rows)
    assert hashed([rows[1], rows[1]]) != hashed([rows[2], rows[2]])
    one, other = (pa.table({"a": [a], "b": [b]}) for a, b in (("0", "abcdefgh1z"), ("10abcdefgh", "z")))
    assert row_hash.of_rows(one) != row_hash.of_rows(other)  # alike if lengths ran into the text
    assert hashed([]).rows == 0
