"""A whole shop offline for a while: then it sends what it sold in the meantime, in order, among what others sell now."""

from __future__ import annotations

from collections import deque

from producers.animeverse.chance import Chance
from producers.animeverse.rhythm import HOUR_S
from producers.animeverse.stores import ONLINE, SHOPS, is_open

RECEIPTS = 40  # that a shop then sends
SHARE = 0.5  # of all receipts while it does


class Outage:
    """`fraction` of all receipts come from shops that were offline, for `hours` at most."""

    def __init__(self, fraction: float, hours: float) -> None:
        self._fraction = fraction
        self._hours = hours
        self._shop = ONLINE
        self._times: deque[float] = deque()

    def event(self, at: float, draw: Chance) -> tuple[int, float] | None:
        """The shop, and the time, of a receipt that is sent late; None: this one is not."""
        if not self._times and draw.happens(self._fraction / RECEIPTS):
            self._shop = draw.choice([n for n in range(len(SHOPS)) if n != ONLINE])
            length = draw.uniform(0.5, 1.0) * self._hours * HOUR_S
            times = [at - length * draw.random() for _ in range(4 * RECEIPTS)]
            self._times.extend(sorted([t for t in times if is_open(SHOPS[self._shop], t)][:RECEIPTS]))
        if self._times and draw.happens(SHARE):
            return self._shop, self._times.popleft()
        return None
