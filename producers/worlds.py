"""The worlds by the name of their stream. A new business is one more line here, and one more file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from producers import tweets
from producers.faults import Event, Faults
from producers.places import Floats
from topics.contract import Topic

BLOCK = 5000  # most events made at once


class World(Protocol):
    """What makes a stream's events: pure, seeded. The same block number and times give the same bytes."""

    topic: Topic

    def events(self, block: int, at: Floats) -> list[Event]:
        """One event, (key, value), for each time (seconds since the epoch), in that order."""
        ...


WORLDS: dict[str, Callable[[int], World]] = {"tweets": tweets.World}


class Source:
    """A world with faults: blocks of event times in, what is sent out. Counts its blocks."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults
        self.made = 0  # events of the world, without duplicates
        self._block = 0

    def block(self, at: Floats) -> list[Event]:
        """The events of a block of sorted times, and the duplicates that are due by then."""
        events = self.world.events(self._block, self.faults.times(self._block, at))
        sent = self.faults.events(self._block, at, events)
        self._block += 1
        self.made += len(events)
        return sent

    def rest(self) -> list[Event]:
        return self.faults.rest()
