"""A table's row hash: the same rows give the same hash, whatever their order, files, compaction and column order.

Each row becomes text (its columns by name, each with its length, so that no two rows read alike), the text an MD5, and the two
halves of all MD5s are added up, modulo 2^64. Repeated rows count, which an exclusive or would not see. It finds mistakes;
it is no defence against someone who makes rows up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa
from pyiceberg.table import Table

from lakehouse_jobs.tables import KPI_LOG

READ_TIMES: Final = {"bronze": ("ingested_at",)}  # when the sink took a row: reading it again gives another
# Kafka and compaction both fold the log's superseded revisions away, each at its own time; the newest stay.
NEWEST: Final = (
    "select * from rows qualify row_number() over "
    "(partition by kpi, window_start_at, dimensions order by revision desc, kpi_offset desc) = 1"
)


@dataclass(frozen=True)
class Hashed:
    """How many rows were hashed, and their hash: 32 hexadecimal digits."""

    rows: int
    digest: str

    def __str__(self) -> str:
        return f"{self.rows:,} rows {self.digest}"


NOTHING: Final = Hashed(0, 32 * "0")


def of_table(table: Table, without: Collection[str] = ()) -> Hashed:
    """The hash of a lake table's newest snapshot; of the KPI log's newest revisions.

    Left out are the columns `without` and, in bronze, when the sink took a row.
    """
    if table.current_snapshot() is None:
        return NOTHING
    namespace, name = table.name()[-2:]
    skipped = {*without, *READ_TIMES.get(namespace, ())}
    columns = tuple(c for c in table.schema().column_names if c not in skipped)
    reader = table.scan(selected_fields=columns).to_arrow_batch_reader()
    return of_rows(reader, NEWEST if f"{namespace}.{name}" == KPI_LOG.name else "select * from rows")


def of_rows(rows: pa.Table | pa.RecordBatchReader, query: str = "select * from rows") -> Hashed:
    """The hash of Arrow rows, or of what a query makes of them (it calls them `rows`)."""
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("rows", rows)
        text = " || ".join(_text(f) for f in sorted(rows.schema, key=lambda f: f.name))
        halves = ", ".join(f"coalesce(sum(md5_number_{h}(row)::hugeint), 0)" for h in ("upper", "lower"))
        found = connection.execute(f"select count(*), {halves} from (select {text} as row from ({query}))").fetchone()
    count, *sums = found or (0, 0, 0)
    return Hashed(count, "".join(f"{s % 2**64:016x}" for s in sums))


def _text(field: pa.Field) -> str:
    """SQL for one column as text: null, or its length and its characters."""
    column = '"{}"'.format(field.name.replace('"', '""'))
    if pa.types.is_map(field.type):  # a map's entries have no order
        column = f"list_sort(map_entries({column}))"
    if pa.types.is_nested(field.type):
        column = f"to_json({column})"
    return f"coalesce(length({column}::varchar) || ':' || {column}::varchar, 'null')"
