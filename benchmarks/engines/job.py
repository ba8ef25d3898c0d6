"""The job of the Python peers: validate, drop repeats, publish the tweets as they came, count them by region and minute.

Less than what our worker does: no enrichment, one KPI of seven, no rankings, no record of what was refused or repeated. The
contract and the decoder are ours, so that nobody is slower for reading JSON with something else.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from riverhouse import addresses
from topics.tweets import TWEETS, VOLUME_BY_REGION, Tweet

RAW, CLEAN, VOLUME = TWEETS.raw.name, TWEETS.clean.name, VOLUME_BY_REGION.topic
MINUTE, LATENESS = VOLUME_BY_REGION.window, TWEETS.allowed_lateness
_decode, encode = msgspec.json.Decoder(Tweet).decode, msgspec.json.Encoder().encode


def bootstrap() -> str:
    return addresses.bootstrap()


def decode(value: bytes) -> Tweet | None:
    """The tweet, or None where it is none."""
    try:
        return _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def region(tweet: Tweet) -> str:
    return tweet.region or "ZZZ"


def happened_at(tweet: Tweet) -> dt.datetime:
    at = tweet.created_at
    return at if isinstance(at, dt.datetime) else dt.datetime.fromtimestamp(at / (1000 if at > 1e11 else 1), dt.UTC)


def start_ms(tweet: Tweet) -> int:
    """The start of the tweet's window."""
    ms, width = int(happened_at(tweet).timestamp() * 1000), int(MINUTE.total_seconds() * 1000)
    return ms - ms % width


def figure(of_region: str, start: int, tweets: int) -> dict[str, Any]:
    """A cell of the KPI; `start` in ms."""
    at = dt.datetime.fromtimestamp(start / 1000, dt.UTC).isoformat()
    return {"region": of_region, "window_start_at": at, "tweets": tweets}
