"""The job of the Python peers: validate, drop repeats, publish the tweets as they came, count them by region and minute.

Less than what our worker does: no enrichment, one KPI of seven, no rankings, no record of what was refused or repeated. The
contract and the decoder are ours, so that nobody is slower for reading JSON with something else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from processors.records import from_millis, to_millis
from topics.tweets import TWEETS, VOLUME_BY_REGION, Tweet

RAW, CLEAN, VOLUME = TWEETS.raw.name, TWEETS.clean.name, VOLUME_BY_REGION.topic
MINUTE, LATENESS = VOLUME_BY_REGION.window, TWEETS.allowed_lateness
MINUTE_MS = int(MINUTE.total_seconds() * 1000)
_decode, encode = msgspec.json.Decoder(Tweet).decode, msgspec.json.Encoder().encode


def decode(value: bytes) -> Tweet | None:
    """The tweet, or None where it is none."""
    try:
        return _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def region(tweet: Tweet) -> str:
    return tweet.region or "ZZZ"


def figure(of_region: str, start_ms: int, tweets: int) -> dict[str, Any]:
    """A cell of the KPI."""
    return {"region": of_region, "window_start_at": from_millis(start_ms).isoformat(), "tweets": tweets}


def start_ms(tweet: Tweet) -> int:
    """The start of the tweet's window."""
    ms = to_millis(tweet.created_at)
    return ms - ms % MINUTE_MS
