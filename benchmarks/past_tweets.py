"""Clean tweets of the seeded world as columns, a UTC day at a time: `benchmarks.history` makes a hundred million of them.

    times ─▶ a sample through world and processor ─▶ for each tweet one of the sample's of its time ─▶ id, place, author, engagement

What is said, where, in which language and mood, is the sample's, of about the same moment, so that trends rise and fall. Who
says it is drawn anew among the people of that country, by how much they write, and what it earns from their following.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakehouse_jobs.schema import arrow
from lakehouse_jobs.tables import silver
from processors.records import Cause, Refusal, to_millis
from processors.tweets import accept
from producers import trends
from producers.people import Ints
from producers.places import COUNTRIES, Floats
from producers.tweets import World, engagement
from topics.contract import DAY
from topics.partition import murmur2_partition
from topics.tweets import TWEETS, CleanTweet, Tweet, User

SCHEMA = arrow(silver(TWEETS).schema)
DAY_S = int(DAY.total_seconds())
SAID = (
    "text", "text_length", "hashtags", "mentions", "language", "region", "sentiment_score", "sentiment_category",
    "sentiment_source",
)  # fmt: skip
WITHIN = 0.004  # of a day's sample: a tweet says what one of these before or after it says, about six minutes
DELAY_MS = (5, 120)  # until the broker has it


class Past:
    """The world's tweets of one day after the other. Positions end at -1, before the log, which they then leave alone."""

    def __init__(self, seed: int, count: int, partitions: int, sample: int) -> None:
        self._world, self._sample, self._days = World(seed), sample, 0
        people = self._world.people
        users = [msgspec.json.decode(fragment, type=User) for fragment in people.fragment]
        self._users = {name: pa.array([getattr(u, name) for u in users]) for name in User.__struct_fields__}
        self._followers = np.array([u.followers_count for u in users], np.int64)
        self._partition = np.array([murmur2_partition(key, partitions) for key in people.key], np.int64)
        self._first_seen_ms = np.full(len(users), -1, np.int64)
        self._next = np.full(partitions, -count, np.int64)  # no partition has more than all
        self._everyday = {tag.lower() for tag in trends.TAGS}

    def day(self, at: Floats) -> pa.Table:
        """The clean tweets of one UTC day, in the columns of silver: one for each of the sorted times (s since the epoch)."""
        self._days += 1
        rng = np.random.default_rng([self._world.seed, 3, self._days])
        said = self._said(rng, at)
        rows = _near(rng, at, np.array([to_millis(t.event_at) / 1000 for t in said]))
        who = self._authors(rng, np.array([_country(t) for t in said], np.int64)[rows], said, rows)
        event_ms = (at * 1000).astype(np.int64)
        columns = {name: _said_column(said, name).take(pa.array(rows)) for name in SAID}
        columns |= {name: column.take(pa.array(who)) for name, column in self._users.items()}
        columns |= self._figures(rng, who, np.array([self._is_trending(t) for t in said])[rows])
        columns |= {"event_id": uuids(rng, len(at)), "late_by_seconds": pa.array(np.zeros(len(at)))}
        columns |= self._running(who, event_ms)
        columns |= {"event_at": _time(event_ms), "ingested_at": _time(event_ms + rng.integers(*DELAY_MS, len(at)))}
        return pa.table([columns[f.name].cast(f.type) for f in SCHEMA], schema=SCHEMA)

    def _said(self, rng: np.random.Generator, at: Floats) -> list[CleanTweet]:
        """The sample of a day, as the processor keeps it, in the order of its times."""
        times = np.sort(rng.choice(at, min(self._sample, len(at)), replace=False))
        decoder = msgspec.json.Decoder(Tweet)
        made = [decoder.decode(value) for _, _, value in self._world.events(self._days, times)]
        kept = [accept(tweet, Cause(0, i, to_millis(tweet.created_at), None), {}) for i, tweet in enumerate(made)]
        return [tweet for tweet in kept if not isinstance(tweet, Refusal)]

    def _authors(self, rng: np.random.Generator, country: Ints, said: list[CleanTweet], rows: Ints) -> Ints:
        """One of the people of each country, by how much they write; of an unknown one, the sample's own author."""
        people, u = self._world.people, rng.random(len(country))
        first, last = people.first[country], people.first[country + 1]
        target = people.activity[first] + u * (people.activity[last] - people.activity[first])
        drawn = np.clip(np.searchsorted(people.activity, target, side="right") - 1, first, last - 1)
        number = {key.decode(): i for i, key in enumerate(people.key)}
        own = np.array([number[t.user_id] for t in said], np.int64)
        return np.where(country < 0, own[rows], drawn)

    def _is_trending(self, tweet: CleanTweet) -> bool:
        return not self._everyday.issuperset(tweet.hashtags)

    def _figures(self, rng: np.random.Generator, who: Ints, trending: npt.NDArray[np.bool_]) -> dict[str, pa.Array]:
        likes, retweets, replies = engagement(rng, self._followers[who], trending)
        earned = likes + retweets + replies
        score = np.round(1000.0 * earned / np.maximum(self._followers[who], 1), 4)
        figures = {
            "likes": likes,
            "retweets": retweets,
            "replies": replies,
            "engagement": earned,
            "engagement_score": score,
        }
        return {name: pa.array(figure) for name, figure in figures.items()}

    def _running(self, who: Ints, event_ms: Ints) -> dict[str, pa.Array]:
        """Each tweet's place in the log, and what it tells of its author's earlier ones."""
        new, first = np.unique(who, return_index=True)
        unseen = self._first_seen_ms[new] < 0
        self._first_seen_ms[new[unseen]] = event_ms[first[unseen]]
        partition = self._partition[who]
        offset = self._next[partition] + counted(partition)
        self._next += np.bincount(partition, minlength=len(self._next))
        return {
            "raw_partition": pa.array(partition),
            "raw_offset": pa.array(offset),
            "user_tweets_today": pa.array(counted(who) + 1),
            "user_first_seen_at": _time(self._first_seen_ms[who]),
        }


