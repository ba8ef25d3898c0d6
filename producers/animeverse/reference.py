"""Reference data on its way: the versions of everything, each at the time that it arrives, as batches.

At a first beginning all that is known goes out, valid from days before; then changes as their stories (timeline.py) tell. What
the world invents while it runs (new products and members, added screenings) is handed in by `tell`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from producers.animeverse import programme as schedule
from producers.animeverse.catalogue import Catalogue
from producers.animeverse.members import Members
from producers.animeverse.programme import DAYS_AHEAD, Programme, Show
from producers.animeverse.rhythm import DAY_S, HOUR_S, day
from producers.animeverse.stores import PLACES, store
from producers.animeverse.timeline import AHEAD_S, LATE_S, Change, Timeline
from producers.worlds import Batch
from topics.animeverse.reference import CUSTOMERS, PRODUCTS, SCREENINGS, STORES, TITLES
from topics.contract import Reference, Version

FORMATS = {PRODUCTS.prefix: "csv", TITLES.prefix: "parquet", SCREENINGS.prefix: "parquet"}  # the others: JSON lines
BEFORE_S = 5 * DAY_S  # how long before the beginning the first versions hold: longer than the latest event is late
UNSETTLED_S = LATE_S + 3 * HOUR_S  # what began to hold longer ago has arrived, corrections too
DAYS_BACK = 4  # screenings of so many days before the beginning are told of, for late events


class Due(NamedTuple):
    """A version that arrives; `told` if the world invented it, and facts may have named it already."""

    arrives: float
    number: int  # breaks ties
    stream: Reference
    version: Version
    told: bool


@dataclass(frozen=True)
class Kind:
    """Entities of one stream that change by a timeline; `make` is (entity's row, valid_from, number, reason, wrong=False) → version."""

    stream: Reference
    timeline: Timeline
    ids: list[str]
    make: Callable[..., Version]


class Arrivals:
    def __init__(self, catalogue: Catalogue, members: Members, programme: Programme) -> None:
        self._programme = programme
        self.products = Kind(PRODUCTS, catalogue.prices, catalogue.products, catalogue.product_version)
        self.titles = Kind(TITLES, catalogue.scores, catalogue.titles, catalogue.title_version)
        self.members = Kind(
            CUSTOMERS, members.changes, members.ids, lambda row, *more: members.version(members.ids[row], *more)
        )
        self._due: list[Due] = []
        self._periods: list[tuple[float, int, Kind, int, int]] = []  # when to look at it, tie, kind, row, period
        self._count = 0
        self._next_day = 0

    def begin(self, at: float, since: float | None) -> list[Batch]:
        """What is sent first. `since`: when reference data was last sent; None: everything goes out."""
        known, start = since if since is not None else at, (at - BEFORE_S) // DAY_S * DAY_S
        for kind in (self.products, self.titles, self.members):
            for row in range(len(kind.ids)):
                self._begin_with(kind, row, known, start if since is None else None)
        if since is None:
            for place in PLACES:
                self._push(start, STORES, store(place, start, "initial"))
        self._next_day = day(known) - DAYS_BACK
        self._schedule(known, known if since is not None else None)
        return self._batches(known, "initial") if since is None else []

    def due(self, until: float) -> list[Batch]:
        """What has arrived by a time."""
        while self._periods and self._periods[0][0] <= until:
            _, _, kind, row, period = heapq.heappop(self._periods)
            self._plan(kind, row, period)
        self._schedule(until, None)
        return self._batches(until, "changes")

    def rest(self, at: float) -> list[Batch]:
        """What facts have named and has not arrived."""
        left = [d for d in self._due if d.told]
        self._due = [d._replace(arrives=at) for d in left]
        heapq.heapify(self._due)
        return self._batches(at, "changes")

    def tell(self, kind: Kind, row: int, at: float, arrives: float) -> None:
        """A new entity, there since `at`, known from `arrives`; later it changes as all others do."""
        entity, period = kind.ids[row], kind.timeline.period(kind.ids[row], at)
        begun, number = kind.timeline.version(entity, at)
        self._push(arrives, kind.stream, kind.make(row, at // 60 * 60 - HOUR_S, number, "new"), told=True)
        for change in kind.timeline.changes(entity, period):
            if change.valid_from > max(at, begun):
                self._arrive(kind, row, change)
        self._look_at(kind, row, period + 1)

    def tell_screening(self, show: Show, at: float) -> None:
        self._push(at, SCREENINGS, schedule.screening_version(show, show.announced, 0, "added"), told=True)

    def _begin_with(self, kind: Kind, row: int, known: float, start: float | None) -> None:
        """The version that is settled, as if it had held since `start` (None: it is known), then what is not settled."""
        entity = kind.ids[row]
        settled = kind.timeline.period(entity, known - UNSETTLED_S)
        if start is not None:
            number = max(c.number for c in kind.timeline.changes(entity, settled))
            self._push(start, kind.stream, kind.make(row, start, number, "initial"))
        for change in kind.timeline.changes(entity, settled + 1):
            if start is not None or change.arrives > known:
                self._arrive(kind, row, change)
        self._look_at(kind, row, settled + 2)

    def _plan(self, kind: Kind, row: int, period: int) -> None:
        for change in kind.timeline.changes(kind.ids[row], period):
            self._arrive(kind, row, change)
        self._look_at(kind, row, period + 1)

    def _look_at(self, kind: Kind, row: int, period: int) -> None:
        """Look at a period before the earliest that its versions can arrive."""
        self._count += 1
        when = kind.timeline.start(kind.ids[row], period) - AHEAD_S
        heapq.heappush(self._periods, (when, self._count, kind, row, period))

    def _schedule(self, until: float, since: float | None) -> None:
        """The screenings of the days that are announced by a time; of a restart only what arrives after `since`."""
        while (self._next_day - DAYS_AHEAD) * DAY_S <= until:
            for show in self._programme.day(self._next_day):
                for c in schedule.changes(show):
                    if since is None or c.arrives > since:
                        version = schedule.screening_version(show, c.valid_from, c.number, c.reason)
                        self._push(c.arrives, SCREENINGS, version)
            self._next_day += 1

    def _arrive(self, kind: Kind, row: int, c: Change) -> None:
        self._push(c.arrives, kind.stream, kind.make(row, c.valid_from, c.number, c.reason, c.wrong))

    def _push(self, arrives: float, stream: Reference, version: Version, told: bool = False) -> None:
        self._count += 1
        heapq.heappush(self._due, Due(arrives, self._count, stream, version, told))

    def _batches(self, until: float, kind: str) -> list[Batch]:
        """All that has arrived by a time, one batch for each stream, in the order of arrival."""
        found: dict[str, Batch] = {}
        while self._due and self._due[0].arrives <= until:
            d = heapq.heappop(self._due)
            batch = found.setdefault(
                d.stream.prefix, Batch(d.stream, until, kind, FORMATS.get(d.stream.prefix, "jsonl"), [])
            )
            batch.versions.append(d.version)
        return list(found.values())
