from __future__ import annotations

import datetime as dt

import msgspec

from processors.gauge import GaugeFold
from topics.contract import CleanEvent, Latest

AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Level(CleanEvent, kw_only=True):
    shelf: str
    pieces: int
    alarm: bool = False


def level(offset: int, pieces: int, shelf: str = "a", alarm: bool = False) -> Level:
    return Level(
        event_id=str(offset), event_at=AT, ingested_at=AT, late_by_seconds=0, raw_partition=2, raw_offset=offset, shelf=shelf,
        pieces=pieces, alarm=alarm,
    )  # fmt: skip


def drained(fold: GaugeFold) -> list[dict]:
    return [msgspec.json.decode(o.value) for o in fold.drain()]


def test_the_newest_event_of_each_key_is_shown_once_a_batch() -> None:
    fold = GaugeFold(Latest("x.kpi.level", ("shelf",), ("pieces",)), 2)
    for offset, pieces in enumerate((5, 7, 3)):
        fold.fold(level(offset, pieces), offset)
    fold.fold(level(3, 1, shelf="b"), 3)
    got = {v["shelf"]: (v["pieces"], v["as_of"], v["revision"]) for v in drained(fold)}
    assert got == {"a": (3, {"2": 2}, 3), "b": (1, {"2": 3}, 4)}
    assert drained(fold) == []


def test_a_revision_shows_only_where_its_event_is_the_one_shown() -> None:
    fold = GaugeFold(Latest("x.kpi.level", ("shelf",), ("pieces",)), 2)
    fold.fold(level(0, 5), 0)
    fold.fold(level(1, 7), 1)
    fold.forget()
    fold.fold(level(0, 99), 4)
    assert drained(fold) == []
    fold.fold(level(1, 8), 5)
    assert [(v["pieces"], v["as_of"], v["revision"]) for v in drained(fold)] == [(8, {"2": 5}, 6)]


def test_a_revision_does_not_depend_on_how_far_back_the_state_reaches() -> None:
    """The clean topic drops old events; a smaller revision would hide what a worker publishes after that."""
    whole, recent = (GaugeFold(Latest("x.kpi.level", ("shelf",), ("pieces",)), 2) for _ in range(2))
    for offset, pieces in enumerate((5, 7, 3)):
        whole.fold(level(offset, pieces), offset)
    recent.fold(level(2, 3), 2)
    assert drained(whole) == drained(recent)


def test_only_events_that_say_so_count() -> None:
    fold = GaugeFold(Latest("x.kpi.alarms", ("shelf",), ("pieces",), when="alarm"), 2)
    fold.fold(level(0, 5), 0)
    fold.fold(level(1, 0, alarm=True), 1)
    fold.fold(level(2, 9), 2)
    assert [v["pieces"] for v in drained(fold)] == [0]


def test_an_event_that_counted_is_shown_as_it_was_revised() -> None:
    fold = GaugeFold(Latest("x.kpi.alarms", ("shelf",), ("pieces", "alarm"), when="alarm"), 2)
    fold.fold(level(0, 1, alarm=True), 0)
    fold.fold(level(1, 2), 1)
    fold.fold(level(0, 3, alarm=False), 2)
    fold.fold(level(1, 4), 3)
    assert [(v["pieces"], v["alarm"]) for v in drained(fold)] == [(3, False)]


def test_what_may_not_have_been_published_is_sent_again() -> None:
    fold = GaugeFold(Latest("x.kpi.level", ("shelf",), ("pieces",)), 2)
    fold.fold(level(0, 5), 0)
    fold.fold(level(4, 7, shelf="b"), 4)
    fold.forget()
    fold.touch_since(4)
    assert [v["shelf"] for v in drained(fold)] == ["b"]
