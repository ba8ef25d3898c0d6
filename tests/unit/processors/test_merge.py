from __future__ import annotations

import msgspec

from processors.merge import Merge
from processors.records import Output, Record
from topics.contract import Partial
from topics.tweets import TWEETS

VOLUME = "tweets.kpi.tweet_volume_by_region"
START = 1_790_000_040


class Feed:
    """Partials and markers as records of one merge partition."""

    def __init__(self, raw_partitions: int = 2, published_until: int = 0) -> None:
        self.merge = Merge(TWEETS, raw_partitions, published_until=published_until)
        self.offset = 0

    def record(self, p: int, offset: int, watermark: float, tweets: int | None = None, kpi: str = VOLUME) -> Record:
        measures = [] if tweets is None else [tweets, tweets, 10 * tweets, 1]
        partial = Partial(
            kpi="" if tweets is None else kpi, window=0 if tweets is None else START, dims=[] if tweets is None else ["DEU"],
            measures=measures, raw_partition=p, offset=offset, watermark=watermark,
        )  # fmt: skip
        self.offset += 1
        return Record(self.offset - 1, 0, b"k", msgspec.json.encode(partial), ())

    def process(self, *records: Record, now: float = 0.0) -> list[dict]:
        return self.values(self.merge.process(records, now))

    @staticmethod
    def values(outputs: list[Output]) -> list[dict]:
        return [msgspec.json.decode(o.value) for o in outputs if o.topic == VOLUME]


def test_partials_wait_for_their_marker_and_the_total_says_what_it_is_true_for() -> None:
    f = Feed()
    assert f.process(f.record(0, 4, START, tweets=3)) == []
    (v,) = f.process(f.record(0, 9, START))
    assert (v["tweets"], v["engagement"], v["as_of"], v["final"]) == (3, 30, {"0": 9}, False)
    (v,) = f.process(f.record(1, 2, START, tweets=2), f.record(1, 5, START))
    assert (v["tweets"], v["as_of"], v["revision"]) == (5, {"0": 9, "1": 5}, 10)


def test_reading_twice_changes_nothing_and_an_older_partial_is_ignored() -> None:
    f = Feed()
    f.process(f.record(0, 4, START, tweets=3), f.record(0, 4, START))
    f.process(f.record(0, 2, START, tweets=1), f.record(0, 2, START))
    (v,) = f.process(f.record(0, 4, START, tweets=3), f.record(0, 4, START))
    assert (v["tweets"], v["as_of"]) == (3, {"0": 4})


def test_a_marker_stands_only_for_partials_up_to_its_offset() -> None:
    """A worker died after a partial of 12, before its marker; the next one has come to 9."""
    f = Feed(raw_partitions=1)
    assert f.process(f.record(0, 12, START, tweets=3), f.record(0, 9, START)) == []
    (v,) = f.process(f.record(0, 12, START))
    assert (v["tweets"], v["as_of"]) == (3, {"0": 12})


def test_of_one_offset_the_partial_with_more_changes_counts_in_whichever_order_they_come() -> None:
    """A recovered state may hold a part of what one record has changed; a worker that wakes late may send that last."""
    f = Feed(raw_partitions=1)
    f.process(f.record(0, 4, START, tweets=3), f.record(0, 4, START), f.record(0, 4, START, tweets=2))
    assert f.process(f.record(0, 9, START)) == []
    (v,) = f.process(f.record(0, 10, START, tweets=4), f.record(0, 10, START))
    assert v["tweets"] == 4


def test_nothing_is_published_while_catching_up() -> None:
    f = Feed(raw_partitions=1, published_until=4)
    old = [f.record(0, 4, START, tweets=3), f.record(0, 4, START + 100)]  # the window closes in between
    assert f.process(*old) == []
    assert f.process(f.record(0, 5, START, tweets=4), f.record(0, 5, START + 100)) == []
    assert f.process(f.record(0, 6, START + 100)) == []


