"""The queries of dead letters over tables in DuckDB: each letter is counted once, by the best that became of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest

from lakehouse_jobs import dead_letters, tables
from lakehouse_jobs.schema import arrow
from tests.unit.lakehouse_jobs.samples import START, clean_tweet
from topics.animeverse.pos import POS
from topics.tweets import TWEETS

STREAMS = (TWEETS, POS)
MACROS = "create macro element_at(m, k) as map_extract_value(m, k); create macro from_utf8(b) as decode(b);"
FATES = {
    3: "rejected",
    4: "clean",
    5: "rejected",
    6: "duplicate",
    7: "on its way",
    8: "reference",
    13: "on its way",
}  # of the record at this offset
RETRIES = {
    3: 0,
    4: 0,
    5: 1,
    6: 2,
    7: 9,
    8: 10,
    13: 0,
}  # offset: of the letter at which offset; 11 and 12 are no retries


def rejected(offset: int, day: int = 0) -> dict[str, Any]:
    headers = {"retry_of": f"tweets.raw/0/{RETRIES[offset]}"} if offset in RETRIES else {"trace": "t"}
    return {
        "stream": "tweets", "raw_partition": 0, "raw_offset": offset, "ingested_at": START + dt.timedelta(days=day, hours=5),
        "reason": "odd", "detail": "d", "key": b"k", "value": b"v", "headers": list(headers.items()),
    }  # fmt: skip


def archived(offset: int) -> dict[str, Any]:
    headers = {"retry_of": f"tweets.raw/0/{RETRIES[offset]}".encode()} if offset in RETRIES else {}
    headers |= {"retry_fixed_by": b"fixes.py:trim"} if offset == 4 else {}
    headers |= {"reference": b"x"} if offset == 8 else {}
    row = {"partition": 0, "offset": offset, "key": b"k", "value": b"v", "headers": list(headers.items())}
    return row | {"appended_at": START, "ingested_at": START}


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    duplicate = {"stream": "tweets", "raw_partition": 0, "raw_offset": 6, "ingested_at": START, "event_id": "e"}
    content = [
        (tables.QUARANTINE, [rejected(o, day=int(o == 12)) for o in (0, 1, 2, 9, 10, 11, 12, 3, 5)]),
        (tables.DUPLICATES, [{**duplicate, "first_offset": 4}]),
        (tables.bronze(TWEETS), [archived(o) for o in range(14)]),
        (tables.silver(TWEETS), [msgspec.structs.asdict(clean_tweet(raw_partition=0, raw_offset=4))]),
        (tables.bronze(POS), []),
        (tables.silver(POS), []),
    ]
    with duckdb.connect() as db:
        db.execute(
            f"set timezone = 'UTC'; attach ':memory:' as lake; {MACROS} create schema lake.bronze; create schema lake.silver"
        )
        for spec, found in content:
            db.register("rows", pa.Table.from_pylist(found, schema=arrow(spec.schema)))
            db.execute(f"create table lake.{spec.name} as from rows")
        yield db


def test_each_retry_has_its_fate_and_its_provenance(lake: duckdb.DuckDBPyConnection) -> None:
    query = f"select raw_offset, fate, retry_of, fixed_by, reason from ({dead_letters.retries(TWEETS)}) order by 1"
    found = lake.execute(query).fetchall()
    assert {offset: fate for offset, fate, *_ in found} == FATES
    assert {offset: of for offset, _, of, *_ in found} == {o: f"tweets.raw/0/{of}" for o, of in RETRIES.items()}
    assert [by for _, _, _, by, _ in found if by] == ["fixes.py:trim"]
    assert [reason for *_, reason in found] == ["odd", None, "odd", None, None, None, None]


def test_a_stream_with_revisions_has_a_query_too(lake: duckdb.DuckDBPyConnection) -> None:
    assert lake.execute(dead_letters.retries(POS)).fetchall() == []


def test_letters_are_counted_by_day_and_by_what_became_of_them(lake: duckdb.DuckDBPyConnection) -> None:
    columns = "day_at, business, stream, reason, rejected, mended, on_their_way, rejected_again, untouched"
    found = lake.execute(f"select {columns} from ({dead_letters.by_day(STREAMS)}) order by 1").fetchall()
    assert found == [
        (
            START,
            "tweets",
            "tweets",
            "odd",
            6,
            3,
            1,
            1,
            1,
        ),  # 0, which is on its way once more, 2, 10 mended; 9 on its way; 1 again; 11 untouched
        (START + dt.timedelta(days=1), "tweets", "tweets", "odd", 1, 0, 0, 0, 1),
    ]
