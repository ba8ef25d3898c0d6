from __future__ import annotations

import dataclasses

import msgspec

from processors.dataflow import Partition
from processors.partials import route
from processors.records import Record
from processors.tweets import FLOW
from tests.sim import world
from topics.tweets import HASHTAGS_BY_MINUTE


def values(outputs: list, topic: str) -> list[dict]:
    return [msgspec.json.decode(o.value) for o in outputs if o.topic == topic]


def test_a_row_that_could_not_be_mapped_is_rejected_with_its_reason_and_its_line() -> None:
    headers = (("source_file", b"x.csv"), ("source_line", b"17"), ("unmappable", b"'n/a' is no number"))
    out = Partition(FLOW, 0, 1).process(1, [Record(0, world.START_MS, None, b"a,b", headers)])
    (rejected,) = values(out, "tweets.rejected")
    assert (rejected["reason"], rejected["detail"]) == ("unmappable_row", "'n/a' is no number")
    assert rejected["headers"]["source_line"] == "17"
    assert rejected["value"] == "YSxi"


def test_an_error_in_the_business_code_rejects_the_event_and_the_partition_goes_on() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by a bug")

    (log,) = world.raw_partitions(3, partitions=1, events=1)
    out = Partition(dataclasses.replace(FLOW, accept=broken), 0, 1).process(1, log)
    (rejected,) = values(out, "tweets.rejected")
    assert rejected["reason"] == "processor_error"
    assert "by a bug" in rejected["detail"]


def test_recovered_state_is_the_state() -> None:
    (log,) = world.raw_partitions(4, partitions=1, events=300)
    live = Partition(FLOW, 0, 2)
    out = live.process(len(log), log)
    back = Partition(FLOW, 0, 2, published_until=len(log))
    back.recover(o.value for o in out if o.topic == "tweets.clean")
    assert (back.fence, back.watermark_ms, len(back.seen)) == (live.fence, live.watermark_ms, len(live.seen))
    live._expire()
    back._expire()
    assert [f.windows for f in back.folds] == [f.windows for f in live.folds]


def test_no_marker_is_sent_while_the_state_is_ahead_of_the_reading() -> None:
    """Cells then hold events beyond the offset that the marker would name; the partials are sent, since they may be missing."""
    (log,) = world.raw_partitions(4, partitions=1, events=60)
    clean = [o.value for o in Partition(FLOW, 0, 1).process(40, log[:40]) if o.topic == "tweets.clean"]
    back = Partition(FLOW, 0, 1)
    back.recover(clean)
    back.resume(0)
    assert back.fence > 20
    first, rest = back.process(10, log[:10]), back.process(60, log[10:])
    kinds = [
        [bool(msgspec.json.decode(o.value)["kpi"]) for o in out if o.topic == "tweets.partials"]
        for out in (first, rest)
    ]
    assert kinds[0]
    assert all(kinds[0])
    assert kinds[1].count(False) == 1


def test_cells_of_a_ranked_window_meet_in_one_partition() -> None:
    assert len({route(HASHTAGS_BY_MINUTE, 60, (), 8)}) == 1
    assert len({route(HASHTAGS_BY_MINUTE, 60, (tag,), 8) for tag in "abcdefgh"}) > 1
