"""What AnimeVerse sells: anime titles, all invented, and merchandise. Attributes by entity and number of its version."""

from __future__ import annotations

import functools
from itertools import accumulate

from producers.animeverse.chance import Chance, chance, unit
from producers.animeverse.rhythm import HOUR_S, moment
from producers.animeverse.timeline import Timeline
from topics.animeverse.reference import Product, Title

TITLES = 80
PRODUCTS = 600
PRICE_PERIOD = 36 * HOUR_S  # about how long a price holds
SCORE_PERIOD = 20 * 24 * HOUR_S

_FIRST = (
    "Crimson Silent Paper Velvet Hollow Electric Amber Midnight Tin Glass Wandering Thousand Feral Distant Copper Ivory"
)
_SECOND = "Lantern Orchard Tide Kitsune Signal Courier Archive Sparrow Harbor Monsoon Comet Typewriter Garden Automaton Shrine Rail"
_THIRD = (
    "Academy",
    "Requiem",
    "Chronicle",
    "Club",
    "no Uta",
    "Zero",
    "Reverie",
    "Express",
    "Diaries",
    "Rondo",
    "",
    "",
    "",
    "",
)
_STUDIOS = ("Studio Hanagasa", "Kumo Works", "Atelier Nanairo", "Tetsu Pictures", "Yoru Animation", "Maboroshi House")
_GENRES = (
    "action",
    "comedy",
    "drama",
    "fantasy",
    "mecha",
    "mystery",
    "romance",
    "science fiction",
    "slice of life",
    "sports",
)
_RATINGS = ("G", "PG", "PG-13", "R")

# category: articles, lowest and highest price in cents, share of the price that it costs, weight in winter and in summer
CATEGORIES: dict[str, tuple[tuple[str, ...], int, int, float, float, float]] = {
    "figures": (("Figure", "Deluxe Figure", "Mini Figure Set"), 2490, 18990, 0.58, 1.3, 0.9),
    "manga": (("Manga Vol. 1", "Manga Vol. 2", "Manga Box", "Art Book"), 790, 4990, 0.55, 1.0, 1.1),
    "apparel": (("T-Shirt", "Hoodie", "Cap", "Scarf"), 1490, 6990, 0.45, 1.2, 1.0),
    "music": (("Soundtrack", "Vinyl", "Piano Collection"), 1290, 3990, 0.6, 1.1, 0.9),
    "posters": (("Poster", "Wall Scroll", "Postcard Set"), 490, 2990, 0.3, 0.9, 1.0),
    "plush": (("Plush", "Giant Plush", "Plush Keychain"), 990, 5990, 0.42, 1.4, 0.9),
    "games": (("Card Game", "Board Game", "Visual Novel"), 1990, 6990, 0.62, 1.3, 0.9),
    "snacks": (("Ramune Pack", "Bento Box", "Candy Tin"), 290, 1990, 0.5, 0.8, 1.3),
}  # fmt: skip


