"""Contracts as columns."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
import pyarrow as pa
import pytest
from msgspec import Meta, Struct

from lakehouse_jobs.schema import arrow, from_struct
from lakehouse_jobs.tables import all_tables
from topics.contract import Rejected
from topics.tweets import CleanTweet


class Everything(Struct, kw_only=True):
    text: str
    number: Annotated[int, Meta(ge=0)]
    fraction: float | None
    yes: bool
    at: dt.datetime
    raw: bytes | None
    items: list[str]
    counts: dict[str, int]
    optional_list: list[int] | None = None


def test_every_type_has_its_column() -> None:
    schema = from_struct(Everything)
    assert [(f.name, str(f.field_type), f.required) for f in schema.fields] == [
        ("text", "string", True),
        ("number", "long", True),
        ("fraction", "double", False),
        ("yes", "boolean", True),
        ("at", "timestamptz", True),
        ("raw", "binary", False),
        ("items", "list<string>", True),
        ("counts", "map<string, long>", True),
        ("optional_list", "list<long>", False),
    ]


def test_timestamps_are_utc_microseconds_in_arrow() -> None:
    assert arrow(from_struct(CleanTweet)).field("event_at").type == pa.timestamp("us", tz="UTC")


def test_a_type_without_a_column_is_refused_by_name() -> None:
    ambiguous = msgspec.defstruct("Ambiguous", [("either", int | str)])
    with pytest.raises(TypeError, match="either"):
        from_struct(ambiguous)


def test_field_ids_are_unique_in_every_table() -> None:
    for spec in all_tables():
        ids = list(spec.schema.field_ids)
        assert len(ids) == len(set(ids)), spec.name


def test_every_table_is_partitioned_by_a_time_it_has() -> None:
    for spec in all_tables():
        assert str(spec.schema.find_field(spec.partition[0]).field_type) == "timestamptz", spec.name
        assert set(spec.order) <= set(spec.schema.column_names), spec.name


def test_quarantine_keeps_the_original_bytes() -> None:
    assert str(from_struct(Rejected).find_field("value").field_type) == "binary"
