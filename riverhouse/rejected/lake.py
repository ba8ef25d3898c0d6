"""What the lake knows of dead letters, asked through Trino; fences tell how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import trino
from pyiceberg.exceptions import NoSuchTableError
from sqlalchemy.exc import SQLAlchemyError

from lakehouse_jobs import dead_letters, fences, trino_client
from lakehouse_jobs import lake as tables
from riverhouse.local.problem import Problem
from riverhouse.rejected.letters import Letter, Retry
from riverhouse.rejected.literals import instant
from riverhouse.rejected.selection import Selection
from topics.contract import Rejected, Stream
from topics.retries import RETRY_OF, Position, parse

PAGE = 5000  # letters read at once
AT_ONCE = 500  # positions named in one query
LETTER = "stream, raw_partition, raw_offset, ingested_at, reason, detail, key, value, headers"
PLACE = "(ingested_at, stream, raw_partition, raw_offset)"
Original = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]  # key, value, headers


def query(sql: str) -> list[list[Any]]:
    """The rows of a query. Problem where Trino is away or the tables are."""
    try:
        return trino_client.query(sql, "silver")
    except trino.exceptions.TrinoUserError as e:
        raise Problem("the lake cannot be asked", str(e.message), "start the stack: `riverhouse up`") from e
    except (trino.exceptions.Error, OSError) as e:
        raise Problem("Trino did not answer", str(e), "is it up? `riverhouse status`") from e


def fence(table: str) -> fences.Fence:
    """How far a table has read each log. Problem where the catalogue or the table is not there."""
    try:
        return fences.read(tables.catalog().load_table(table))
    except (NoSuchTableError, SQLAlchemyError) as e:
        raise Problem(f"the table {table} cannot be read", str(e), "start the stack: `riverhouse up`") from e


def counts(selection: Selection, without: str) -> list[tuple[str, str, int]]:
    """(stream, reason, how many letters); `without` is a condition of rows that are left out."""
    wanted = f"{dead_letters.ORIGINAL} and {selection.condition()} and not ({without})"
    rows = query(f"select stream, reason, count(*) from quarantine where {wanted} group by 1, 2")
    return [(stream, reason, count) for stream, reason, count in rows]


def newest(selection: Selection, limit: int) -> list[Letter]:
    """The letters that arrived last, the newest first."""
    backwards = "ingested_at desc, stream desc, raw_partition desc, raw_offset desc"
    return _letters(selection.condition(), f"{backwards} limit {limit}")


def oldest_first(selection: Selection) -> Iterator[Letter]:
    """All letters in the order of their arrival, a page in memory at a time."""
    after = "true"
    while True:
        page = _letters(f"{selection.condition()} and {after}", f"{PLACE[1:-1]} limit {PAGE}")
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]
        p = last.position
        after = f"{PLACE} > ({instant(last.ingested_at)}, '{p.stream}', {p.partition}, {p.offset})"


def at(positions: Iterable[Position]) -> list[Letter]:
    """The letters at these positions; those that are none are left out."""
    return [
        letter
        for stream, some in _chunks(positions)
        for letter in _letters(f"stream = '{stream}' and {_among(some, 'raw_partition', 'raw_offset')}", "1, 2, 3")
    ]


def _letters(condition: str, order: str) -> list[Letter]:
    rows = query(f"select {LETTER} from quarantine where {dead_letters.ORIGINAL} and {condition} order by {order}")
    return [Letter(Position(*row[:3]), *row[3:]) for row in rows]


def letter(stream: Stream, rejected: Rejected) -> Letter | None:
    """The letter in a record of a rejected topic; None where it is a retry."""
    if RETRY_OF in rejected.headers:
        return None
    r = rejected
    position = Position(stream.prefix, r.raw_partition, r.raw_offset)
    return Letter(position, r.ingested_at, r.reason, r.detail, r.key, r.value, r.headers)


def retries(stream: Stream) -> dict[Position, tuple[Retry, bool]]:
    """The stream's retries that are in the lake, and of each whether it tells of a version of reference data."""
    columns = "raw_partition, raw_offset, retry_of, sent_at, digest, fixed_by, fate, reason, detail, tells"
    found: dict[Position, tuple[Retry, bool]] = {}
    for partition, offset, of, *fields, tells in query(f"select {columns} from ({dead_letters.retries(stream)})"):
        position = Position(stream.prefix, partition, offset)
        if (original := named(of)) is not None:
            found[position] = Retry(position, original, *fields), tells
    return found


def named(header: str) -> Position | None:
    """The position in a header `retry_of`; None where it is none of ours."""
    try:
        return parse(header)
    except ValueError:
        return None


def originals(letters: Sequence[Letter], stream: Stream) -> dict[Position, Original]:
    """Key, value and headers as they arrived, byte for byte, of those letters that bronze has."""
    found: dict[Position, Original] = {}
    for _, some in _chunks(x.position for x in letters):
        times = [x.ingested_at for x in letters if x.position in some]
        span = f"appended_at between {instant(min(times))} and {instant(max(times))}"
        rows = query(
            f'select "partition", "offset", key, value, headers from bronze.{stream.table} '
            f"where {span} and {_among(some, 'partition', 'offset')}"
        )
        for p, o, key, value, headers in rows:
            found[Position(stream.prefix, p, o)] = key, value, list((headers or {}).items())
    return found


def _chunks(positions: Iterable[Position]) -> Iterator[tuple[str, set[Position]]]:
    """The positions by stream, AT_ONCE together."""
    by_stream: dict[str, list[Position]] = {}
    for p in positions:
        by_stream.setdefault(p.stream, []).append(p)
    for stream, those in by_stream.items():
        for start in range(0, len(those), AT_ONCE):
            yield stream, set(those[start : start + AT_ONCE])


def _among(positions: Iterable[Position], partition: str, offset: str) -> str:
    pairs = ", ".join(f"({p.partition}, {p.offset})" for p in sorted(positions))
    return f'("{partition}", "{offset}") in ({pairs})'
