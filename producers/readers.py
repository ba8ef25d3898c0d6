"""Rows of files, one at a time: CSV, JSON lines, Parquet. A row that cannot be parsed is a row too, with its reason.

A file that cannot be read is a Problem when it is opened, before any row.
"""

from __future__ import annotations

import csv
import pathlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from riverhouse.local.problem import Problem

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
LOOK_AHEAD = 1000  # rows of JSON lines whose keys count as the file's columns
PARQUET_ROWS = 2000  # rows read at once


@dataclass
class Row:
    """A row: its first line in the file (row number in Parquet), its cells, or the raw line and why it has none."""

    line: int
    cells: dict[str, Any] = field(default_factory=dict)
    raw: bytes = b""
    problem: str = ""


@dataclass
class Table:
    """An open file. `done` and `total` are in bytes, or rows in Parquet, and grow while `rows` is read."""

    path: pathlib.Path
    columns: list[str]  # nested ones of JSON and Parquet by their top names
    total: int
    rows: Iterator[Row]
    done: int = 0


def open_table(
    path: pathlib.Path, kind: str | None, delimiter: str | None = None, encoding: str = "utf-8-sig"
) -> Table:
    """Open a file as `kind` (csv, jsonl, parquet), by default as its suffix says."""
    kind = kind or SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise Problem(
            f"{path.name}: what format is it?", f"its suffix is {path.suffix!r}", "say --format csv, jsonl or parquet"
        )
    try:
        if path.stat().st_size == 0:
            raise Problem(f"{path} is empty", hint="give a file with at least one row")
        if kind == "parquet":
            return _parquet(path)
        if kind == "jsonl":
            return _jsonl(path)
        return _csv(path, delimiter or ("\t" if path.suffix.lower() == ".tsv" else ","), encoding)
    except (OSError, pa.ArrowException, UnicodeError, LookupError) as e:
        raise Problem(f"{path} cannot be read", str(e), "check the path, --format, and the mapping's encoding") from e


class _Lines:
    """The lines of a file as text, those of the present row kept, with a way to take them back."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        self._encoding = encoding
        self._again: deque[str] = deque()
        self.row: list[str] = []
        self.number = 0  # of the last line given
        self.done = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self.number += 1
        self.row.append(line)
        return line

    def _read(self) -> str:
        raw = self._file.readline()
        if not raw:
            raise StopIteration
        self.done += len(raw)
        return raw.decode(
            self._encoding if self.number == 0 else self._encoding.removesuffix("-sig"), "surrogateescape"
        )

    def keep_first(self) -> str:
        """Take back all lines of the row but the first, which is returned."""
        first, rest = self.row[0], self.row[1:]
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
        return first


def _csv(path: pathlib.Path, delimiter: str, encoding: str) -> Table:
    lines = _Lines(path.open("rb"), encoding)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        columns = [name.strip() for name in next(reader)]
    except csv.Error as e:
        raise Problem(f"{path} has no readable header", str(e), "check the mapping's delimiter") from e
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise Problem(f"{path} has columns of the same name", ", ".join(sorted(twice)), "rename them in the header")
    table = Table(path, columns, path.stat().st_size, iter(()))
    table.rows = _csv_rows(reader, lines, table)
    return table


def _csv_rows(reader: Iterator[list[str]], lines: _Lines, table: Table) -> Iterator[Row]:
    while True:
        lines.row, start = [], lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as e:  # a quote left open swallows what follows: give up its first line only
            yield Row(start, raw=_bytes(lines.keep_first().rstrip("\r\n")), problem=f"not CSV: {e}")
            continue
        table.done = lines.done
        if cells:
            yield _csv_row(start, cells, lines, table.columns)


def _csv_row(start: int, cells: list[str], lines: _Lines, columns: list[str]) -> Row:
    raw = "".join(lines.row)
    if not raw.isascii() and any("\udc80" <= c <= "\udcff" for c in raw):
        return Row(start, raw=_bytes(raw.rstrip("\r\n")), problem="not in the file's encoding")
    if len(cells) != len(columns):
        return Row(start, raw=_bytes(raw.rstrip("\r\n")), problem=f"{len(cells)} cells, the header has {len(columns)}")
    return Row(start, dict(zip(columns, cells, strict=True)))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _jsonl(path: pathlib.Path) -> Table:
    """Columns are the keys seen in the first rows; the file must be an object a line, at least one of them."""
    seen: dict[str, None] = {}
    table = Table(path, [], path.stat().st_size, iter(()))
    rows = _jsonl_rows(path, table)
    for _, row in zip(range(LOOK_AHEAD), rows, strict=False):
        seen.update(dict.fromkeys(row.cells))
    rows.close()
    if not seen:
        raise Problem(
            f"{path} is not JSON lines", f"no object in its first {LOOK_AHEAD} lines", "one JSON object a line"
        )
    fresh = Table(path, list(seen), table.total, iter(()))
    fresh.rows = _jsonl_rows(path, fresh)
    return fresh


def _jsonl_rows(path: pathlib.Path, table: Table) -> Any:
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            table.done += len(raw)
            line = raw.strip()
            if not line:
                continue
            try:
                yield Row(number, msgspec.json.decode(line, type=dict[str, Any]), line)
            except (msgspec.DecodeError, UnicodeDecodeError) as e:
                yield Row(number, raw=line, problem=f"not a JSON object: {e}")


def _parquet(path: pathlib.Path) -> Table:
    file = pq.ParquetFile(path)
    table = Table(path, file.schema_arrow.names, file.metadata.num_rows, iter(()))
    table.rows = _parquet_rows(file, table)
    return table


def _parquet_rows(file: Any, table: Table) -> Iterator[Row]:
    try:
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            for cells in batch.to_pylist():
                table.done += 1
                yield Row(table.done, cells)
    except (OSError, pa.ArrowException) as e:
        what = f"{table.path} cannot be read after row {table.done}; the rows before it were sent"
        raise Problem(
            what, str(e), "the file is damaged: replay an intact copy; its repeats are found as duplicates"
        ) from e
