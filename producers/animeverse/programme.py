"""The cinemas' schedule: screenings of each day as a function of (seed, day), moved and cancelled ones included.

A screening is announced DAYS_AHEAD days before; then its seats are sold, in an order that is a permutation of (seed,
screening). How many are gone at a time is at most what its demand curve says: a producer that starts again begins there, and
never sells a seat twice.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from producers.animeverse.catalogue import Catalogue
from producers.animeverse.chance import Chance, chance
from producers.animeverse.rhythm import DAY_S, HOUR_S, is_weekend, moment
from producers.animeverse.stores import CINEMAS
from producers.animeverse.timeline import Change
from topics.animeverse.reference import Screening

DAYS_AHEAD = 10
HALLS = (("Hall 1", 160), ("Hall 2", 110), ("Hall 3", 64))
HOURS = (10.0, 12.5, 15.0, 17.5, 20.0, 22.5)  # when screenings begin, local time
ADDED_HALL = ("Annex", 240)
MOVED, CANCELLED = 0.06, 0.02


@dataclass(frozen=True)
class Show:
    """A screening. `changed_at` is when it was moved to `then` or cancelled; infinity: never."""

    screening_id: str
    title: int
    store_id: str
    hall: str
    seats: int
    starts: float
    announced: float
    fill: float  # of the seats, how many there is demand for
    changed_at: float = float("inf")
    then: float = 0.0
    cancelled: bool = False

    def starts_at(self, at: float) -> float:
        """When it starts, as known at a time."""
        return self.then if at >= self.changed_at and not self.cancelled else self.starts

    def is_off(self, at: float) -> bool:
        return self.cancelled and at >= self.changed_at

    def wanted(self, at: float) -> int:
        """How many of its seats are sold by a time, at most: a third over the days, the rest in the last ones."""
        gone = min(max((at - self.announced) / (self.starts - self.announced), 0.0), 1.0)
        return int(self.seats * self.fill * (0.35 * gone + 0.65 * gone**6))


class Programme:
    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        self.seed = seed
        self._catalogue = catalogue

    @functools.lru_cache(maxsize=64)  # noqa: B019 - one programme a process
    def day(self, day: int) -> tuple[Show, ...]:
        """The screenings of a UTC day."""
        return tuple(
            self._show(day, cinema, hall, slot)
            for cinema in range(len(CINEMAS))
            for hall in range(len(HALLS))
            for slot in range(len(HOURS))
        )

    def _show(self, day: int, cinema: int, hall: int, slot: int) -> Show:
        draw = chance(self.seed, "show", day, cinema, hall, slot)
        place, (name, seats) = CINEMAS[cinema], HALLS[hall]
        starts = day * DAY_S + (HOURS[slot] - place.utc_offset) * HOUR_S + draw.randrange(0, 6) * 300
        announced = (day - DAYS_AHEAD) * DAY_S + draw.uniform(0, 2 * HOUR_S)
        evening = 0.3 * (HOURS[slot] >= 17) + 0.15 * is_weekend(starts)
        date = moment(day * DAY_S).strftime("%Y%m%d")
        plain = Show(
            f"{date}-{place.store_id}-{hall + 1}-{slot + 1}", draw.row(self._catalogue.title_edges), place.store_id,
            name, seats, starts, announced, min(1.0, draw.uniform(0.35, 0.75) + evening),
        )  # fmt: skip
        return _with_change(plain, draw)

    def added(self, at: float, draw: Chance) -> Show:
        """One more screening, because all others are sold as far as there is demand; named after when it was added."""
        place, (name, seats) = draw.choice(CINEMAS), ADDED_HALL
        starts = (at + draw.uniform(2 * HOUR_S, 30 * HOUR_S)) // 300 * 300
        title, number = draw.row(self._catalogue.title_edges), int(at * 1000)
        return Show(
            f"added-{number}-{place.store_id}", title, place.store_id, name, seats, starts, at, draw.uniform(0.6, 1.0)
        )

    def seats(self, show: Show) -> list[int]:
        """The order in which its seats go."""
        return chance(self.seed, "seats", show.screening_id).sample(range(1, show.seats + 1), show.seats)

    def upcoming(self, at: float) -> list[Show]:
        """What is announced and has not started, soonest first."""
        today = int(at // DAY_S)
        found = (s for day in range(today - 1, today + DAYS_AHEAD + 2) for s in self.day(day))
        return sorted(
            (s for s in found if s.announced <= at < s.starts_at(at) and not s.is_off(at)), key=lambda s: s.starts
        )


def changes(show: Show) -> list[Change]:
    """The versions of a screening, in order of arrival: some are told of a change hours after it was made."""
    first = Change(show.announced, show.screening_id, show.announced, 0, "announced")
    if show.changed_at == float("inf"):
        return [first]
    late = show.changed_at + (show.changed_at * 7919) % 10**4 / 10**4 * 3 * HOUR_S
    return [
        first,
        Change(late, show.screening_id, show.changed_at, 1, "cancelled" if show.cancelled else "rescheduled"),
    ]


def screening_version(show: Show, valid_from: float, number: int, reason: str) -> Screening:
    return Screening(
        screening_id=show.screening_id, title_id=f"t{show.title:03d}", store_id=show.store_id, hall=show.hall,
        seats=show.seats, starts_at=moment(show.then if number and not show.cancelled else show.starts),
        status="cancelled" if number and show.cancelled else "scheduled", valid_from=moment(valid_from),
        change_reason=reason,
    )  # fmt: skip


def _with_change(show: Show, draw: Chance) -> Show:
    u, when = draw.random(), show.starts - draw.uniform(0.02, 0.6) * (show.starts - show.announced)
    if u >= MOVED + CANCELLED:
        return show
    then = show.starts + draw.choice((-45, -30, -15, 15, 30, 60, 120)) * 60.0
    return replace(show, changed_at=when // 60 * 60, then=then, cancelled=u < CANCELLED)
