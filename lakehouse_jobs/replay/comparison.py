"""Comparing a side with the live lake, table by table: the row hashes, and where these differ the first rows that do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysFalse, AlwaysTrue, BooleanExpression
from pyiceberg.table import Table

from lakehouse_jobs import row_hash
from lakehouse_jobs.replay.parts import NOTHING, Part
from lakehouse_jobs.row_hash import Hashed

SHOWN = 3  # differing rows of a table
VALUE_MAX = 60  # characters of a value


@dataclass(frozen=True)
class Result:
    """What was found of one table; `live` and `side` are None where it was not compared, and `note` says why."""

    table: str
    live: Hashed | None = None
    side: Hashed | None = None
    note: str = ""
    examples: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows were compared, of both."""
        return sum(h.rows for h in (self.live, self.side) if h is not None)

    @property
    def differs(self) -> bool:
        return self.live != self.side


def compare(
    parts: Iterable[Part], live: Mapping[str, Table], side: Mapping[str, Table], tell: Callable[[str], object]
) -> list[Result]:
    """A result for each part, in their order."""
    results = []
    for part in parts:
        tell(part.table)
        results.append(Result(part.table, note=part.note) if part.note else _compare(part, live, side))
    return results


def _compare(part: Part, live: Mapping[str, Table], side: Mapping[str, Table]) -> Result:
    excluded = _excluded(part, live)
    ours, theirs = (live[part.table], part.live, part.of_live), (side[part.table], "", part.of_side)
    one, other = (_hashed(*x, excluded) for x in (ours, theirs))
    examples = list(_differences(part.key, ours, theirs, excluded)) if one != other else []
    note = f"{excluded.num_rows:,} left out: {part.excluded_why}" if excluded is not None and excluded.num_rows else ""
    return Result(part.table, one, other, note, examples)


Rows = tuple[Table, str, str]  # a table, the filter of its rows, the query over them


def _excluded(part: Part, live: Mapping[str, Table]) -> pa.Table | None:
    if not part.excluded_query:
        return None
    with _answer(live[part.excluded_from], part.excluded_where, part.excluded_query, None) as reader:
        return reader.read_all()


def _hashed(table: Table, where: str, query: str, excluded: pa.Table | None) -> Hashed:
    with _answer(table, where, query, excluded) as reader:
        return row_hash.of_rows(reader)


@contextlib.contextmanager
def _answer(table: Table, where: str, query: str, excluded: pa.Table | None) -> Iterator[pa.RecordBatchReader]:
    with _rows(table, where, excluded) as connection:
        yield connection.sql(query).to_arrow_reader(20_000)


@contextlib.contextmanager
def _rows(table: Table, where: str, excluded: pa.Table | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that knows the table's filtered rows as `rows`, and `excluded`."""
    wanted: str | BooleanExpression = AlwaysFalse() if where == NOTHING else where or AlwaysTrue()
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("rows", table.scan(row_filter=wanted).to_arrow_batch_reader())
        if excluded is not None:
            connection.register("excluded", excluded)
        yield connection


def _differences(key: tuple[str, ...], live: Rows, side: Rows, excluded: pa.Table | None) -> Iterator[str]:
    """The first rows that differ, a line each: where, and which columns say what."""
    with contextlib.closing(duckdb.connect()) as connection:
        for name, rows in (("live", live), ("side", side)):
            with _answer(*rows, excluded) as reader:
                connection.register("answer", reader)
                place = ", ".join(f'"{k}"::varchar' for k in key)
                connection.execute(
                    f"create table {name} as select concat_ws(' ', {place}) as place, to_json(a)::varchar as row from answer a"
                )
        found = connection.execute(DIFFERENCES).fetchall()
    for place, ours, theirs in found:
        yield f"{place}: {_told(ours and json.loads(ours), theirs and json.loads(theirs))}"


DIFFERENCES = f"""
with l as (from live except all from side), s as (from side except all from live)
select coalesce(l.place, s.place) as place, l.row, s.row from l full join s using (place) order by 1, 2, 3 limit {SHOWN}"""


def _told(live: dict[str, Any] | None, side: dict[str, Any] | None) -> str:
    if live is None or side is None:
        return "only " + ("on the side" if live is None else "in the live lake")
    return ", ".join(f"{c} {_short(live[c])} → {_short(side[c])}" for c in live if live[c] != side[c])


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= VALUE_MAX else text[:VALUE_MAX] + "…"
