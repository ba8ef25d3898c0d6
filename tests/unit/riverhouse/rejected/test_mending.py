"""From old bytes to new ones: what a fix may return, and what the contract says of it."""

from __future__ import annotations

import pathlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.mapper import Mapper
from producers.mapping import load
from riverhouse.local.problem import Problem
from riverhouse.rejected.mending import Mended, Unfit, function, mend, setting, value_of
from tests.unit.riverhouse.rejected.samples import TWEET, letter
from topics.tweets import TWEETS, Tweet

FORUM = pathlib.Path("producers/mappings/forum_posts.toml")
CELLS = {
    "post_no": "3", "author": "cy", "author_name": "Cy C.", "fans": "many", "blue": "N", "posted": "01.03.2026 08:06",
    "message": "fans are no number", "tags": "", "lang": "de", "favs": "1", "shares": "0",
}  # fmt: skip


def mended(fix: Any, **changes: Any) -> Mended:
    got = mend(letter(**changes), TWEETS, fix)
    assert isinstance(got, Mended), got
    return got


def test_a_mended_event_has_its_own_key() -> None:
    got = mended(lambda value, rejected: {**value, "likes": 0, "user": {"user_id": "u2", "username": "bo"}})
    assert got.key == b"u2"
    assert msgspec.json.decode(got.value, type=Tweet).likes == 0
    assert got.drift == ()


def test_a_fix_sees_the_letter_and_may_leave_it() -> None:
    assert (
        mend(letter(), TWEETS, lambda value, rejected: None if rejected.reason == "schema_violation" else value) is None
    )


def test_fields_that_the_contract_does_not_know_are_told() -> None:
    assert mended(lambda value, rejected: {**value, "likes": 1, "mood": 3}).drift == ("mood",)


def test_bytes_that_are_no_json_come_as_bytes_and_may_become_an_event() -> None:
    whole = msgspec.json.encode(TWEET)
    assert mended(lambda value, rejected: value + b"}", value=whole[:-1]).value == whole


@pytest.mark.parametrize(
    ("fix", "why"),
    [
        (lambda value, rejected: value, "schema_violation"),
        (lambda value, rejected: b"{", "malformed_json"),
        (lambda value, rejected: b'{"text": "\xff"}', "not_utf8"),
        (lambda value, rejected: value["gone"], "KeyError"),
        (lambda value, rejected: [value], "returned list"),
        (lambda value, rejected: {**value, "likes": object()}, "no JSON"),
    ],
)
def test_what_does_not_fit_is_told_and_stops_nobody(fix: Any, why: str) -> None:
    got = mend(letter(), TWEETS, fix)
    assert isinstance(got, Unfit)
    assert why in got.why


def test_a_foreign_row_is_mapped_after_its_cells_were_mended() -> None:
    row = letter(value=msgspec.json.encode(CELLS), headers={"unmappable": "'many' is no number"})
    mapper = Mapper(load(FORUM), Tweet)
    got = mend(row, TWEETS, setting(["fans=12"]), mapper)
    assert isinstance(got, Mended), got
    assert got.key == b"forum-cy"
    assert msgspec.json.decode(got.value, type=Tweet).user.followers_count == 12
    still = mend(row, TWEETS, setting(["favs=1"]), mapper)
    assert isinstance(still, Unfit)
    assert "'many' is no number" in still.why
    line = mend(letter(value=b"3;cy"), TWEETS, lambda value, rejected: value, mapper)
    assert isinstance(line, Unfit)
    assert "cells" in line.why


@given(st.dictionaries(st.sampled_from("abc"), st.integers() | st.text(max_size=5) | st.booleans(), min_size=1))
def test_assignments_set_what_they_say_nested_or_not(values: dict[str, Any]) -> None:
    texts = [f"x.{name}={msgspec.json.encode(v).decode()}" for name, v in values.items()]
    assert setting(texts)({"y": 1}, letter()) == {"y": 1, "x": values}


def test_assignments_that_are_no_json_are_text() -> None:
    assert setting(["text=no more = less"])({}, letter()) == {"text": "no more = less"}
    with pytest.raises(Problem, match="sets nothing"):
        setting(["likes"])


def test_functions_come_from_files_and_modules(tmp_path) -> None:
    (tmp_path / "fixes.py").write_text("def trim(value, rejected):\n    return {**value, 'text': 'x'}\nNUMBER = 3\n")
    assert function(f"{tmp_path}/fixes.py:trim")({}, letter()) == {"text": "x"}
    assert function("riverhouse.rejected.mending:value_of") is value_of
    for spec in (
        f"{tmp_path}/fixes.py",
        f"{tmp_path}/fixes.py:gone",
        f"{tmp_path}/fixes.py:NUMBER",
        "no.such:thing",
        "x.py:f",
    ):
        with pytest.raises(Problem) as told:
            function(spec)
        assert told.value.hint
