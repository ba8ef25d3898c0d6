"""What the sink waits for before it starts gold: its queries' first batches, and not for ever."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lakehouse_jobs.sink import Sink, wait_for_first_batches


@dataclass
class Query:
    """As Spark tells of one: what it is doing, and whether it runs."""

    message: str = "Processing new data"
    isActive: bool = True  # noqa: N815 - Spark's name
    asked: int = 0
    works: threading.Event | None = None  # set when asked twice

    @property
    def status(self) -> dict[str, Any]:
        self.asked += 1
        if self.works and self.asked == 2:
            self.works.set()
        return {"message": self.message}


@dataclass
class Part:
    """A query's part of the sink."""

    stopping: threading.Event = field(default_factory=threading.Event)
    moved: threading.Event = field(default_factory=threading.Event)


def wait(part: Part, query: Query, within_s: float = 60) -> None:
    wait_for_first_batches([cast("Sink", part)], [cast("Any", query)], within_s)


def test_it_waits_for_a_commit() -> None:
    part = Part()
    query = Query(works=part.moved)
    wait(part, query)
    assert query.asked == 2


@pytest.mark.parametrize("message", ["Waiting for next trigger", "Waiting for data to arrive"])
def test_where_there_is_nothing_to_read_it_goes_on(message: str) -> None:
    query = Query(message)
    wait(Part(), query)
    assert query.asked == 1


def test_a_query_that_has_ended_is_not_waited_for() -> None:
    query = Query(isActive=False)
    wait(Part(), query)
    assert query.asked == 0


def test_the_wish_to_stop_ends_the_wait() -> None:
    part, query = Part(), Query()
    part.stopping.set()
    wait(part, query)
    assert query.asked == 0


def test_it_does_not_wait_for_ever() -> None:
    query = Query()
    wait(Part(), query, within_s=0.5)
    assert query.asked >= 2
