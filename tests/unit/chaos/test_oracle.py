"""The oracle of the producers' tweets agrees with what the contract says of single records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.records import Record
from tests.chaos import oracle

NOW_MS = 1_790_000_000_000
GOOD: dict[str, Any] = {
    "tweet_id": "d99e4379-2a30-460c-9d99-57cfb3f77f96", "text": "hm #Tea", "user": {"user_id": "u", "username": "U"},
    "created_at": "2026-09-21T14:13:20.000Z", "hashtags": ["Tea", "tea"], "likes": 1, "retweets": 2, "replies": 3,
}  # fmt: skip


def accepted(*values: bytes) -> list[tuple]:
    logs = [[Record(o, NOW_MS, b"u", v, ()) for o, v in enumerate(values)]]
    return (
        oracle.connect(logs).execute("select o, event_ms, region, engagement, tags from accepted order by o").fetchall()
    )


def changed(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def test_a_tweet_is_read_with_its_defaults() -> None:
    assert accepted(changed()) == [(0, NOW_MS, "ZZZ", 6, ["tea"])]
    assert accepted(changed(created_at=NOW_MS, region="DEU", hashtags=[]))[0][2:] == ("DEU", 6, ["tea"])


def test_a_repeat_is_a_duplicate() -> None:
    assert [r[0] for r in accepted(changed(), changed(tweet_id=GOOD["tweet_id"].upper()))] == [0]


@pytest.mark.parametrize(
    "value",
    [
        b"", b"{", b"[]", b"null", changed()[:-5], changed().replace(b"hm", b"\xff\xfe"), changed(likes={"value": "n/a"}),
        changed(user={"value": "n/a"}), changed(text=" "), changed(created_at="2026-09-21T14:14:20.001Z"),
        json.dumps({k: v for k, v in GOOD.items() if k != "tweet_id"}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_tweet_is_refused(value: bytes) -> None:
    assert accepted(value) == []
