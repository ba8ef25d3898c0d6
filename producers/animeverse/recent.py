"""Things that happened lately, at most so many: when there are more, one of the old goes for each new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from producers.animeverse.chance import Chance

T = TypeVar("T")
TRIES = 6


class Recent(Generic[T]):
    def __init__(self, most: int) -> None:
        self._most = most
        self._things: list[T] = []

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: T, draw: Chance) -> None:
        if len(self._things) < self._most:
            self._things.append(thing)
        else:
            self._things[draw.randrange(self._most)] = thing

    def find(self, fits: Callable[[T], bool], draw: Chance) -> T | None:
        """One that fits, after a few tries; None: none was found."""
        for _ in range(TRIES if self._things else 0):
            if fits(thing := self._things[int(draw.random() * len(self._things))]):
                return thing
        return None

    def take(self, fits: Callable[[T], bool], draw: Chance) -> T | None:
        """The same, and it is gone."""
        for _ in range(TRIES if self._things else 0):
            n = int(draw.random() * len(self._things))
            if fits(self._things[n]):
                self._things[n], self._things[-1] = self._things[-1], self._things[n]
                return self._things.pop()
        return None
