"""Letters and retries for tests."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from riverhouse.rejected.letters import Letter, Retry, digest
from topics.retries import Position

AT = dt.datetime(2026, 3, 1, 8, 30, tzinfo=dt.UTC)
TWEET = {
    "tweet_id": "11111111-1111-4111-8111-111111111111", "text": "hi", "created_at": "2026-03-01T08:00:00Z",
    "user": {"user_id": "u1", "username": "ann"},
}  # fmt: skip


def letter(**changes: Any) -> Letter:
    """A rejected tweet at tweets/0/42; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "position": Position("tweets", 0, 42), "ingested_at": AT, "reason": "schema_violation", "detail": "likes",
        "key": b"u1", "value": msgspec.json.encode({**TWEET, "likes": -1}), "headers": {"schema_id": "3", "trace": "t"},
    }  # fmt: skip
    return Letter(**(fields | changes))


def retry(fate: str, *, value: bytes | None = b"{}", offset: int = 50, reason: str | None = None) -> Retry:
    """A retry of that letter, a minute after it for each offset beyond its own."""
    at = AT + dt.timedelta(minutes=offset - 42)
    return Retry(Position("tweets", 0, offset), Position("tweets", 0, 42), at, digest(value), None, fate, reason)
