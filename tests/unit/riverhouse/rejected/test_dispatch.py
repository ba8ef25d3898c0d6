"""What goes out, under which key and headers, and what is held back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riverhouse.rejected.dispatch import barred, changed, held_back, unchanged
from riverhouse.rejected.letters import by_letter, text
from riverhouse.rejected.mending import Mended
from tests.unit.riverhouse.rejected.samples import letter, retry

HEADERS = [("schema_id", b"3"), ("trace", b"\xff\x00")]
STALE = [("retry_of", b"tweets.raw/9/9"), ("retry_fixed_by", b"somebody"), ("unmappable", b"why")]


def test_unchanged_means_every_byte_and_the_same_partition() -> None:
    x = letter(key=None)
    out = unchanged(x, None, x.value, [*HEADERS, ("unmappable", b"why"), *STALE[:2]])
    assert (out.partition, out.key, out.value) == (0, None, x.value)
    assert out.headers == [*HEADERS, ("unmappable", b"why"), ("retry_of", b"tweets.raw/0/42")]


@given(st.permutations([*HEADERS, *STALE]))
def test_a_mended_record_has_each_header_once_and_says_where_it_comes_from(headers) -> None:
    out = changed(letter(), b"u1", headers, Mended(b"u1", b"{}"), "fixes.py:trim", [("schema_id", b"7")])
    assert sorted(out.headers) == [
        ("retry_fixed_by", b"fixes.py:trim"), ("retry_of", b"tweets.raw/0/42"), ("schema_id", b"7"), ("trace", b"\xff\x00"),
    ]  # fmt: skip


def test_the_same_key_stays_in_its_partition_and_a_new_one_finds_its_own() -> None:
    assert changed(letter(), b"u1", [], Mended(b"u1", b""), "x", []).partition == 0
    assert changed(letter(), b"posts.csv:6", [], Mended(b"u1", b""), "x", []).partition == -1


@pytest.mark.parametrize("fate", ["clean", "duplicate", "reference", "on its way"])
def test_what_was_accepted_or_is_on_its_way_is_held_back(fate: str) -> None:
    tried = letter(retries=(retry("rejected", value=b"1"), retry(fate, offset=51)))
    assert "tweets/0/51" in (held_back(tried, b"new", mended=True, again=False) or "")
    assert held_back(tried, b"new", mended=True, again=True) is None


def test_the_same_bytes_are_not_refused_twice() -> None:
    tried = letter(retries=(retry("rejected", value=b"1", reason="empty_text"),))
    assert "empty_text" in (held_back(tried, b"1", mended=True, again=False) or "")
    assert held_back(tried, b"2", mended=True, again=False) is None
    assert held_back(tried, b"1", mended=True, again=True) is None
    null = letter(value=None, retries=(retry("rejected", value=None),))
    assert held_back(null, None, mended=False, again=False)


def test_a_row_that_never_was_an_event_is_not_sent_as_it_is() -> None:
    row = letter(headers={"unmappable": "no number"})
    assert "fix" in (barred(row, mended=False) or "")
    assert barred(row, mended=True) is None
    assert held_back(row, row.value, mended=True, again=False) is None  # a better contract may read it


def test_a_version_that_one_partition_refused_is_told_again_but_never_mended() -> None:
    told = letter(headers={"reference": "animeverse.products"})
    assert barred(told, mended=False) is None
    assert "others" in (barred(told, mended=True) or "")


def test_nothing_changed_is_no_mending() -> None:
    assert "retry" in (held_back(letter(), letter().value, mended=True, again=False) or "")


def test_the_state_is_the_best_that_became_of_it() -> None:
    assert letter().state == "open"
    assert letter(retries=(retry("rejected"),)).state == "rejected again"
    assert letter(retries=(retry("on its way"), retry("rejected"))).state == "on its way"
    assert letter(retries=(retry("clean"), retry("on its way"))).state == "mended"


def test_retries_are_in_the_order_of_their_sending() -> None:
    first, second = retry("rejected", offset=50), retry("clean", offset=51)
    assert by_letter([second, first]) == {first.of: (first, second)}


@given(st.binary(max_size=40))
def test_any_bytes_can_be_shown(value: bytes) -> None:
    assert isinstance(text(value), str)