def test_no_two_values_of_a_cell_share_a_revision() -> None:
    """A window that one worker closed is open again for the next, which knows of fewer partitions that are idle."""
    f, again = Feed(), Feed()
    (closed,) = f.process(f.record(0, 4, START, tweets=3), f.record(0, 4, START + 100))
    again.process(again.record(0, 4, START, tweets=3), again.record(0, 4, START + 100), again.record(1, 0, START))
    (more,) = again.process(again.record(0, 5, START, tweets=4), again.record(0, 5, START + 100))
    assert (closed["final"], more["final"]) == (True, False)
    assert more["revision"] > closed["revision"]


def test_a_window_closes_by_the_slowest_partition_and_late_data_revises_it() -> None:
    f = Feed()
    f.process(f.record(0, 4, START, tweets=3), f.record(0, 4, START + 100), f.record(1, 0, START))
    (v,) = f.process(f.record(1, 7, START + 60))
    assert (v["final"], v["revision"]) == (True, 7)
    (v,) = f.process(f.record(1, 8, START + 61, tweets=1), f.record(1, 8, START + 61))
    assert (v["final"], v["revision"], v["tweets"]) == (True, 9, 4)


def test_an_idle_partition_does_not_hold_windows_open() -> None:
    f = Feed()
    f.process(f.record(1, 0, START - 500), now=0.0)
    assert not f.process(f.record(0, 4, START, tweets=3), f.record(0, 4, START + 100), now=29.0)[0]["final"]
    assert Feed.values(f.merge.publish(31.0))[0]["final"]


def test_an_idle_partition_can_still_bring_what_was_in_time_for_it() -> None:
    f = Feed()
    f.process(f.record(1, 0, START - 500), f.record(0, 4, START, tweets=3), f.record(0, 4, START + 90_000), now=0.0)
    (v,) = f.process(f.record(1, 1, START, tweets=1), f.record(1, 1, START + 1), now=100.0)
    assert v["tweets"] == 4


def test_windows_are_dropped_once_no_partition_can_change_them() -> None:
    f = Feed()
    f.process(f.record(0, 4, START, tweets=3), f.record(0, 4, START + 9000), f.record(1, 0, START + 9000))
    assert f.merge.cells == {}


def test_what_was_published_in_an_earlier_life_is_not_published_again() -> None:
    f = Feed(raw_partitions=1, published_until=2)
    old = [f.record(0, 4, START, tweets=3), f.record(0, 4, START)]
    assert f.process(*old) == []
    (v,) = f.process(f.record(0, 5, START, tweets=4), f.record(0, 5, START))
    assert v["tweets"] == 4


def test_the_ranking_of_a_window_is_one_record() -> None:
    f = Feed(raw_partitions=1)
    out: list[Output] = []
    for tag, n in (("a", 2), ("b", 5), ("c", 2)):
        partial = Partial(
            kpi="tweets.kpi.popular_hashtags_by_minute", window=START, dims=[tag], measures=[n, n, 0], raw_partition=0,
            offset=1, watermark=START,
        )  # fmt: skip
        out = f.merge.process([Record(0, 0, b"", msgspec.json.encode(partial), ())], 0.0)
    out = f.merge.process([f.record(0, 3, START)], 0.0)
    (ranking,) = [msgspec.json.decode(o.value) for o in out if o.topic == "tweets.kpi.top_hashtags_by_minute"]
    assert [(e["rank"], e["hashtag"], e["tweets"]) for e in ranking["entries"]] == [
        (1, "b", 5),
        (2, "a", 2),
        (3, "c", 2),
    ]


def test_a_partial_of_another_layout_is_left_out() -> None:
    """What an earlier version of a KPI's declaration has left on the topic must not stop the merge."""
    f = Feed()
    old = msgspec.json.decode(f.record(0, 3, START, tweets=9).value or b"", type=Partial)
    old.measures.pop()
    record = Record(1, 0, b"k", msgspec.json.encode(old))
    (v,) = f.process(record, f.record(0, 4, START, tweets=3), f.record(0, 4, START))
    assert v["tweets"] == 3
