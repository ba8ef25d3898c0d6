"""AnimeVerse's world: all parts together, one event for each time that is asked for.

    at ─▶ what kind (by the hour) ─▶ shop · box office · stockroom · critics ─▶ (topic, key, JSON)
                                        └─ shelves, visits, prices and schedule of that time are what they share

The same seed, and the same calls, give the same bytes. Times may lie before those of earlier calls: then the event is late.
"""

from __future__ import annotations

from typing import Self

from producers import faults, worlds
from producers.animeverse.box_office import BoxOffice
from producers.animeverse.catalogue import Catalogue
from producers.animeverse.chance import Chance, chance
from producers.animeverse.knobs import Knobs
from producers.animeverse.members import Members
from producers.animeverse.programme import Programme, Show
from producers.animeverse.reference import Arrivals
from producers.animeverse.reviews import Critics
from producers.animeverse.rhythm import KINDS, MIX_BY_HOUR, density
from producers.animeverse.shelves import Shelves
from producers.animeverse.shop import Shop
from producers.animeverse.stockroom import Stockroom
from producers.animeverse.visits import Visits
from producers.faults import Event
from producers.places import Floats, spread
from producers.worlds import Batch
from topics.animeverse.cinema import CINEMA
from topics.animeverse.inventory import INVENTORY
from topics.animeverse.pos import POS
from topics.animeverse.reference import CUSTOMERS, PRODUCTS, SCREENINGS, STORES, TITLES
from topics.animeverse.reviews import REVIEWS
from topics.contract import Stream

UNKNOWN_S = (60.0, 480.0)  # the record of a new product or member arrives so long after it is first named


class World(worlds.World):
    """Making one takes about a second, and reads no clock."""

    streams: tuple[Stream, ...] = (PRODUCTS, TITLES, SCREENINGS, CUSTOMERS, STORES, POS, CINEMA, INVENTORY, REVIEWS)
    block_max = 200  # reference data arrives between blocks

    def __init__(self, seed: int, knobs: Knobs | None = None) -> None:
        knobs = knobs or Knobs()
        self.seed = seed
        self.now = float("-inf")  # the latest time asked for
        self.catalogue = Catalogue(seed)
        self.members = Members(seed)
        self.programme = Programme(seed, self.catalogue)
        self.shelves = Shelves(seed, self.catalogue)
        self._arrivals = Arrivals(self.catalogue, self.members, self.programme)
        self._visits = Visits()
        self._stockroom = Stockroom(self.shelves, knobs, self._launch)
        self._shop = Shop(self.shelves, self.members, self._visits, knobs, self._join)
        self._box_office = BoxOffice(self.programme, self.members, self._visits, knobs, self._announce)
        self._critics = Critics(self.catalogue, self.members, self._visits, self._shop)

    @classmethod
    def made(cls, seed: int, knobs: faults.Knobs) -> Self:
        return cls(seed, knobs if isinstance(knobs, Knobs) else None)

    def begin(self, at: float, since: float | None) -> tuple[list[Batch], list[Event]]:
        self.now = at
        batches = self._arrivals.begin(at, since)
        self._box_office.begin(at, restart=since is not None)
        if since is not None:
            self._visits.begin(at, self.seed, self.programme, self.members)
        return batches, self._stockroom.opening(at, chance(self.seed, "opening", at))

    def changes(self, until: float) -> list[Batch]:
        return self._arrivals.due(until)

    def rest(self) -> list[Batch]:
        return self._arrivals.rest(self.now + 0.001)

    def history(self, start: float, end: float, count: int) -> Floats:
        return spread(start, end, count, self.seed, density)

    def events(self, block: int, at: Floats) -> list[Event]:
        times = at.tolist()
        draw = chance(self.seed, block, *times[:1], len(times))
        return [self._event(t, draw) for t in times]

    def _event(self, at: float, draw: Chance) -> Event:
        self.now = max(self.now, at)
        kind = KINDS[draw.row(MIX_BY_HOUR[int(at // 3600) % 24])]
        if kind == "inventory":
            return self._stockroom.event(at, self.now, draw)
        if kind == "reviews":
            return self._critics.event(at, draw)
        admission = self._box_office.event(at, self.now, draw) if kind == "cinema" else None
        return admission or self._shop.event(at, draw)

    def _launch(self, at: float, draw: Chance) -> int:
        """A new product; its record arrives minutes later."""
        row = self.catalogue.add(f"p-{draw.uuid()[:8]}")
        self._arrivals.tell(self._arrivals.products, row, at, at + draw.uniform(*UNKNOWN_S))
        return row

    def _join(self, at: float, draw: Chance) -> str:
        """A new member; their record arrives minutes later."""
        member = f"c-{draw.uuid()[:8]}"
        self.members.ids.append(member)
        self._arrivals.tell(self._arrivals.members, len(self.members.ids) - 1, at, at + draw.uniform(*UNKNOWN_S))
        return member

    def _announce(self, show: Show, at: float) -> None:
        self._arrivals.tell_screening(show, at)
