"""A small seeded stream of raw tweets with everything that goes wrong in one: repeats, disorder, lateness, poison, drift."""

from __future__ import annotations

import json
import random
import uuid

from processors.records import Record

START_MS = 1_790_000_000_000
USERS = [f"u{i}" for i in range(12)]
REGIONS = ["DEU", "JPN", "BRA", None]
LANGUAGES = ["de", "ja", "pt", None]
TAGS = ["rain", "jazz", "Tea", "#go"]


def raw_partitions(seed: int, partitions: int, events: int) -> list[list[Record]]:
    """Raw records of each partition. Broker time grows by up to 2 s an event; events lie up to 3 h behind it."""
    rng = random.Random(seed)
    logs: list[list[Record]] = [[] for _ in range(partitions)]
    sent: list[tuple[int, bytes, bytes]] = []
    now = START_MS
    for _ in range(events):
        now += rng.randrange(2000)
        if sent and rng.random() < 0.15:
            p, key, value = rng.choice(sent)
        else:
            user = rng.choice(USERS)
            p, key = USERS.index(user) % partitions, user.encode()
            value = poison(rng) if rng.random() < 0.08 else json.dumps(tweet(rng, user, now)).encode()
            sent.append((p, key, value))
        logs[p].append(Record(len(logs[p]), now, key, value, ()))
    return logs


def tweet(rng: random.Random, user: str, now: int) -> dict[str, object]:
    behind = rng.choice([0, 0, 0, rng.randrange(10_000), rng.randrange(3_600_000), rng.randrange(3 * 3_600_000)])
    event: dict[str, object] = {
        "tweet_id": str(uuid.UUID(int=rng.getrandbits(128))),
        "text": rng.choice(["what a lovely day", "terrible, sad news #rain", "hm"]),
        "user": {"user_id": user, "username": user.upper(), "followers_count": rng.randrange(1000)},
        "created_at": now - behind,
        "hashtags": rng.sample(TAGS, rng.randrange(3)),
        "likes": rng.randrange(50),
        "retweets": rng.randrange(9),
        "replies": rng.randrange(9),
    }
    if rng.random() < 0.9:
        event["sentiment_score"] = round(rng.uniform(-1, 1), 4)
    event["region"], event["language"] = rng.choice(REGIONS), rng.choice(LANGUAGES)
    if rng.random() < 0.05:
        event["from_the_future"] = {"schema": 2}
    return event


def poison(rng: random.Random) -> bytes:
    return rng.choice(
        [
            b"{", b"[]", b"\xff\xfe", b"null", b'{"tweet_id": 1}',
            json.dumps({**tweet(rng, "u0", START_MS), "created_at": START_MS * 2}).encode(),
            json.dumps({**tweet(rng, "u0", START_MS), "text": "  "}).encode(),
            json.dumps({**tweet(rng, "u0", START_MS), "likes": -1}).encode(),
        ]
    )  # fmt: skip
