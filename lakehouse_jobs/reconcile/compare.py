"""Two relations held against each other: how many rows were compared, and which differ, in what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import duckdb

SHOWN_MAX = 20  # differences that are named; the others are counted


class Difference(NamedTuple):
    """One figure of one row that is not what it must be. `figure` is empty where the row itself is missing or too much."""

    key: str
    figure: str
    expected: str
    found: str

    def __str__(self) -> str:
        what = f"{self.key}: " + (f"{self.figure} " if self.figure else "")
        return f"{what}expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Result:
    """What a check of one subject (a topic, a table) found.

    `compared` rows, of which `different` are not as they must be; of these `missing` are not there, `surplus` must not be.
    `as_of`: the raw offsets that the comparison is true for. `note` says where nothing could be compared, and why.
    """

    check: str
    subject: str
    compared: int = 0
    different: int = 0
    missing: int = 0
    surplus: int = 0
    first: tuple[Difference, ...] = ()
    as_of: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Question:
    """What is held against what: queries that give the columns `key` and `figures`, a row for each key.

    `excused` is a condition on `e`, the expected row, under which it may be missing.
    """

    check: str
    subject: str
    expected: str
    found: str
    key: Sequence[str]
    figures: Sequence[str]
    as_of: Mapping[str, int]
    excused: str = "false"


def compare(db: duckdb.DuckDBPyConnection, q: Question) -> Result:
    """Every row of both sides, each figure; equal means equal."""
    db.execute(f"create or replace temp table expected as {q.expected}")
    db.execute(f"create or replace temp table found as {q.found}")
    sides = [f"{side}.{figure} as {side}_{figure}" for figure in q.figures for side in ("e", "f")]
    missing = f"f.here is null and not coalesce({q.excused}, false)"
    differ = [f"e.here and f.here and e.{f} is distinct from f.{f}" for f in q.figures]
    db.execute(f"""
        create or replace temp table sides as
        select {", ".join([*q.key, *sides])}, {missing} as missing, e.here is null as surplus,
               {" or ".join(["false", *differ])} as other
        from (select *, true as here from expected) e full join (select *, true as here from found) f using ({", ".join(q.key)})
    """)
    counts = "count(*) filter (missing or surplus or coalesce(other, false)), count(*) filter (missing), count(*) filter (surplus)"
    compared, different, missing_rows, surplus = (
        db.execute(f"select count(*), {counts} from sides").fetchone() or (0,) * 4
    )
    first = tuple(_first(db, q))
    return Result(q.check, q.subject, compared, different, missing_rows, surplus, first, q.as_of)


def _first(db: duckdb.DuckDBPyConnection, q: Question) -> list[Difference]:
    order = ", ".join(q.key)
    cursor = db.execute(f"select * from sides where missing or surplus or other order by {order} limit {SHOWN_MAX}")
    names = [d[0] for d in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [d for row in rows for d in _differences(q, row)][:SHOWN_MAX]


def _differences(q: Question, row: dict[str, Any]) -> list[Difference]:
    key = ", ".join(f"{name} {_shown(name, row[name])}" for name in q.key)
    expected, found = ({f: row[f"{side}_{f}"] for f in q.figures} for side in ("e", "f"))
    if row["missing"]:
        return [Difference(key, "", _told(expected), "no row")]
    if row["surplus"]:
        return [Difference(key, "", "no row", _told(found))]
    return [Difference(key, f, repr(expected[f]), repr(found[f])) for f in q.figures if expected[f] != found[f]]


def _told(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in figures.items()) or "a row"


def _shown(name: str, value: Any) -> str:
    """A key as people read it; `start` is a moment in seconds."""
    if name != "start" or not isinstance(value, int):
        return repr(value)
    return dt.datetime.fromtimestamp(value, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
