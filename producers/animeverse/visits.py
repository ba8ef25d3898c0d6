"""Who has seen which film: what people buy and review in the days after."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from producers.animeverse.chance import Chance, chance
from producers.animeverse.members import Members
from producers.animeverse.programme import Programme
from producers.animeverse.recent import Recent
from producers.animeverse.rhythm import DAY_S, day

REMEMBERED_S = 5 * DAY_S
REMEMBERED = 5000
A_SHOW = 12  # visitors of each past screening that a producer remembers which starts again


class Visit(NamedTuple):
    """A member in the cinema, from when the film starts."""

    starts: float
    member: str
    title: int


class Visits:
    def __init__(self) -> None:
        self._ahead: list[Visit] = []  # a heap: bought, the film has not started
        self._seen: Recent[Visit] = Recent(REMEMBERED)

    def begin(self, at: float, seed: int, programme: Programme, members: Members) -> None:
        """Remember some who have been there before a restart, as a function of (seed, time)."""
        for d in range(day(at) - 3, day(at) + 1):
            for show in programme.day(d):
                if show.starts < at and not show.is_off(at):
                    draw = chance(seed, "visitors", show.screening_id)
                    who = draw.sample(members.about(show.starts - 1800), A_SHOW)
                    for row in who:
                        self._seen.add(Visit(show.starts, members.ids[row], show.title), draw)

    def expect(self, visit: Visit) -> None:
        heapq.heappush(self._ahead, visit)

    def after(self, at: float, about: set[str], draw: Chance) -> Visit | None:
        """A visit of the last days by someone who is about now."""
        while self._ahead and self._ahead[0].starts <= at:
            self._seen.add(heapq.heappop(self._ahead), draw)
        return self._seen.find(lambda v: v.starts < at < v.starts + REMEMBERED_S and v.member in about, draw)
