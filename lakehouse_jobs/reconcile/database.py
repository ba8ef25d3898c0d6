"""The database that a run computes in: DuckDB over a temporary file, so that memory is bounded, and what its SQL can call."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import duckdb
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

MEMORY_MB = 700
BLANKS = r"[\t-\r\x1c-\x20\x{85}\p{Z}]"  # what Python's `strip` takes for space
MACROS = rf"""
create macro text_of(j) as j ->> '$';
create macro whole(j) as try_cast(j ->> '$' as bigint);
create macro number(j) as try_cast(j ->> '$' as double);
create macro millis(j) as case json_type(j)
    when 'VARCHAR' then epoch_us(try_cast(j ->> '$' as timestamptz)) // 1000
    when 'NULL' then null
    else try_cast(trunc(number(j) * if(abs(number(j)) > 1e11, 1, 1000)) as bigint) end;
create macro stripped(t) as regexp_replace(t, '^{BLANKS}+|{BLANKS}+$', '', 'g');
create macro small(t) as case when strlen(t) = length(t) then lower(t) else small_letters(t) end;
create macro capital(t) as case when strlen(t) = length(t) then upper(t) else capital_letters(t) end;
create macro quotient(over, under, digits) as
    sign(over) * ((2 * abs(over) * pow(10, digits)::bigint + under) // (2 * under))::double / pow(10, digits);
create macro one_id(t) as case when regexp_full_match(replace(t, '-', ''), '[0-9a-fA-F]{{32}}') then lower(replace(t, '-', '')) else t end;
"""


@contextlib.contextmanager
def opened(folder: pathlib.Path | None = None, memory_mb: int = MEMORY_MB) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database with the macros, in a file that is gone afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="reconcile-") as scratch:
        settings: dict[str, Any] = {
            "memory_limit": f"{memory_mb}MB",
            "threads": 2,
            "temp_directory": f"{scratch}/spill",
        }
        with contextlib.closing(duckdb.connect(":memory:", config=settings)) as db:
            prepare(db)
            yield db


def prepare(db: duckdb.DuckDBPyConnection) -> None:
    """Time in UTC, and the functions that the SQL of the businesses calls. Letters beyond ASCII are Python's business."""
    db.execute("set timezone = 'UTC'; set preserve_insertion_order = false; set enable_progress_bar = false")
    db.create_function("small_letters", str.lower, ["VARCHAR"], "VARCHAR")
    db.create_function("capital_letters", str.upper, ["VARCHAR"], "VARCHAR")
    db.create_function("rounded", round, ["DOUBLE", "BIGINT"], "DOUBLE")
    db.create_function("mood", mood, ["VARCHAR"], "DOUBLE")
    db.execute(MACROS)


@functools.cache
def _analyzer() -> Any:
    return SentimentIntensityAnalyzer()


def mood(text: str) -> float:
    """VADER's compound score of a text: of events that bring no score of their own."""
    return float(_analyzer().polarity_scores(text)["compound"])
