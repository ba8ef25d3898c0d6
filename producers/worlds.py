"""The worlds by name, and a world with faults and files as one source. A new business is one more line here.

A world is a pure function of a seed and of the times that it is asked for: clocks, signals and sockets stay outside.
One that has reference data says when it changes; the changes are written to files, and sent from those files.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from producers.faults import Event, Faults, Knobs
from producers.places import Floats
from topics.contract import Reference, Stream, Topic, Version

BLOCK = 5000  # most events made at once
UNSURE_S = 600.0  # a killed producer may have written files whose records the broker never got
Headers = list[tuple[str, str | bytes | None]]
Sending = tuple[list[Event], Headers | None]  # events, and the headers that all of them have


class Batch(NamedTuple):
    """Versions of reference data that arrive together: one file."""

    stream: Reference
    at: float  # when, seconds since the epoch
    kind: str  # initial, changes
    format: str  # csv, jsonl, parquet
    versions: list[Version]


class Publisher(Protocol):
    """Where reference data goes through on its way; see reference_files.py."""

    def publish(self, batch: Batch) -> Iterator[Sending]: ...

    def newest(self) -> float | None: ...


class World(Protocol):
    """What makes a business's events: seeded. The same calls with the same block numbers and times give the same bytes."""

    streams: tuple[Stream, ...]
    block_max: int = BLOCK  # most events that it makes at once

    def __init__(self, seed: int) -> None: ...

    @classmethod
    def made(cls, seed: int, knobs: Knobs) -> Self:  # noqa: ARG003 - a world without faults of its own
        """The world of a seed; `knobs` says which faults it makes by itself."""
        return cls(seed)

    def events(self, block: int, at: Floats) -> list[Event]:
        """One event, (topic, key, value), for each time (seconds since the epoch), in that order."""
        ...

    def history(self, start: float, end: float, count: int) -> Floats:
        """Times for `count` events between `start` and `end`, sorted, denser where more happens."""
        ...

    def begin(self, at: float, since: float | None) -> tuple[list[Batch], list[Event]]:  # noqa: ARG002 - nothing is
        """What is sent before the first event, at `at`: reference data, and events that say how things stand.

        `since` is when reference data was last sent; None: never, nothing is known of this world.
        """
        return [], []

    def changes(self, until: float) -> list[Batch]:  # noqa: ARG002 - nothing ever does
        """The reference data that has arrived since the last call."""
        return []

    def rest(self) -> list[Batch]:
        """Reference data that is on its way to be sent before the world is left."""
        return []


WORLDS = {"tweets": "producers.tweets", "animeverse": "producers.animeverse.world"}  # the modules: only one is needed


def make(name: str, seed: int, knobs: Knobs) -> World:
    made: World = importlib.import_module(WORLDS[name]).World.made(seed, knobs)
    return made


def topics(world: World) -> list[Topic]:
    """All topics that a world sends to."""
    return [s.raw for s in world.streams]


class Source:
    """A world with faults, its reference data from files: blocks of event times in, what is sent out. Counts its blocks."""

    def __init__(self, world: World, faults: Faults, files: Publisher | None = None) -> None:
        self.world = world
        self.faults = faults
        self.made = 0  # events of the world, without duplicates and reference data
        self._block = 0
        self._files = files

    def known_since(self) -> float | None:
        """Until when reference data has surely been sent; None: never. What is sent again is found as duplicates."""
        newest = self._files.newest() if self._files is not None else None
        return None if newest is None else newest - UNSURE_S

    def begin(self, at: float, since: float | None = None) -> Iterator[Sending]:
        """What is sent before the first event; see World.begin."""
        batches, events = self.world.begin(at, since)
        yield from self._filed(batches)
        for first in range(0, len(events), BLOCK):
            yield events[first : first + BLOCK], None

    def sendings(self, at: Floats) -> Iterator[Sending]:
        """The events of sorted times, the duplicates that are due by then, and the reference data that has changed."""
        for first in range(0, len(at), self.world.block_max):
            part = at[first : first + self.world.block_max]
            yield from self._filed(self.world.changes(float(part[-1])))
            yield self.block(part), None

    def ending(self) -> Iterator[Sending]:
        """What is left to be sent."""
        yield from self._filed(self.world.rest())
        yield self.rest(), None

    def block(self, at: Floats) -> list[Event]:
        """The events of a block of sorted times, and the duplicates that are due by then."""
        events = self.world.events(self._block, self.faults.times(self._block, at))
        sent = self.faults.events(self._block, at, events)
        self._block += 1
        self.made += len(events)
        return sent

    def rest(self) -> list[Event]:
        """The duplicates still held."""
        return self.faults.rest()

    def _filed(self, batches: list[Batch]) -> Iterator[Sending]:
        for batch in batches:
            if self._files is not None:
                yield from self._files.publish(batch)
