"""Records of an earlier generation in a public topic are answered with what the owner holds."""

from __future__ import annotations

import datetime as dt

import msgspec

from processors.answers import outdated, stamp
from processors.dataflow import Partition
from processors.gauge import GaugeFold
from processors.merge import Merge
from processors.records import Record
from processors.tweets import FLOW
from tests.sim import world
from topics.contract import CleanEvent, Latest
from topics.tweets import TWEETS

VOLUME, TAGS = "tweets.kpi.tweet_volume_by_region", "tweets.kpi.popular_hashtags_by_hour"
TOP = "tweets.kpi.top_hashtags_by_hour"


def record(key: bytes | None, generation: int | None) -> Record:
    return Record(0, 0, key, b"{}", () if generation is None else (("schema", b"3"), stamp(generation)))


def test_only_what_an_earlier_generation_wrote_is_answered() -> None:
    records = [record(b"old", 4), record(b"own", 5), record(b"newer", 6), record(b"unstamped", None), record(None, 1)]
    assert outdated(records, 5) == {b"old"}


def merged() -> tuple[Merge, dict[tuple[str, bytes | None], bytes]]:
    """A merge that has read one partition's partials, and the last that it published of each key."""
    (log,) = world.raw_partitions(3, 1, 60)
    partials = [o for o in Partition(FLOW, 0, 1).process(len(log), log) if o.topic == TWEETS.partials.name]
    merge = Merge(TWEETS, 1)
    out = merge.process([Record(i, 0, o.key, o.value) for i, o in enumerate(partials)], 0.0)
    return merge, {(o.topic, o.key): o.value for o in out}


def test_a_total_and_a_ranking_are_published_once_more_as_they_are() -> None:
    merge, published = merged()
    for topic in (VOLUME, TOP):
        before = merge.unanswered  # of windows that it has dropped since
        keys = [k for t, k in published if t == topic and k is not None]
        again = {(o.topic, o.key): o.value for o in merge.answer(topic, keys, 0.0) if o.topic == topic}
        assert again
        assert again.items() <= published.items()
        assert len(again) + merge.unanswered - before == len(keys)
    assert merge.publish(0.0) == []


def test_what_is_not_held_any_more_is_counted() -> None:
    merge, _ = merged()
    assert merge.answer(VOLUME, [b'["2020-01-01T00:00:00Z","DEU"]'], 0.0) == []
    assert merge.unanswered == 1


class Level(CleanEvent, kw_only=True):
    shelf: str
    row: int
    pieces: int


def test_a_gauge_answers_with_its_newest_value() -> None:
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    fold = GaugeFold(Latest("x.kpi.level", ("shelf", "row"), ("pieces",)), 2)
    for offset, pieces in enumerate((5, 7)):
        fold.fold(
            Level(
                event_id="e", event_at=at, ingested_at=at, late_by_seconds=0, raw_partition=2, raw_offset=offset,
                shelf="a", row=1, pieces=pieces,
            ),
            offset,
        )  # fmt: skip
    (before,) = fold.drain()
    fold.touch([b'["a",1]', b'["unknown",2]'])
    assert [*fold.drain()] == [before]
    assert before.partition == 2
    assert msgspec.json.decode(before.value)["pieces"] == 7
