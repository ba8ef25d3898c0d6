from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.operators import decode, hashtags, mentions, score_sentiment, sentiment_category
from processors.records import Cause, Refusal, from_millis, to_millis
from topics.tweets import Tweet

DECODER = msgspec.json.Decoder(Tweet)
GOOD = {
    "tweet_id": "0b0e0d5e-2f8d-4a44-9d7c-0f6f0e3c1a55",
    "text": "hello",
    "user": {"user_id": "u1", "username": "ana"},
    "created_at": "2026-01-02T03:04:05+02:00",
}


def test_decode_gives_the_event_and_no_drift() -> None:
    event, drift = decode(msgspec.json.encode(GOOD), DECODER)
    assert event.user.username == "ana"
    assert drift == []


def test_unknown_fields_are_drift_and_nothing_else_is_lost() -> None:
    value = {**GOOD, "geo": {"lat": 1}, "user": {**GOOD["user"], "badge": 1}}
    event, drift = decode(msgspec.json.encode(value), DECODER)
    assert sorted(drift) == ["geo", "user.badge"]
    assert event == decode(msgspec.json.encode(GOOD), DECODER)[0]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null_value"),
        (b"{", "malformed_json"),
        (b"", "malformed_json"),
        (b"[]", "schema_violation"),
        (b'{"tweet_id": "\xff"}', "not_utf8"),
        (msgspec.json.encode({**GOOD, "likes": -1}), "schema_violation"),
        (msgspec.json.encode({**GOOD, "tweet_id": "seven"}), "schema_violation"),
        (msgspec.json.encode({**GOOD, "new": 1, "likes": "many"}), "schema_violation"),
    ],
)
def test_what_cannot_be_read_says_why(value: bytes | None, reason: str) -> None:
    refusal = decode(value, DECODER)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert refusal.detail


@given(st.binary(max_size=200))
def test_decode_never_raises(value: bytes) -> None:
    decode(value, DECODER)


@given(st.datetimes(min_value=dt.datetime(1980, 1, 1), max_value=dt.datetime(2200, 1, 1)), st.integers(-14, 14))
def test_any_time_zone_means_the_same_moment(naive: dt.datetime, hours: int) -> None:
    at = naive.replace(tzinfo=dt.UTC)
    shifted = at.astimezone(dt.timezone(dt.timedelta(hours=hours)))
    assert to_millis(shifted) == to_millis(at) == to_millis(naive)


@given(st.integers(min_value=200_000_000_000, max_value=4_000_000_000_000))
def test_numbers_are_seconds_or_milliseconds(ms: int) -> None:
    assert to_millis(float(ms)) == ms == to_millis(from_millis(ms))
    assert to_millis(float(ms // 1000)) == ms // 1000 * 1000


def test_hashtags_are_tidied_and_taken_from_the_text_where_none_are_given() -> None:
    assert hashtags(["#Tea", "tea", " jazz ", "#"], "#other") == ["tea", "jazz"]
    assert hashtags([], "at #Dawn and #dawn, #Über") == ["dawn", "über"]
    assert mentions(["@ana", "ana"], "@bo") == ["ana"]
    assert mentions([], "hi @bo, @cy") == ["bo", "cy"]


def test_sentiment() -> None:
    assert sentiment_category(score_sentiment("I love this, it is wonderful")) == "positive"
    assert sentiment_category(score_sentiment("this is awful and sad")) == "negative"
    assert [sentiment_category(s) for s in (0.05, 0.0499, -0.05, -0.0499)] == [
        "positive",
        "neutral",
        "negative",
        "neutral",
    ]


def test_late_is_measured_from_the_watermark() -> None:
    assert Cause(0, 0, 0, 10_000).late_by_seconds(7_500) == 2.5
    assert Cause(0, 0, 0, 10_000).late_by_seconds(12_000) == 0
    assert Cause(0, 0, 0, None).late_by_seconds(12_000) == 0
