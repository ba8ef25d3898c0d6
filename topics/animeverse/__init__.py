"""AnimeVerse: an anime shop, online and in towns, with a cinema.

Facts arrive on pos, cinema, inventory and reviews; reference data on products, titles, screenings, customers and stores.
Two streams are derived from clean facts: stock (every movement of an item, by store and product) and journeys (every step
of a customer, by customer). Money is in cents of a euro, as integers; times are UTC.
"""

from __future__ import annotations

from topics.animeverse.cinema import CINEMA
from topics.animeverse.inventory import INVENTORY
from topics.animeverse.journeys import JOURNEYS
from topics.animeverse.pos import POS
from topics.animeverse.reference import CUSTOMERS, PRODUCTS, SCREENINGS, STORES, TITLES
from topics.animeverse.reviews import REVIEWS
from topics.animeverse.stock import STOCK
from topics.contract import Stream

STREAMS: tuple[Stream, ...] = (
    PRODUCTS, TITLES, SCREENINGS, CUSTOMERS, STORES, POS, CINEMA, INVENTORY, REVIEWS, STOCK, JOURNEYS,
)  # fmt: skip
