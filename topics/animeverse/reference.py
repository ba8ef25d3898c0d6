"""AnimeVerse's reference data: products, titles, screenings, customers, stores; each record one version of one entity."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, field

from topics.animeverse.common import Cents, Id, Moment, Name
from topics.contract import CleanVersion, Reference, Version, pii


class Product(Version, kw_only=True):
    """An article: what it is, what it costs us and what we ask for it."""

    product_id: Id
    name: Name
    category: Name  # figures, manga, apparel, music, …
    price_cents: Cents
    cost_cents: Cents
    title_id: str = ""  # the anime that it belongs to; empty: none
    supplier_id: str = ""
    reorder_point: int = 10  # pieces in one store below which stock is low
    lead_days: int = 7  # from order to delivery


class CleanProduct(CleanVersion, kw_only=True):
    product_id: str
    name: str
    category: str
    price_cents: int
    cost_cents: int
    title_id: str
    supplier_id: str
    reorder_point: int
    lead_days: int


class Title(Version, kw_only=True):
    """An anime."""

    title_id: Id
    name: Name
    studio: Name
    genres: list[str] = field(default_factory=list)
    rating: str = "PG"  # age rating
    score: Annotated[float, Meta(ge=0, le=10)] = 0.0  # of critics
    minutes: int = 100


class CleanTitle(CleanVersion, kw_only=True):
    title_id: str
    name: str
    studio: str
    genres: list[str]
    rating: str
    score: float
    minutes: int


class Screening(Version, kw_only=True):
    """A showing of a title in a hall; a version with another `starts_at` reschedules it."""

    screening_id: Id
    title_id: Id
    store_id: Id  # the cinema
    hall: Name
    seats: Annotated[int, Meta(ge=1, le=2000)]
    starts_at: Moment
    status: Literal["scheduled", "cancelled"] = "scheduled"


class CleanScreening(CleanVersion, kw_only=True):
    screening_id: str
    title_id: str
    store_id: str
    hall: str
    seats: int
    starts_at: dt.datetime
    status: str


class Customer(Version, kw_only=True):
    """A member of the customer programme."""

    customer_id: Id
    name: Annotated[str, Meta(min_length=1, max_length=256), pii("name")]
    email: Annotated[str, pii("email")] = ""
    segment: str = "new"  # new, regular, fan, collector
    country: str = "ZZZ"  # ISO 3166-1 alpha-3
    city: str = ""
    consent: bool = False  # to marketing


class CleanCustomer(CleanVersion, kw_only=True):
    customer_id: str
    name: Annotated[str, pii("name")]
    email: Annotated[str, pii("email")]
    segment: str
    country: str
    city: str
    consent: bool


class Store(Version, kw_only=True):
    """A place where we sell: a shop, the online shop, a cinema."""

    store_id: Id
    name: Name
    kind: Literal["store", "online", "cinema"]
    city: str = ""
    country: str = "ZZZ"


class CleanStore(CleanVersion, kw_only=True):
    store_id: str
    name: str
    kind: str
    city: str
    country: str


def _reference(name: str, event: type[Version], clean: type[CleanVersion], key: str, describe: str) -> Reference:
    return Reference(f"animeverse.{name}", event, clean, key, key, describe=describe)


PRODUCTS = _reference("products", Product, CleanProduct, "product_id", "Articles, their prices and costs.")
TITLES = _reference("titles", Title, CleanTitle, "title_id", "Anime titles.")
SCREENINGS = _reference("screenings", Screening, CleanScreening, "screening_id", "The cinema's schedule.")
CUSTOMERS = _reference("customers", Customer, CleanCustomer, "customer_id", "Members of the customer programme.")
STORES = _reference("stores", Store, CleanStore, "store_id", "Shops, the online shop, cinemas.")
