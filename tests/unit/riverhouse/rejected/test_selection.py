"""What a command's words mean, in Python and in SQL alike."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riverhouse.local.problem import Problem
from riverhouse.rejected.selection import Selection, instant, select
from tests.unit.riverhouse.rejected.samples import AT, letter, retry
from topics.animeverse import STREAMS as ANIMEVERSE
from topics.catalogue import STREAMS
from topics.retries import Position, parse
from topics.tweets import TWEETS

names = st.sampled_from([s.prefix for s in STREAMS])
times = st.none() | st.integers(-2, 2).map(lambda h: AT + dt.timedelta(hours=h))
reasons = st.sampled_from([None, "a", "it's"])


@given(names, st.integers(0, 99), st.integers(0, 2**53))
def test_positions_are_read_as_they_are_written(stream: str, partition: int, offset: int) -> None:
    position = Position(stream, partition, offset)
    assert parse(str(position)) == position == parse(position.header)


@pytest.mark.parametrize("text", ["tweets/0", "tweets/0/x", "tweets/-1/3", "tweets/0/1/2", "a/b/c"])
def test_what_is_no_position_is_told(text: str) -> None:
    with pytest.raises(Problem) as told:
        select([text.replace("a/", "tweets/")])
    assert told.value.hint


def test_a_business_is_all_of_its_streams_and_a_name_alone_is_one() -> None:
    assert select(["animeverse"]).streams == ANIMEVERSE
    assert select(["animeverse.pos"]).streams == tuple(s for s in STREAMS if s.prefix == "animeverse.pos")
    assert select(["tweets", "tweets"]).streams == (TWEETS,)
    assert select([]).streams == STREAMS


def test_unknown_and_mixed_words_are_told() -> None:
    with pytest.raises(Problem, match="'tweet'") as told:
        select(["tweet"])
    assert "animeverse.pos" in told.value.detail
    with pytest.raises(Problem, match="'nobody'"):
        select(["nobody/0/1"])
    with pytest.raises(Problem, match="mixed"):
        select(["tweets", "tweets/0/1"])


def test_a_retry_s_position_means_its_letter() -> None:
    tried = letter(retries=(retry("rejected", offset=50),))
    assert select(["tweets/0/50"]).matches(tried)
    assert select(["tweets/0/42"]).matches(tried)
    assert not select(["tweets/0/43"]).matches(tried)


@settings(max_examples=60, deadline=None)
@given(names, reasons, times, times, names, reasons.filter(bool), st.integers(-3, 3))
def test_sql_and_python_select_the_same(stream, reason, since, until, of, why, hours) -> None:
    selection = Selection(select([stream]).streams, (), reason, since, until)
    found = letter(position=Position(of, 0, 1), reason=why, ingested_at=AT + dt.timedelta(hours=hours))
    row = "select ? as stream, ? as reason, ?::timestamptz as ingested_at"
    condition = selection.condition().replace("timestamp '", "timestamptz '")  # Trino's literal with a zone
    kept = duckdb.execute(f"select count(*) from ({row}) where {condition}", [of, why, found.ingested_at]).fetchone()
    assert kept == (int(selection.matches(found)),)


def test_times_without_a_zone_are_utc() -> None:
    assert instant("2026-03-01T08:30") == AT == instant("2026-03-01T09:30+01:00")