def counted(group: Ints) -> Ints:
    """How many of its group come before each."""
    order = np.argsort(group.astype(np.uint16), kind="stable")  # a radix sort; groups are fewer than 65,536
    ordered = group[order]
    begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    before = np.arange(len(group)) - np.repeat(begins, np.diff(np.append(begins, len(group))))
    counts = np.empty(len(group), np.int64)
    counts[order] = before
    return counts


def uuids(rng: np.random.Generator, n: int) -> pa.Array:
    """`n` version 4 UUIDs, as text."""
    raw = np.frombuffer(rng.bytes(16 * n), np.uint8).reshape(n, 16).copy()
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x40
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    text = np.full((n, 36), ord("-"), np.uint8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    places = [i for i in range(36) if i not in {8, 13, 18, 23}]
    text[:, places[0::2]] = digits[raw >> 4]
    text[:, places[1::2]] = digits[raw & 15]
    offsets = np.arange(n + 1, dtype=np.int64) * 36
    return pa.LargeStringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))


def _near(rng: np.random.Generator, at: Floats, sample: Floats) -> Ints:
    """For each time a row of the sample of about that time."""
    reach = max(2, int(len(sample) * WITHIN))
    moved = np.searchsorted(sample, at) + rng.integers(-reach, reach, len(at))
    return np.asarray(np.clip(moved, 0, len(sample) - 1), np.int64)


def _country(tweet: CleanTweet) -> int:
    return _NUMBER.get(tweet.region, -1)


_NUMBER = {country.code: i for i, country in enumerate(COUNTRIES)}


def _said_column(said: list[CleanTweet], name: str) -> pa.Array:
    return pa.array([getattr(t, name) for t in said], SCHEMA.field(name).type)


def _time(ms: Ints) -> pa.Array:
    return pa.array(ms * 1000).cast(pa.timestamp("us", tz="UTC"))
