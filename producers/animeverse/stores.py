"""Where AnimeVerse sells: six shops in six towns, the online shop, two cinemas."""

from __future__ import annotations

from dataclasses import dataclass

from producers.animeverse.rhythm import HOUR_S, moment
from topics.animeverse.reference import Store

OPENS, CLOSES = 9, 21  # local hours


@dataclass(frozen=True)
class Place:
    """`trade` is how much it sells, relative; `carries` the fraction of all products that it has on its shelves."""

    store_id: str
    name: str
    kind: str
    city: str
    country: str
    utc_offset: float
    trade: float = 0.0
    carries: float = 0.0


PLACES: tuple[Place, ...] = (
    Place("s-online", "AnimeVerse Online", "online", "", "DEU", 1, 6.0, 1.0),
    Place("s-berlin", "AnimeVerse Berlin", "store", "Berlin", "DEU", 1, 3.0, 0.4),
    Place("s-lyon", "AnimeVerse Lyon", "store", "Lyon", "FRA", 1, 2.2, 0.33),
    Place("s-milan", "AnimeVerse Milano", "store", "Milan", "ITA", 1, 2.0, 0.33),
    Place("s-krakow", "AnimeVerse Kraków", "store", "Kraków", "POL", 1, 1.4, 0.27),
    Place("s-lisbon", "AnimeVerse Lisboa", "store", "Lisbon", "PRT", 0, 1.2, 0.25),
    Place("s-osaka", "AnimeVerse Ōsaka", "store", "Osaka", "JPN", 9, 2.6, 0.4),
    Place("k-berlin", "Verse Kino Berlin", "cinema", "Berlin", "DEU", 1),
    Place("k-lyon", "Verse Cinéma Lyon", "cinema", "Lyon", "FRA", 1),
)
SHOPS = tuple(p for p in PLACES if p.trade)
CINEMAS = tuple(p for p in PLACES if p.kind == "cinema")
ONLINE = 0  # its place in SHOPS


def is_open(place: Place, at: float) -> bool:
    return place.kind == "online" or OPENS <= (at / HOUR_S + place.utc_offset) % 24 < CLOSES


def trade(at: float) -> list[float]:
    """Cumulative weights of SHOPS at a time: only the online shop never closes."""
    total, edges = 0.0, []
    for place in SHOPS:
        total += place.trade if is_open(place, at) else 0.0
        edges.append(total)
    return edges


def store(place: Place, valid_from: float, reason: str) -> Store:
    """The place as reference data."""
    return Store(
        store_id=place.store_id, name=place.name, kind=place.kind, city=place.city, country=place.country,  # type: ignore[arg-type]
        valid_from=moment(valid_from), change_reason=reason,
    )  # fmt: skip
