"""When the versions of an entity begin and when each arrives, as a function of (seed, entity): nothing is remembered.

Time is cut into periods, shifted for each entity; a period begins with one of the stories below. So which version is in
force at a time is found at once, also by a producer that has just started.

    plain      arrives within a minute
    announced  arrives up to a day before it holds
    late       arrives up to six hours after it began to hold
    corrected  arrives with a wrong value, and again with the right one
    swapped    two versions an hour apart; the second arrives first
"""

from __future__ import annotations

import math
from typing import NamedTuple

from producers.animeverse.chance import chance, unit
from producers.animeverse.rhythm import HOUR_S

MINUTE_S = 60.0
LATE_S = 6 * HOUR_S
AHEAD_S = 24 * HOUR_S
STORIES = ("plain", "announced", "late", "corrected", "swapped")
SHARES = (0.40, 0.65, 0.85, 0.93, 1.0)  # cumulative


class Change(NamedTuple):
    """A version of an entity as it arrives. `number` names the version: what it says is a function of it."""

    arrives: float
    entity: str
    valid_from: float
    number: int
    reason: str
    wrong: bool = False


class Timeline:
    """The versions of entities that change about every `period` seconds."""

    def __init__(self, seed: int, period: float, reason: str) -> None:
        self._seed = seed
        self._period = period
        self._reason = reason
        self._found: dict[
            str, tuple[float, float, int]
        ] = {}  # of each entity: from, until, number; those last asked for

    def period(self, entity: str, at: float) -> int:
        return math.floor(at / self._period - unit(self._seed, "phase", entity))

    def changes(self, entity: str, period: int) -> list[Change]:
        """The versions that begin in a period, in order of arrival."""
        start = self.start(entity, period)
        draw = chance(self._seed, "change", entity, period)
        story, near = STORIES[draw.row(SHARES)], start + draw.uniform(1, MINUTE_S)
        plain = Change(near, entity, start, 2 * period, self._reason)
        if story == "announced":
            return [plain._replace(arrives=start - draw.uniform(HOUR_S, AHEAD_S), reason=f"{self._reason}, announced")]
        if story == "late":
            return [plain._replace(arrives=start + draw.uniform(MINUTE_S, LATE_S))]
        if story == "corrected":
            right = plain._replace(arrives=near + draw.uniform(10, 120) * MINUTE_S, reason="correction")
            return [plain._replace(wrong=True), right]
        if story == "swapped":
            after = Change(near + HOUR_S, entity, start + HOUR_S, 2 * period + 1, self._reason)
            return [after, plain._replace(arrives=after.arrives + draw.uniform(1, 60) * MINUTE_S)]
        return [plain]

    def version(self, entity: str, at: float) -> tuple[float, int]:
        """When the version that truly holds at a time began, and its number."""
        begin, until, number = self._found.get(entity, (0.0, 0.0, 0))
        if not begin <= at < until:
            begin, until, number = self._found[entity] = self._look(entity, at)
        return begin, number

    def before(self, entity: str, at: float) -> int:
        """The number of the version before the one that holds at a time."""
        return self._look(entity, self._look(entity, at)[0] - 1)[2]

    def start(self, entity: str, period: int) -> float:
        """When a period of an entity begins."""
        return float(math.floor((period + unit(self._seed, "phase", entity)) * self._period))

    def _look(self, entity: str, at: float) -> tuple[float, float, int]:
        period = self.period(entity, at)
        begun = sorted({(c.valid_from, c.number) for c in self.changes(entity, period)})
        ends = [start for start, _ in begun[1:]] + [self.start(entity, period + 1)]
        return max((start, end, number) for (start, number), end in zip(begun, ends, strict=True) if start <= at)