class Catalogue:
    """Titles and products. `popularity` are weights; `of_title` the products of each title."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.prices = Timeline(seed, PRICE_PERIOD, "price change")
        self.scores = Timeline(seed, SCORE_PERIOD, "new score")
        self.titles = [f"t{n:03d}" for n in range(TITLES)]
        self.title_names = _title_names(seed)
        self.title_weight = [1.0 / (n + 3) ** 0.7 for n in chance(seed, "titles").sample(range(TITLES), TITLES)]
        self.title_edges = list(accumulate(self.title_weight))
        self.products: list[str] = []
        self.of_title: dict[int, list[int]] = {n: [] for n in range(TITLES)}
        self.popularity: list[float] = []
        self._base: list[Product] = []
        for n in range(PRODUCTS):
            self.add(f"p{n:04d}")

    def add(self, product_id: str) -> int:
        """One more product; its row."""
        draw, row = chance(self.seed, "product", product_id), len(self.products)
        title = draw.row(self.title_edges)
        self.products.append(product_id)
        self.of_title[title].append(row)
        self.popularity.append(self.title_weight[title] * draw.lognormvariate(0, 0.7))
        self._base.append(self._made(product_id, title, draw))
        return row

    def _made(self, product_id: str, title: int, draw: Chance) -> Product:
        category = draw.choice(list(CATEGORIES))
        articles, low, high, cost, _, _ = CATEGORIES[category]
        price = _priced(low * (high / low) ** draw.random())
        return Product(
            product_id=product_id, valid_from=0.0, name=f"{self.title_names[title]} {draw.choice(articles)}",
            category=category, price_cents=price, cost_cents=round(price * cost * draw.uniform(0.85, 1.1)),
            title_id=self.titles[title], supplier_id=f"v{list(CATEGORIES).index(category):02d}",
            reorder_point=draw.randint(5, 15), lead_days=draw.randint(2, 14),
        )  # fmt: skip

    def product(self, row: int) -> Product:
        """A product as it was at first: only prices and costs change."""
        return self._base[row]

    def price(self, row: int, at: float) -> tuple[int, int]:
        """Price and cost in cents that truly hold at a time."""
        return self.priced(row, self.prices.version(self.products[row], at)[1])

    def price_before(self, row: int, at: float) -> int:
        return self.priced(row, self.prices.before(self.products[row], at))[0]

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - one catalogue a process
    def priced(self, row: int, number: int, wrong: bool = False) -> tuple[int, int]:
        """Price and cost of a version."""
        base, draw = self._base[row], chance(self.seed, "price", self.products[row], number, wrong)
        return _priced(base.price_cents * draw.uniform(0.85, 1.2)), round(base.cost_cents * draw.uniform(0.95, 1.03))

    def product_version(self, row: int, valid_from: float, number: int, reason: str, wrong: bool = False) -> Product:
        base, (price, cost) = self._base[row], self.priced(row, number, wrong)
        return Product(
            product_id=base.product_id, name=base.name, category=base.category, price_cents=price, cost_cents=cost,
            title_id=base.title_id, supplier_id=base.supplier_id, reorder_point=base.reorder_point,
            lead_days=base.lead_days, valid_from=moment(valid_from), change_reason=reason,
        )  # fmt: skip

    def minutes(self, title: int) -> int:
        return 85 + int(55 * unit(self.seed, "minutes", title))

    def title_version(self, row: int, valid_from: float, number: int, reason: str, wrong: bool = False) -> Title:
        draw = chance(self.seed, "title", row)
        return Title(
            title_id=self.titles[row], name=self.title_names[row], studio=draw.choice(_STUDIOS),
            genres=sorted(draw.sample(_GENRES, draw.randint(1, 3))), rating=draw.choice(_RATINGS),
            score=round(5.0 + 4.5 * unit(self.seed, "score", row, number, wrong), 1), minutes=self.minutes(row),
            valid_from=moment(valid_from), change_reason=reason,
        )  # fmt: skip

    def quality(self, title: int) -> float:
        """How much people like a title and what belongs to it, 0 to 1."""
        return unit(self.seed, "quality", title)


def season(category: str, at: float) -> float:
    """How much a category sells at the time of the year, relative."""
    winter, summer = CATEGORIES[category][4:]
    return winter if moment(at).month in {10, 11, 12, 1, 2, 3} else summer


def _priced(cents: float) -> int:
    """Prices end in 90, small ones in 9."""
    return max(99, int(cents // 100) * 100 + 90) if cents >= 500 else max(99, int(cents // 10) * 10 + 9)


def _title_names(seed: int) -> list[str]:
    draw, names = chance(seed, "names"), dict[str, None]()
    while len(names) < TITLES:
        words = (draw.choice(_FIRST.split()), draw.choice(_SECOND.split()), draw.choice(_THIRD))
        names[" ".join(filter(None, words))] = None
    return list(names)
